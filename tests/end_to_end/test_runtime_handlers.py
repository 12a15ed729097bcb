"""Plain ``(event, context)`` handlers, sync and async, run by ``bridge.runtime`` behind AWS's emulator."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.emulator import BRIDGE_CLIENT, InvocationError

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_SECONDS = 30
LIMIT = 6_291_556  # bytes, by the emulator's own words


@pytest.fixture(scope="module", params=["app.handler", "app.async_handler"])
def function(request: pytest.FixtureRequest, start_for_module: Start) -> Emulator:
    return start_for_module("plain", request.param, command=BRIDGE_CLIENT, timeout=TIMEOUT_SECONDS)


def process_of(function: Emulator) -> int:
    return int(function.invoke({})["process"])


def test_a_handler_gets_event_and_context(function: Emulator) -> None:
    event = {"a": [1, None, "é😀"]}

    told = function.invoke(event)

    assert told["event"] == event
    assert told["arn"].startswith("arn:aws:lambda:us-east-1:")
    assert 0 < told["left"] <= TIMEOUT_SECONDS * 1000
    own, current = told["request_id"]
    assert own == current
    assert f"START RequestId: {own} " in function.log


def test_the_trace_id_is_the_current_requests_and_in_the_environment(function: Emulator) -> None:
    current, environment = function.invoke({})["trace"]

    assert current == environment


@pytest.mark.parametrize(
    "do",
    ["main thread's loop", "own loop"],  # asyncio.run() leaves the main thread without one
)
def test_a_handler_may_run_an_event_loop_of_its_own(function: Emulator, do: str) -> None:
    """``asyncio.run`` in a plain handler is how people await something where the runtime client cannot."""
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
def test_an_exception_is_an_error_with_type_and_message_and_the_process_lives_on(
    function: Emulator, do: str, error: str
) -> None:
    before = process_of(function)

    with pytest.raises(InvocationError, match=error):
        function.invoke({"do": do})

    assert error in function.log
    assert process_of(function) == before


def test_an_errors_stack_begins_where_the_handlers_own_code_does(function: Emulator) -> None:
    told = json.loads(function.payload_of({"do": "fail"}))

    assert (told["errorType"], told["errorMessage"]) == ("ValueError", "failed on purpose")
    assert "/functions/plain/app.py" in told["stackTrace"][0]
    assert 'raise ValueError("failed on purpose")' in told["stackTrace"][-1]


def test_stop_iteration_ends_the_invocation_and_not_the_process(function: Emulator) -> None:
    before = process_of(function)

    with pytest.raises(InvocationError, match=r"failed on purpose|raised StopIteration"):
        function.invoke({"do": "stop"})

    assert process_of(function) == before


def test_bytes_go_out_as_they_are(function: Emulator) -> None:
    assert function.payload_of({"do": "bytes"}) == b"\x00\xff"


def test_a_payload_up_to_the_limit_passes_and_above_it_is_an_error_and_the_process_lives_on(function: Emulator) -> None:
    before = process_of(function)

    assert len(function.invoke({"do": "large", "size": LIMIT - 2})) == LIMIT - 2
    with pytest.raises(InvocationError, match="ResponseSizeTooLarge"):
        function.invoke({"do": "large", "size": LIMIT - 1})
    with pytest.raises(InvocationError, match="ResponseSizeTooLarge"):
        function.invoke({"do": "large", "size": 20_000_000})

    assert "The payload of 20000002 bytes is larger than taken." in function.log
    assert process_of(function) == before


def test_sys_exit_ends_invocation_and_process(function: Emulator) -> None:
    before = process_of(function)

    with pytest.raises(InvocationError, match="ended"):
        function.invoke({"do": "exit"})

    assert "The function called sys.exit(3)" in function.log
    assert "exited: exit status 3" in function.log
    assert process_of(function) != before


def test_logs_are_text_with_request_ids_and_begin_at_warning(function: Emulator) -> None:
    request_id = function.invoke({"do": "log"})["request_id"][0]

    assert "printed, not flushed" in function.log
    assert f"\t{request_id}\tsold out\n" in function.log
    assert "\tsold\n" not in function.log
    assert f"\t{request_id}\tnot sold\nTraceback" in function.log


def test_json_logs_have_a_line_for_each_record_with_what_extra_adds(start: Start) -> None:
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    function = start("plain", "app.handler", command=BRIDGE_CLIENT, variables=variables)

    request_id = function.invoke({"do": "log"})["request_id"][0]

    records = [json.loads(line) for line in function.log.splitlines() if line.startswith("{")]
    sold, out, failed = [record for record in records if record.get("logger") == "shop"]
    assert {record["requestId"] for record in (sold, out, failed)} == {request_id}
    assert (sold["level"], sold["message"], sold["item"]) == ("INFO", "sold", "tea")
    assert (out["level"], out["message"]) == ("WARNING", "sold out")
    assert (failed["level"], failed["errorType"], failed["errorMessage"]) == ("ERROR", "KeyError", "'coffee'")
    assert "app.py" in "".join(failed["stackTrace"])


def test_the_log_level_is_lambdas(start: Start) -> None:
    function = start(
        "plain",
        "app.handler",
        command=BRIDGE_CLIENT,
        variables={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"},
    )

    function.invoke({"do": "log"})

    assert '"not sold"' in function.log
    assert '"sold out"' not in function.log


@pytest.mark.parametrize("handler", ["app.handler", "app.async_handler"])
def test_sigterm_ends_an_idle_process_with_status_0(start: Start, handler: str) -> None:
    function = start("plain", handler, command=BRIDGE_CLIENT)
    process = process_of(function)

    os.kill(process, signal.SIGTERM)

    function.wait_for("Process runtime-1 exited")
    function.wait_for("exited: exit status 0")
