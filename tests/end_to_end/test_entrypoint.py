"""``bridge.entrypoint`` in a process of its own, without AWS's emulator: exit status, deadline and SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from bridge.dev.gateway import Request, compose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Imports the handler, then answers one event after another, like AWS's client.
LOOP = """
import json, sys
from importlib import import_module
from time import monotonic


class Context:
    aws_request_id = "1"

    def __init__(self, seconds):
        self._end = monotonic() + seconds

    def get_remaining_time_in_millis(self):
        return int((self._end - monotonic()) * 1000)


out, sys.stdout = sys.stdout, sys.stderr
handler = import_module("bridge.entrypoint").handler
for line in sys.stdin:
    event, seconds = json.loads(line)
    print(json.dumps(handler(event, Context(seconds))), file=out, flush=True)
"""
WSGI = """
def app(environ, start_response):
    raise SystemExit(3)
"""
ASGI = """
import asyncio, sys, time


def log(text):
    print(text, file=sys.stderr, flush=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log("lifespan: shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    log("request: started")
    if scope["path"] == "/exit":
        raise SystemExit(3)
    if scope["path"] == "/suspended":
        await asyncio.sleep(60)
    if scope["path"] == "/blocked":
        time.sleep(1)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"x"})
"""


class Function:
    """A process that answers events. Its standard error is the log."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self._log_file = folder / "log"
        with self._log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LOOP],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def send(self, path: str = "/", seconds: float = 60) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([compose(Request(path=path)), seconds]) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Return the next payload."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.log
        payload: dict[str, Any] = json.loads(line)
        return payload

    def request(self, path: str = "/", seconds: float = 60) -> dict[str, Any]:
        self.send(path, seconds)
        return self.receive()

    def wait_for_log(self, text: str) -> None:
        while text not in self.log:
            assert self.process.poll() is None, self.log
            time.sleep(0.01)

    def wait_for_exit(self) -> int:
        """Return the exit status."""
        return self.process.wait(20)

    @property
    def log(self) -> str:
        return self._log_file.read_text()


class Start(Protocol):
    def __call__(self, code: str) -> Function:
        """Start a function whose application is the ``app`` of a module with this code."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    functions: list[Function] = []

    def start(code: str) -> Function:
        (tmp_path / "app.py").write_text(code)
        functions.append(Function(tmp_path, {"BRIDGE_APP": "app:app"}))
        return functions[-1]

    yield start
    for function in functions:
        with function.process as process:
            process.kill()


@pytest.mark.parametrize(("code", "status"), [("import missing_package", 1), ("import sys; sys.exit(3)", 3)])
def test_an_application_that_cannot_be_imported_ends_the_process_with_a_traceback(
    start: Start, code: str, status: int
) -> None:
    function = start(code)

    assert function.wait_for_exit() == status
    assert function.log.count("The application could not be loaded.") == 1
    assert f'app.py", line 1, in <module>\n    {code}' in function.log


@pytest.mark.parametrize("code", [WSGI, ASGI], ids=["WSGI", "ASGI"])
def test_an_application_that_exits_ends_the_process(start: Start, code: str) -> None:
    function = start(code)

    function.send("/exit")

    assert function.wait_for_exit() == 3
    assert ("lifespan: shut down" in function.log) == (code is ASGI)


def test_a_suspended_application_is_cancelled_with_a_504_and_the_process_continues(start: Start) -> None:
    function = start(ASGI)

    payload = function.request("/suspended", seconds=0.5)

    assert (payload["statusCode"], payload["body"]) == (504, "Gateway Timeout")
    assert "GET /suspended has run for " in function.log
    assert function.request()["statusCode"] == 200


def test_a_blocked_application_has_its_stack_logged_and_is_not_interrupted(start: Start) -> None:
    function = start(ASGI)

    function.request("/blocked", seconds=0.5)

    assert "GET /blocked has run for " in function.log
    assert "time.sleep(1)" in function.log
    assert function.request()["statusCode"] == 200


def test_sigterm_shuts_the_lifespan_down(start: Start) -> None:
    function = start(ASGI)
    function.request()

    function.process.send_signal(signal.SIGTERM)

    assert function.wait_for_exit() == -signal.SIGTERM
    assert "lifespan: shut down" in function.log


def test_sigterm_during_a_request_takes_effect_after_the_response(start: Start) -> None:
    function = start(ASGI)
    function.send("/slow")
    function.wait_for_log("request: started")

    function.process.send_signal(signal.SIGTERM)

    assert function.receive()["statusCode"] == 200
    assert function.wait_for_exit() == -signal.SIGTERM
    assert "lifespan: shut down" in function.log
