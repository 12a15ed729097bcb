"""Plain ``(event, context)`` handlers, sync and async, run by ``bridge.runtime``."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from bridge.limits import LAMBDA_PAYLOAD_LIMIT as LIMIT
from tests.end_to_end.bridge_runtime import RUNTIMES
from tests.end_to_end.emulator import BRIDGE_CLIENT, InvocationError

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_SECONDS = 30


@pytest.fixture(scope="module", params=["app.handler", "app.async_handler"])
def handler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=RUNTIMES)
def function(request: pytest.FixtureRequest, handler: str, start_for_module: Start) -> Emulator:
    command = RUNTIMES[request.param]
    return start_for_module("event_handlers", handler, command=command, timeout=TIMEOUT_SECONDS)


def process_of(function: Emulator) -> int:
    return int(function.invoke({})["process"])


def test_a_handler_receives_event_and_context(function: Emulator) -> None:
    event = {"a": [1, None, "é😀"]}

    payload = function.invoke(event)

    assert payload["event"] == event
    assert payload["arn"].startswith("arn:aws:lambda:us-east-1:")
    assert 0 < payload["remaining"] <= TIMEOUT_SECONDS * 1000
    of_context, of_current_request = payload["request_id"]
    assert of_context == of_current_request
    assert f"START RequestId: {of_context} " in function.log


def test_the_trace_id_is_in_the_current_request(function: Emulator) -> None:
    of_current_request, of_environment = function.invoke({})["trace"]

    # The environment has it where there is one invocation at a time.
    assert of_environment in (of_current_request, "")


# In this order: asyncio.run() leaves the main thread without an event loop.
@pytest.mark.parametrize("do", ["asyncio.get_event_loop", "asyncio.run"])
def test_a_plain_handler_may_run_an_event_loop(function: Emulator, do: str) -> None:
    event = {"do": do}

    assert function.invoke(event) == {"event": event, "process": process_of(function)}
    assert function.invoke(event)["event"] == event


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("fail", "ValueError: failed on purpose"),
        ("date", "TypeError: Object of type date is not JSON serializable"),
    ],
)
def test_an_exception_is_an_error_with_type_and_message_and_the_process_continues(
    function: Emulator, do: str, error: str
) -> None:
    before = process_of(function)

    with pytest.raises(InvocationError, match=error):
        function.invoke({"do": do})

    assert error in function.log
    assert process_of(function) == before


def test_the_stack_of_an_error_begins_in_the_handlers_code(function: Emulator) -> None:
    error = json.loads(function.invoke_raw({"do": "fail"}))

    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "failed on purpose")
    assert "/functions/event_handlers/app.py" in error["stackTrace"][0]
    assert 'raise ValueError("failed on purpose")' in error["stackTrace"][-1]


def test_stop_iteration_fails_the_invocation_and_the_process_continues(function: Emulator) -> None:
    before = process_of(function)

    with pytest.raises(InvocationError, match=r"failed on purpose|raised StopIteration"):
        function.invoke({"do": "stop"})

    assert process_of(function) == before


def test_bytes_are_sent_unchanged(function: Emulator) -> None:
    assert function.invoke_raw({"do": "bytes"}) == b"\x00\xff"


def test_a_payload_above_the_limit_is_an_error_and_the_process_continues(function: Emulator) -> None:
    before = process_of(function)

    assert len(function.invoke({"do": "large", "size": LIMIT - 2})) == LIMIT - 2
    with pytest.raises(InvocationError, match="ResponseSizeTooLarge"):
        function.invoke({"do": "large", "size": LIMIT - 1})
    with pytest.raises(InvocationError, match="ResponseSizeTooLarge"):
        function.invoke({"do": "large", "size": 20_000_000})

    assert "20000002 bytes" in function.log
    assert process_of(function) == before


def test_sys_exit_ends_the_process(function: Emulator) -> None:
    before = process_of(function)

    with pytest.raises(InvocationError, match="ended"):
        function.invoke({"do": "exit"})

    assert "sys.exit(3)" in function.log
    assert "exited: exit status 3" in function.log
    assert process_of(function) != before


def test_logs_are_text_with_request_ids_from_level_warning_on(function: Emulator) -> None:
    request_id = function.invoke({"do": "log"})["request_id"][0]

    assert "printed without a flush" in function.log
    assert f"\t{request_id}\tsold out\n" in function.log
    assert "\tsold\n" not in function.log
    assert f"\t{request_id}\tnot sold\nTraceback" in function.log


def test_json_logs_have_one_line_per_record_with_its_extra_fields(start: Start) -> None:
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    function = start("event_handlers", "app.handler", command=BRIDGE_CLIENT, variables=variables)

    request_id = function.invoke({"do": "log"})["request_id"][0]

    records = [json.loads(line) for line in function.log.splitlines() if line.startswith("{")]
    info, warning, error = [record for record in records if record.get("logger") == "shop"]
    assert {record["requestId"] for record in (info, warning, error)} == {request_id}
    assert (info["level"], info["message"], info["item"]) == ("INFO", "sold", "tea")
    assert (warning["level"], warning["message"]) == ("WARNING", "sold out")
    assert (error["level"], error["errorType"], error["errorMessage"]) == ("ERROR", "KeyError", "'coffee'")
    assert "app.py" in "".join(error["stackTrace"])


def test_the_log_level_is_the_functions(start: Start) -> None:
    function = start(
        "event_handlers",
        "app.handler",
        command=BRIDGE_CLIENT,
        variables={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"},
    )

    function.invoke({"do": "log"})

    assert '"not sold"' in function.log
    assert '"sold out"' not in function.log


@pytest.mark.parametrize("handler", ["app.handler", "app.async_handler"])
def test_sigterm_ends_an_idle_process_with_exit_status_0(start: Start, handler: str) -> None:
    function = start("event_handlers", handler, command=BRIDGE_CLIENT)
    process = process_of(function)

    os.kill(process, signal.SIGTERM)

    function.wait_for_log("Process runtime-1 exited")
    function.wait_for_log("exited: exit status 0")
