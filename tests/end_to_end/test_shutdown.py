"""SIGTERM, which Lambda sends before it drops a sandbox."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import Request

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]


# AWS's client waits for the next invocation in the main thread, where Python handles no signal meanwhile, and in
# another one on the managed runtimes since Python 3.12. A container image has no managed runtime.
@pytest.fixture(params=["AWS_Lambda_python3.11", "AWS_Lambda_python3.12", ""])
def function(request: pytest.FixtureRequest, start: Start) -> Emulator:
    return start("asgi", "app.handler", variables={"AWS_EXECUTION_ENV": request.param})


def process_of(function: Emulator) -> int:
    return int(json.loads(function.ask(Request(path="/echo")).body)["process"])


def test_an_idle_function_shuts_its_lifespan_down_and_ends(function: Emulator) -> None:
    process = process_of(function)

    os.kill(process, signal.SIGTERM)

    function.wait_for("lifespan: shut down")
    function.wait_for("Process runtime-1 exited")


def test_a_request_in_flight_is_answered_before_the_lifespan_is_shut_down(function: Emulator) -> None:
    process = process_of(function)

    with ThreadPoolExecutor() as threads:
        answer = threads.submit(function.ask, Request(path="/slow"))
        function.wait_for("slow: began")
        os.kill(process, signal.SIGTERM)

    assert answer.result().body == b'"done"'
    function.wait_for("lifespan: shut down")
    function.wait_for("Process runtime-1 exited")


def test_a_signal_handler_of_the_applications_own_is_called_afterwards(start: Start) -> None:
    # where the main thread can call it
    function = start("asgi", "own_signal_handler.handler", variables={"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"})
    process = process_of(function)

    os.kill(process, signal.SIGTERM)

    function.wait_for("own handler: called")
    assert function.log.index("lifespan: shut down") < function.log.index("own handler: called")


@pytest.mark.parametrize("end", ["returns", "is terminated"])
def test_a_child_process_leaves_the_lifespan_alone(function: Emulator, end: str) -> None:
    before = process_of(function)

    assert function.ask(Request(path="/child", query=f"end={end.replace(' ', '+')}")).status == 200

    assert process_of(function) == before
    assert "lifespan: shut down" not in function.log
