"""``bridge.entrypoint`` in a process of its own: the same failures as under AWS's emulator, without it."""

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

CONTEXT = """
import json, sys
from importlib import import_module
from time import monotonic, sleep


class Context:
    aws_request_id = "1"

    def __init__(self, seconds):
        self._end = monotonic() + seconds

    def get_remaining_time_in_millis(self):
        return int((self._end - monotonic()) * 1000)
"""
# As AWS's client does it: import once, then answer one event after another.
LOOP = f"""{CONTEXT}
out, sys.stdout = sys.stdout, sys.stderr
handler = import_module("bridge.entrypoint").handler
for line in sys.stdin:
    event, seconds = json.loads(line)
    print(json.dumps(handler(event, Context(seconds))), file=out, flush=True)
"""
WSGI = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/exit":
        raise SystemExit(3)
    if environ["PATH_INFO"] == "/fail":
        raise RuntimeError("failed on purpose")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x" * int(environ["QUERY_STRING"] or 1)]
"""
ASGI = """
import asyncio, signal, sys, time


def say(text):
    print(text, file=sys.stderr, flush=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        say("lifespan: shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    say("request: began")
    if scope["path"] == "/exit":
        raise SystemExit(3)
    if scope["path"] == "/await":
        await asyncio.sleep(60)
    if scope["path"] == "/sleep":
        time.sleep(60)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    if scope["path"] == "/alarm":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if scope["path"] == "/late":
        time.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"x"})
"""


class Function:
    """A process that loops over events; what it writes to standard error is its log."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.log_file = folder / "log"
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LOOP],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def send(self, path: str = "/", query: str = "", seconds: float = 60) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([compose(Request(path=path, query=query)), seconds]) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next payload; none is a failure that shows the log."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.log
        payload: dict[str, Any] = json.loads(line)
        return payload

    def ask(self, path: str = "/", query: str = "", seconds: float = 60) -> dict[str, Any]:
        self.send(path, query, seconds)
        return self.receive()

    def wait_for(self, line: str) -> None:
        while line not in self.log:
            assert self.process.poll() is None, self.log
            time.sleep(0.01)

    def exit_status(self) -> int:
        return self.process.wait(20)

    @property
    def log(self) -> str:
        return self.log_file.read_text()


