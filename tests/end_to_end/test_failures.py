"""Functions that fail: what the client gets, what the log says, and that the next invocation is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from bridge.dev.gateway import Request, compose
from tests.end_to_end.emulator import InvocationError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

LIMIT = 6_291_556  # bytes of JSON, by the emulator's own words
ENTRYPOINT = "bridge.entrypoint.handler"

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
# Fails once; what is left behind tells the next process.
FAILS_ONCE = """
from pathlib import Path

mark = Path(__file__).with_name("mark")
if not mark.exists():
    mark.touch()
    raise {error}
"""


def process_of(function: Emulator) -> int:
    return int(json.loads(function.ask(Request(path="/echo")).body)["process"])


@pytest.mark.parametrize("folder", ["wsgi", "asgi"])
def test_an_application_that_exits_ends_its_process_and_the_next_request_gets_a_new_one(
    start: Start, folder: str
) -> None:
    function = start(folder, "app.handler")
    before = process_of(function)

    with pytest.raises(InvocationError, match="ended"):
        function.ask(Request(path="/exit"))

    assert "Process runtime-1 exited: exit status 3" in function.log
    assert process_of(function) != before


def test_the_lifespan_is_shut_down_when_the_application_exits(start: Start) -> None:
    function = start("asgi", "app.handler")

    with pytest.raises(InvocationError):
        function.ask(Request(path="/exit"))

    assert "lifespan: shut down" in function.log


def test_an_import_that_fails_fails_the_init_with_its_traceback(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import a_package_that_is_not_there\n")
    function = start(tmp_path, ENTRYPOINT, variables={"BRIDGE_APP": "app:app"})

    with pytest.raises(InvocationError):
        function.ask(Request())

    assert f'File "{tmp_path}/app.py", line 1, in <module>\n    import a_package_that_is_not_there' in function.log
    assert "ModuleNotFoundError: No module named 'a_package_that_is_not_there'" in function.log
    assert "Runtime.ImportModuleError" in function.log


@pytest.mark.parametrize(
    "error",
    ["ImportError('not yet')", "RuntimeError('not yet')", "SyntaxError('not yet')", "SystemExit('not yet')"],
)
def test_after_a_failed_init_the_next_invocation_tries_again(start: Start, tmp_path: Path, error: str) -> None:
    (tmp_path / "app.py").write_text(FAILS_ONCE.format(error=error) + HELLO)
    function = start(tmp_path, ENTRYPOINT, variables={"BRIDGE_APP": "app:app"})

    with pytest.raises(InvocationError):
        function.ask(Request())
    assert f'File "{tmp_path}/app.py", line 7, in <module>' in function.log
    assert "not yet" in function.log

    assert function.ask(Request()).body == b"hello"


def test_after_a_lifespan_that_does_not_start_the_next_invocation_tries_again(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        """
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app):
    mark = Path("mark")
    if not mark.exists():
        mark.touch()
        raise RuntimeError("the database is away")
    yield


app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))], lifespan=lifespan)
"""
    )
    function = start(tmp_path, ENTRYPOINT, variables={"BRIDGE_APP": "app:app"})

    with pytest.raises(InvocationError):
        function.ask(Request())
    assert "LifespanError: The application's lifespan failed to start up: Traceback" in function.log
    assert "RuntimeError: the database is away" in function.log

    assert function.ask(Request()).body == b"hello"


def test_without_a_name_the_log_says_how_to_name_the_application(start: Start, tmp_path: Path) -> None:
    function = start(tmp_path, ENTRYPOINT)

    with pytest.raises(InvocationError):
        function.ask(Request())

    assert "Set the function's environment variable BRIDGE_APP to module:attribute" in function.log
    assert ".serverless-wsgi" in function.log
    assert str(tmp_path) in function.log


@pytest.fixture(scope="module", params=["AWS_Lambda_python3.11", "AWS_Lambda_python3.12", ""])
def runtime(request: pytest.FixtureRequest, start_for_module: Start) -> tuple[Emulator, bool]:
    """A function, and whether AWS's client writes UTF-8 there, as since Python 3.12, or ASCII."""
    managed_runtime = request.param
    function = start_for_module("wsgi", "app.handler", variables={"AWS_EXECUTION_ENV": managed_runtime})
    return function, managed_runtime == "AWS_Lambda_python3.12"


@pytest.mark.parametrize("letter", ["x", "é", "😀", '"', "\x01", "\u2028"])
def test_a_response_passes_up_to_the_limit_and_above_it_is_a_500_with_both_numbers(
    runtime: tuple[Emulator, bool], letter: str
) -> None:
    function, is_utf8 = runtime
    process = process_of(function)
    query = urlencode({"letter": letter})

    def payload(count: int) -> dict[str, Any]:
        made: dict[str, Any] = function.invoke(compose(Request(path=f"/long/{count}", query=query)))
        return made

    each = len(json.dumps(letter, ensure_ascii=not is_utf8).encode()) - len('""')
    most = (LIMIT - 1_000) // each
    around = len(json.dumps({**payload(most), "body": ""}))
    most = (LIMIT - around) // each
    fits, exceeds = payload(most), payload(most + 1)

    assert (fits["statusCode"], fits["body"]) == (200, letter * most)
    size = around + (most + 1) * each
    assert exceeds["statusCode"] == 500
    assert exceeds["body"] == f"The response is too large: {size} bytes of JSON; at most {LIMIT} pass here."
    assert f"/long/{most + 1} is {size} bytes of JSON; http-api takes at most {LIMIT}" in function.log
    assert process_of(function) == process
