"""Tasks that never end, under AWS's client and under the bridge's: the function takes the next event all the same."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import Request
from tests.end_to_end.bridge_runtime import RUNTIMES, request_stream
from tests.end_to_end.emulator import AWS_CLIENT, InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

CLIENTS = {"AWS": AWS_CLIENT, **RUNTIMES}
each_client = pytest.mark.parametrize(
    ("client", "mode"),
    [("AWS", "buffer"), *((client, mode) for client in RUNTIMES for mode in ("buffer", "stream"))],
)


@pytest.fixture
def run(start: Start) -> Callable[..., Emulator]:
    def run(client: str, mode: str, seconds: str) -> Emulator:
        variables = {
            "BRIDGE_RESPONSE_MODE": mode,
            "BRIDGE_BACKGROUND_SECONDS": seconds,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",  # AWS's client polls in a second thread, see test_shutdown
        }
        return start("background", "app.handler", command=CLIENTS[client], timeout=60, variables=variables)

    return run


def body_of(function: Emulator, path: str, mode: str) -> bytes:
    request = Request(path=path)
    answer: Any = request_stream(function, request) if mode == "stream" else function.request(request, "function-url")
    assert answer.status == 200
    return bytes(answer.body)


@each_client
def test_the_function_answers_the_next_requests(run: Callable[..., Emulator], client: str, mode: str) -> None:
    function = run(client, mode, "0.1")

    for number in (b"1", b"2"):
        assert body_of(function, "/leave", mode) == number
        assert b"data: 1" in body_of(function, "/events", mode)

    assert "Background tasks of GET /leave are still running after 0.1 s: forever." in function.log
    assert function.log.count("_shutdown_watcher") == 1


@each_client
def test_sigterm_ends_the_wait(run: Callable[..., Emulator], client: str, mode: str) -> None:
    function = run(client, mode, "600")

    with ThreadPoolExecutor() as threads:
        body = threads.submit(body_of, function, "/leave", mode)
        function.wait_for_log("forever: started in process")
        process = re.search(r"started in process (\d+)\.", function.log)
        assert process is not None
        os.kill(int(process[1]), signal.SIGTERM)
        with suppress(InvocationError):  # the emulator reports that the process ended, in place of the response
            assert body.result(30) == b"1"

    function.wait_for_log("Process runtime-1 exited")