class Start(Protocol):
    def __call__(self, code: str, **variables: str) -> Function:
        """*code*: of the module that BRIDGE_APP names, unless *variables* do."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Function] = []

    def start(code: str, **variables: str) -> Function:
        (tmp_path / "app.py").write_text(code)
        started.append(Function(tmp_path, {"BRIDGE_APP": "app:app"} | variables))
        return started[-1]

    yield start
    for function in started:
        with function.process as process:
            process.kill()


def test_an_import_that_fails_ends_the_process_with_its_traceback(start: Start) -> None:
    function = start("import a_package_that_is_not_there\n")

    assert function.exit_status() == 1
    assert function.log.count("The application could not be loaded.") == 1
    assert 'app.py", line 1, in <module>\n    import a_package_that_is_not_there' in function.log
    assert "ModuleNotFoundError: No module named 'a_package_that_is_not_there'" in function.log


def test_an_application_that_exits_while_it_is_imported_says_where(start: Start) -> None:
    function = start("import sys\nsys.exit(3)\n")

    assert function.exit_status() == 3
    assert 'app.py", line 2, in <module>\n    sys.exit(3)' in function.log


def test_after_a_failed_import_another_one_tries_again(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        f"from pathlib import Path\nif not Path('mark').exists():\n    Path('mark').touch()\n    1 / 0\n{WSGI}"
    )
    twice = "try:\n    import bridge.entrypoint\nexcept ZeroDivisionError:\n    import bridge.entrypoint\n"

    done = subprocess.run(
        [sys.executable, "-c", twice + "print(bridge.entrypoint.handler)"],
        cwd=tmp_path,
        env={"BRIDGE_APP": "app:app"},
        capture_output=True,
        text=True,
    )

    assert "Handler object" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Set the function's environment variable BRIDGE_APP to module:attribute"),
        ("elsewhere:app", "there is no module 'elsewhere'"),
        ("app:other", "has no attribute 'other'. Callables there: app"),
        ("app app", "Write it as module:attribute"),
    ],
)
def test_a_name_that_leads_nowhere_is_explained(start: Start, name: str, message: str) -> None:
    function = start(WSGI, BRIDGE_APP=name)

    assert function.exit_status() == 1
    assert message in function.log


def test_a_lifespan_that_does_not_start_ends_the_process(start: Start) -> None:
    function = start(
        "async def app(scope, receive, send):\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'the database is away'})\n"
    )

    assert function.exit_status() == 1
    assert "LifespanError: The application's lifespan failed to start up: the database is away" in function.log


def test_an_exception_is_a_500_and_the_process_lives_on(start: Start) -> None:
    function = start(WSGI)

    assert function.ask("/fail")["statusCode"] == 500
    assert "RuntimeError: failed on purpose" in function.log
    assert function.ask()["statusCode"] == 200


def test_a_response_above_the_limit_is_a_500_with_both_numbers(start: Start) -> None:
    function = start(WSGI)

    payload = function.ask(query="6291556")

    assert payload["statusCode"] == 500
    assert "at most 6291556" in payload["body"]
    assert function.ask(query="6200000")["body"] == "x" * 6_200_000


@pytest.mark.parametrize("code", [WSGI, ASGI], ids=["WSGI", "ASGI"])
def test_an_application_that_exits_ends_the_process(start: Start, code: str) -> None:
    function = start(code)

    function.send("/exit")

    assert function.exit_status() == 3
    assert ("lifespan: shut down" in function.log) == (code is ASGI)


@pytest.mark.parametrize("path", ["/await", "/sleep"])
def test_an_application_that_is_stuck_is_a_504_and_the_process_lives_on(start: Start, path: str) -> None:
    function = start(ASGI)

    payload = function.ask(path, seconds=0.5)

    assert (payload["statusCode"], payload["body"]) == (504, "Gateway Timeout")
    assert f"GET {path} has run for " in function.log
    assert function.ask()["statusCode"] == 200


def test_a_signal_that_the_application_took_back_is_not_sent(start: Start) -> None:
    function = start(ASGI)
    function.ask("/alarm")

    function.ask("/late", seconds=0.5)  # cannot be interrupted, and SIGALRM would be the end

    assert function.ask()["statusCode"] == 200


def test_the_main_thread_is_not_interrupted_for_a_request_in_another(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(ASGI)
    quick, late = (json.dumps(compose(Request(path=path))) for path in ("/", "/late"))
    script = f"""{CONTEXT}
from threading import Thread

import bridge.entrypoint

bridge.entrypoint.handler(json.loads(sys.argv[1]), Context(60))
other = Thread(target=bridge.entrypoint.handler, args=(json.loads(sys.argv[2]), Context(0.5)))
other.start()
sleep(1)
other.join()
print("the main thread slept well")
"""

    done = subprocess.run(
        [sys.executable, "-c", script, quick, late],
        cwd=tmp_path,
        env={"BRIDGE_APP": "app:app"},
        capture_output=True,
        text=True,
    )

    assert "GET /late has run for " in done.stderr
    assert done.stdout == "the main thread slept well\n"


def test_sigterm_shuts_the_lifespan_down(start: Start) -> None:
    function = start(ASGI)
    function.ask()

    function.process.send_signal(signal.SIGTERM)

    assert function.exit_status() == -signal.SIGTERM
    assert "lifespan: shut down" in function.log


def test_sigterm_during_a_request_waits_until_its_answer_is_out(start: Start) -> None:
    function = start(ASGI)
    function.send("/slow")
    function.wait_for("request: began")

    function.process.send_signal(signal.SIGTERM)

    assert function.receive()["statusCode"] == 200
    assert function.exit_status() == -signal.SIGTERM
    assert "lifespan: shut down" in function.log
