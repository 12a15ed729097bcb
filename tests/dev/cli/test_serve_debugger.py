"""The debugger of ``bridge serve``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bridge.dev.cli.server.debugger import TracebackMiddleware
from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess
from tests.examples.applications import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    Serve = Callable[..., ServeProcess]


@pytest.mark.parametrize("options", [["--source", "alb"], ["--plain"]], ids=" ".join)
def test_wsgi_has_the_console_of_werkzeug(serve: Serve, options: list[str]) -> None:
    server = serve(WSGI, "--no-reload", *options)
    page = server.client.get("/error")
    assert page.status_code == 500
    assert "This error is on purpose: &lt;b&gt;" in page.text
    style = re.search(r'href="(\?__debugger__=yes&amp;cmd=resource&amp;f=style.css)"', page.text)
    assert style is not None
    assert server.client.get("/error" + style[1].replace("&amp;", "&")).headers["content-type"].startswith("text/css")
    secret = re.search(r'SECRET = "(\w+)"', page.text)
    frame = re.findall(r'id="frame-(\d+)"', page.text)[-1]
    assert secret is not None
    parameters = {"__debugger__": "yes", "s": secret[1]}
    server.client.get("/error", params=parameters | {"cmd": "printpin"})
    pin = server.wait_for_stderr(r"Debugger pin code: ([\d-]+)")[1]
    assert server.client.get("/error", params=parameters | {"cmd": "pinauth", "pin": pin}).json()["auth"]
    result = server.client.get("/error", params=parameters | {"cmd": "path + '!'", "frm": frame})
    assert "/error!" in result.text


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["gateway", "plain"])
def test_asgi_has_a_page_with_the_applications_traceback(serve: Serve, options: list[str]) -> None:
    server = serve(ASGI, "--no-reload", *options)
    page = server.client.get("/error?cup=1")
    assert page.status_code == 500
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>RuntimeError: This error is on purpose: &lt;b&gt;</h1>" in page.text
    assert "tests/dev/cli/applications.py" in page.text
    assert "bridge/dev/cli" not in page.text
    server.wait_for_stdout(r"^GET /error\?cup=1 500 ")
    assert server.stderr.count("RuntimeError: This error is on purpose: <b>") == 1
    server.wait_for_stderr("ERROR bridge: The application failed at GET /error")


@pytest.mark.parametrize(
    ("framework", "page"),
    [("Flask", "<title>ZeroDivisionError: division by zero"), ("Quart", "ZeroDivisionError")],
)
def test_the_application_in_a_handler_that_is_found_in_the_code_has_the_debugger(
    serve: Serve, tmp_path: Path, framework: str, page: str
) -> None:
    (tmp_path / "app.py").write_text(
        f"import bridge\nfrom {framework.lower()} import {framework}\napp = {framework}(__name__)\n"
        "@app.get('/')\ndef index():\n    return str(1 / 0)\nhandler = bridge.handler(app, request_id_header='x-id')\n"
    )
    server = serve()
    server.wait_for_stderr(r"^Found app:handler: handler of the bridge in app\.py, line 7\.$")
    assert page in server.client.get("/", headers={"accept": "text/html"}).text
    server.wait_for_stderr("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("app", [WSGI, ASGI], ids=["wsgi", "asgi"])
def test_plain_without_the_debugger_is_a_plain_500(serve: Serve, app: str) -> None:
    server = serve(app, "--plain", "--no-reload", "--no-debugger")
    page = server.client.get("/error")
    assert (page.status_code, page.text) == (500, "Internal Server Error")
    server.wait_for_stderr("RuntimeError: This error is on purpose")
    server.wait_for_stdout("^GET /error 500 ")


@pytest.mark.parametrize(("framework", "heading"), [("fastapi", "Traceback"), ("flask", "Werkzeug Debugger")])
def test_exceptions_of_frameworks_are_shown(serve: Serve, framework: str, heading: str) -> None:
    server = serve(f"{EXAMPLES / framework / 'app.py'}:app", "--no-reload")
    page = server.client.get("/error", headers={"accept": "text/html"})
    assert page.status_code == 500
    assert "This error is on purpose" in page.text
    assert heading in page.text


class Client:
    """Sends one request to an ASGI application behind the middleware."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        return {"type": "http.request", "body": b""}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def get(self, app: Any, *, streams: bool = False) -> list[Any]:
        page = TracebackMiddleware(app, streams=streams)
        await page({"type": "http", "method": "GET", "path": "/é"}, self.receive, self.send)
        return self.sent


def start(status: int, content_type: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]}


async def test_a_frameworks_html_page_is_kept_and_its_plain_500_replaced() -> None:
    for content_type, expected in ((b"text/html; charset=utf-8", b"its own"), (b"text/plain", b"RuntimeError: tea")):

        async def app(scope: Any, receive: Any, send: Any, content_type: bytes = content_type) -> None:
            await send(start(500, content_type))
            await send({"type": "http.response.body", "body": b"its own"})
            raise RuntimeError("tea")

        sent = await Client().get(app)
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert expected in sent[1]["body"]


async def test_a_500_without_an_exception_is_kept() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(500, b"text/plain"))
        await send({"type": "http.response.body", "body": b"sorry", "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})

    assert [message.get("body") for message in await Client().get(app)] == [None, b"sorry", b"!"]


async def test_an_exception_during_a_streamed_response_reaches_the_server() -> None:
    client = Client()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(200, b"text/plain"))
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        await client.get(app, streams=True)
    assert [message["type"] for message in client.sent] == ["http.response.start"]


async def test_an_exception_after_the_response_reaches_the_server() -> None:
    client = Client()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(200, b"text/plain"))
        await send({"type": "http.response.body", "body": b"tea"})
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        await client.get(app)
    assert client.sent[1]["body"] == b"tea"


async def test_a_500_is_sent_when_the_application_waits_for_the_disconnect() -> None:
    client = Client()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(500, b"text/plain"))
        await send({"type": "http.response.body", "body": b"sorry"})
        assert not client.sent
        await receive()
        assert client.sent

    assert [message.get("body") for message in await client.get(app)] == [None, b"sorry"]


INCOMPLETE = """
def wsgi_app(environ, start):
    start("200 OK", [("Content-Type", "text/html"), ("Content-Length", "6")])
    if environ["PATH_INFO"] == "/at-once":
        raise RuntimeError("no tea")
    yield b"tea"
    raise RuntimeError("no tea")

async def asgi_app(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/html"), (b"content-length", b"6")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] != "/at-once":
        await send({"type": "http.response.body", "body": b"tea", "more_body": True})
    raise RuntimeError("no tea")
"""


@pytest.mark.parametrize("app", ["wsgi_app", "asgi_app"])
def test_an_incomplete_response_is_replaced_by_the_traceback(serve: Serve, tmp_path: Path, app: str) -> None:
    (tmp_path / "incomplete.py").write_text(INCOMPLETE)
    server = serve(f"incomplete:{app}", "--no-reload")
    for path in ("/", "/at-once"):
        page = server.client.get(path)
        assert page.status_code == 500
        assert "RuntimeError: no tea" in page.text
