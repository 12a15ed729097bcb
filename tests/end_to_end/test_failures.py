"""Functions that fail behind AWS's runtime client: the response, the log, and the next invocation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from bridge.dev.gateway import Request, compose
from bridge.limits import LAMBDA_PAYLOAD_LIMIT as LIMIT
from tests.end_to_end.emulator import InvocationError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

ENTRYPOINT = "bridge.entrypoint.handler"

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
# Fails in the first process, which leaves a file for the next one.
FAILS_ONCE = """
from pathlib import Path

marker = Path(__file__).with_name("marker")
if not marker.exists():
    marker.touch()
    raise {error}
"""


def process_of(function: Emulator) -> int:
    return int(json.loads(function.request(Request(path="/echo")).body)["process"])


@pytest.mark.parametrize("folder", ["wsgi", "asgi"])
def test_an_application_that_exits_ends_the_process_and_the_next_request_starts_another(
    start: Start, folder: str
) -> None:
    function = start(folder, "app.handler")
    before = process_of(function)

    with pytest.raises(InvocationError, match="ended"):
        function.request(Request(path="/exit"))

    assert "Process runtime-1 exited: exit status 3" in function.log
    assert ("lifespan: shut down" in function.log) == (folder == "asgi")
    assert process_of(function) != before


def test_an_import_error_fails_the_init_with_its_traceback(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import missing_package\n")
    function = start(tmp_path, ENTRYPOINT, variables={"BRIDGE_APP": "app:app"})

    with pytest.raises(InvocationError):
        function.request(Request())

    assert f'File "{tmp_path}/app.py", line 1, in <module>\n    import missing_package' in function.log
    assert "ModuleNotFoundError: No module named 'missing_package'" in function.log
    assert "Runtime.ImportModuleError" in function.log


@pytest.mark.parametrize(
    "error", ["ImportError('once')", "RuntimeError('once')", "SyntaxError('once')", "SystemExit('once')"]
)
def test_the_invocation_after_a_failed_init_imports_the_application_again(
    start: Start, tmp_path: Path, error: str
) -> None:
    (tmp_path / "app.py").write_text(FAILS_ONCE.format(error=error) + HELLO)
    function = start(tmp_path, ENTRYPOINT, variables={"BRIDGE_APP": "app:app"})

    with pytest.raises(InvocationError):
        function.request(Request())
    assert f'File "{tmp_path}/app.py", line 7, in <module>' in function.log
    assert "once" in function.log

    assert function.request(Request()).body == b"hello"


def test_the_invocation_after_a_failed_lifespan_startup_starts_it_again(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        """
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app):
    marker = Path("marker")
    if not marker.exists():
        marker.touch()
        raise RuntimeError("no database")
    yield


app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))], lifespan=lifespan)
"""
    )
    function = start(tmp_path, ENTRYPOINT, variables={"BRIDGE_APP": "app:app"})

    with pytest.raises(InvocationError):
        function.request(Request())
    assert "LifespanError: The application's lifespan failed to start up: Traceback" in function.log
    assert "RuntimeError: no database" in function.log

    assert function.request(Request()).body == b"hello"


def test_without_an_application_the_log_says_how_to_name_one(start: Start, tmp_path: Path) -> None:
    function = start(tmp_path, ENTRYPOINT)

    with pytest.raises(InvocationError):
        function.request(Request())

    assert "Set the function's environment variable BRIDGE_APP to module:attribute" in function.log
    assert ".serverless-wsgi" in function.log
    assert str(tmp_path) in function.log


@pytest.fixture(scope="module", params=["AWS_Lambda_python3.11", "AWS_Lambda_python3.12", ""])
def encoded(request: pytest.FixtureRequest, start_for_module: Start) -> tuple[Emulator, bool]:
    """A function, and whether AWS's client encodes payloads as UTF-8, as since Python 3.12, or as ASCII."""
    managed_runtime = request.param
    function = start_for_module("wsgi", "app.handler", variables={"AWS_EXECUTION_ENV": managed_runtime})
    return function, managed_runtime == "AWS_Lambda_python3.12"


@pytest.mark.parametrize("letter", ["x", "é", "😀", '"', "\x01", "\u2028"])
def test_a_response_above_the_limit_is_a_500_with_size_and_limit(encoded: tuple[Emulator, bool], letter: str) -> None:
    function, is_utf8 = encoded
    process = process_of(function)
    query = urlencode({"letter": letter})

    def payload(count: int) -> dict[str, Any]:
        payload: dict[str, Any] = function.invoke(compose(Request(path=f"/long/{count}", query=query)))
        return payload

    letter_size = len(json.dumps(letter, ensure_ascii=not is_utf8).encode()) - len('""')
    frame_size = len(json.dumps({**payload((LIMIT - 1_000) // letter_size), "body": ""}))
    count = (LIMIT - frame_size) // letter_size
    allowed, refused = payload(count), payload(count + 1)

    assert (allowed["statusCode"], allowed["body"]) == (200, letter * count)
    size = str(frame_size + (count + 1) * letter_size)
    assert refused["statusCode"] == 500
    assert size in refused["body"]
    assert str(LIMIT) in refused["body"]
    assert any(size in line and str(LIMIT) in line for line in function.log.splitlines() if "/long/" in line)
    assert process_of(function) == process
