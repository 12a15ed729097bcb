"""The lifecycle of a process of ``bridge.runtime``: lifespan, background tasks, deadline and SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import Answer, Request, compose
from tests.end_to_end.bridge_runtime import APPS, FRAMEWORKS, RUNTIMES, request_stream
from tests.end_to_end.emulator import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

    Send = Callable[[Emulator, Request], Answer]

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_SECONDS = 2


def request_buffered(function: Emulator, request: Request) -> Answer:
    return function.request(request, "function-url")


MODES: dict[str, Send] = {"buffer": request_buffered, "stream": request_stream}
each_mode = pytest.mark.parametrize("mode", MODES)


def process_of(function: Emulator, mode: str = "buffer") -> int:
    return int(json.loads(MODES[mode](function, Request(path="/about")).body)["process"])


@pytest.fixture(scope="module", params=RUNTIMES)
def command(request: pytest.FixtureRequest) -> Sequence[str]:
    command: Sequence[str] = RUNTIMES[request.param]
    return command


@pytest.fixture
def run(start: Start, command: Sequence[str]) -> Callable[[str, str], Emulator]:
    def run(app: str, mode: str) -> Emulator:
        return start(FRAMEWORKS, app, command=command, variables={"BRIDGE_RESPONSE_MODE": mode})

    return run


@each_mode
def test_one_lifespan_serves_all_requests_and_shuts_down_at_sigterm(
    run: Callable[[str, str], Emulator], mode: str
) -> None:
    function = run("fastapi_app:app", mode)

    answers = [MODES[mode](function, Request(path="/pool")) for _ in range(5)]  # more than the pool has connections
    os.kill(process_of(function, mode), signal.SIGTERM)
    function.wait_for_log("exited: exit status 0")

    assert [answer.body for answer in answers] == [b'"answered"'] * 5
    assert function.log.count("pool: opened") == function.log.count("pool: closed") == 1


@each_mode
@pytest.mark.parametrize("app", ["FastAPI", "Quart"])
def test_a_background_task_ends_after_the_response_and_before_the_next_request(
    run: Callable[[str, str], Emulator], app: str, mode: str
) -> None:
    function = run(APPS[app], mode)

    for what in ("tea", "milk"):
        answer = MODES[mode](function, Request(path="/background", query=f"what={what}"))
        assert (answer.status, answer.body.strip(b'"')) == (200, b"answered")
    function.wait_for_log("recorded: milk")

    lines = re.findall("answered: .*|recorded: .*", function.log)
    assert lines == ["answered: tea", "recorded: tea", "answered: milk", "recorded: milk"]


@each_mode
def test_sigterm_takes_effect_after_the_request_and_its_background_task(
    run: Callable[[str, str], Emulator], mode: str, tmp_path: Path
) -> None:
    function = run("fastapi_app:app", mode)
    process = process_of(function, mode)
    gate = tmp_path / "gate"

    with ThreadPoolExecutor() as threads:
        answer = threads.submit(MODES[mode], function, Request(path="/background", query=f"what=tea&gate={gate}"))
        function.wait_for_log("answered: tea")
        os.kill(process, signal.SIGTERM)
        gate.touch()

    # For the emulator an invocation ends when the process polls for the next one. Here it exits instead, which the
    # emulator reports as an error, with the response that it has received.
    error = answer.exception()
    assert isinstance(error, InvocationError)
    assert b"answered" in error.payload
    assert "exited: exit status 0" in function.log
    assert function.log.index("recorded: tea") < function.log.index("pool: closed")


@each_mode
@pytest.mark.parametrize("folder", ["asgi", "wsgi"])
def test_an_application_that_exits_ends_the_process_and_the_next_request_starts_another(
    start: Start, command: Sequence[str], folder: str, mode: str
) -> None:
    function = start(folder, "app:app", command=command, variables={"BRIDGE_RESPONSE_MODE": mode})
    send = MODES[mode]
    before = json.loads(send(function, Request(path="/echo")).body)["process"]

    with pytest.raises(InvocationError, match="ended"):
        send(function, Request(path="/exit"))

    assert "sys.exit(3)" in function.log
    assert "exited: exit status 3" in function.log
    assert function.log.count("lifespan: shut down") == (folder == "asgi")
    assert json.loads(send(function, Request(path="/echo")).body)["process"] != before


def test_a_response_that_is_too_large_is_a_500_and_the_process_continues(start: Start, command: Sequence[str]) -> None:
    function = start("concurrent", "asgi:app", command=command, variables={"PARTIES": "1"})
    before = at_the_barrier(function, "buffer")

    answer = request_buffered(function, Request(path="/large", query="size=7000000"))

    assert (answer.status, answer.body[:26]) == (500, b"The response is too large:")
    assert at_the_barrier(function, "buffer") == before


def test_a_stream_that_aws_refuses_in_the_middle_does_not_end_the_process(start: Start, command: Sequence[str]) -> None:
    variables = {"PARTIES": "1", "BRIDGE_RESPONSE_MODE": "stream"}
    function = start("concurrent", "asgi:app", command=command, variables=variables)
    before = at_the_barrier(function, "stream")

    # The emulator accepts less than Lambda, where a stream may have 200 MB.
    with pytest.raises(InvocationError, match="ResponseSizeTooLarge"):
        function.invoke(compose(Request(path="/large", query="size=20000000"), "function-url"))

    assert at_the_barrier(function, "stream") == before


def at_the_barrier(function: Emulator, mode: str) -> int:
    """Return the process id of a function in ``functions/concurrent`` whose barrier has one party."""
    return int(json.loads(MODES[mode](function, Request(path="/barrier", query="name=guest")).body)["process"])


@pytest.fixture(scope="module", params=MODES)
def stuck(request: pytest.FixtureRequest, start_for_module: Start, command: Sequence[str]) -> tuple[Emulator, Send]:
    variables = {"BRIDGE_RESPONSE_MODE": request.param}
    function = start_for_module("stuck", "asgi.handler", timeout=TIMEOUT_SECONDS, command=command, variables=variables)
    return warm_up(function, MODES[request.param]), MODES[request.param]


def warm_up(function: Emulator, send: Send) -> Emulator:
    """Import the application, which in the emulator counts for the deadline, and may take several attempts."""
    for _ in range(4):
        with suppress(InvocationError):
            send(function, Request(path="/process"))
            break
    return function


@pytest.mark.parametrize("endpoint", ["in_await", "in_a_thread"])
def test_a_suspended_application_is_cancelled_with_a_504_and_a_logged_stack(
    stuck: tuple[Emulator, Send], endpoint: str
) -> None:
    function, send = stuck
    before = send(function, Request(path="/process")).body

    answer = send(function, Request(path=f"/{endpoint}"))

    assert (answer.status, answer.body) == (504, b"Gateway Timeout")
    assert f"GET /{endpoint} has run for " in function.log
    assert f"in {endpoint}\n" in function.log
    assert send(function, Request(path="/process")).body == before


def test_a_blocked_application_has_its_stack_logged_before_lambda_ends_it(stuck: tuple[Emulator, Send]) -> None:
    function, send = stuck
    before = send(function, Request(path="/process")).body

    with pytest.raises(InvocationError, match=f"Task timed out after {TIMEOUT_SECONDS}.00 seconds"):
        send(function, Request(path="/in_sleep"))

    assert "GET /in_sleep has run for " in function.log
    assert "in in_sleep\n" in function.log
    assert send(warm_up(function, send), Request(path="/process")).body != before


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_client_of_a_stuck_wsgi_application_that_streams_is_answered_with_504(start: Start, runtime: str) -> None:
    variables = {"BRIDGE_RESPONSE_MODE": "stream"}
    function = start("stuck", "wsgi.handler", timeout=TIMEOUT_SECONDS, command=RUNTIMES[runtime], variables=variables)
    before = request_stream(warm_up(function, request_stream), Request(path="/process")).body

    if runtime == "thread":
        # Lambda ends the process, whose only thread is stuck. The emulator drops the response then, other than Lambda.
        with pytest.raises(InvocationError, match=f"Task timed out after {TIMEOUT_SECONDS}.00 seconds"):
            request_stream(function, Request(path="/in_sleep"))
        after = request_stream(warm_up(function, request_stream), Request(path="/process")).body
    else:
        assert request_stream(function, Request(path="/in_sleep")).status == 504
        after = request_stream(function, Request(path="/process")).body

    assert "GET /in_sleep has run for " in function.log
    assert "in in_sleep\n" in function.log
    assert (after == before) == (runtime != "thread")
