"""SIGTERM, which Lambda sends to functions with a registered extension, behind AWS's runtime client."""

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

# On managed runtimes since Python 3.12 AWS's client polls in a second thread. Elsewhere it polls in the main thread, in
# C code, and Python calls signal handlers when the next invocation arrives.
VARIABLES = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}


@pytest.fixture
def function(start: Start) -> Emulator:
    return start("asgi", "app.handler", variables=VARIABLES)


def process_of(function: Emulator) -> int:
    return int(json.loads(function.request(Request(path="/echo")).body)["process"])


def test_an_idle_function_shuts_its_lifespan_down_and_exits(function: Emulator) -> None:
    os.kill(process_of(function), signal.SIGTERM)

    function.wait_for_log("lifespan: shut down")
    function.wait_for_log("Process runtime-1 exited")


def test_a_request_in_flight_is_answered_before_the_lifespan_is_shut_down(function: Emulator) -> None:
    process = process_of(function)

    with ThreadPoolExecutor() as threads:
        answer = threads.submit(function.request, Request(path="/slow"))
        function.wait_for_log("slow: started")
        os.kill(process, signal.SIGTERM)

    assert answer.result().body == b'"done"'
    function.wait_for_log("lifespan: shut down")
    function.wait_for_log("Process runtime-1 exited")


def test_a_signal_handler_of_the_application_is_called_after_the_shutdown(start: Start) -> None:
    function = start("asgi", "own_signal_handler.handler", variables=VARIABLES)

    os.kill(process_of(function), signal.SIGTERM)

    function.wait_for_log("own handler: called")
    assert function.log.index("lifespan: shut down") < function.log.index("own handler: called")


@pytest.mark.parametrize(("end", "exit_status"), [("returns", b"0"), ("is terminated", b"-15")])
def test_a_child_process_does_not_shut_the_lifespan_down(function: Emulator, end: str, exit_status: bytes) -> None:
    before = process_of(function)

    answer = function.request(Request(path="/child", query=f"end={end.replace(' ', '+')}"))

    assert (answer.status, answer.body) == (200, exit_status)
    assert process_of(function) == before
    assert "lifespan: shut down" not in function.log
