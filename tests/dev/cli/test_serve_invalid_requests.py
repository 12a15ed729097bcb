"""Requests that the server itself refuses, with the reason in the log."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., ServeProcess]

_HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "WebSocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def exchange(server: ServeProcess, request: bytes) -> bytes:
    """Send *request* unchanged, and return the whole response."""
    url = urlsplit(server.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(("app", "options"), [(ASGI, []), (WSGI, []), (WSGI, ["--plain"])])
def test_a_websocket_is_refused_with_the_reason_and_the_remedy(serve: Serve, app: str, options: list[str]) -> None:
    server = serve(app, "--no-reload", *options)
    answer = server.client.get("/chat", headers=_HANDSHAKE)
    assert answer.status_code == 403
    assert "API Gateway's WebSocket APIs are a separate product" in answer.text
    assert "--source websocket" in answer.text
    assert "--plain" in answer.text
    server.wait_for_stderr(
        "^WARNING bridge: GET /chat was answered 403: a WebSocket does not reach an HTTP application"
    )
    assert "upgrade" not in server.stderr.lower()
    assert "pip install" not in server.stderr
    assert server.client.get("/tea").status_code == 200


def test_another_upgrade_is_ignored(serve: Serve) -> None:
    server = serve(ASGI, "--no-reload")
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAAP__"}
    assert server.client.get("/tea", headers=headers).status_code == 200
    assert "WARNING" not in server.stderr


def test_invalid_http_is_answered_400_and_logged_in_one_line_with_the_reason(serve: Serve) -> None:
    server = serve(ASGI, "--no-reload")
    for request, reason in (
        (b"GET /tea HTTP/1.1\r\nhost: x\r\nx-large: " + b"x" * 1_100_000, "Receive buffer too long"),
        (b"tea\r\n\r\n", "illegal request line: bytearray(b'tea')"),
    ):
        assert exchange(server, request).startswith(b"HTTP/1.1 400 ")
        line = server.wait_for_stderr(
            r"^WARNING .*: A client's request was answered 400: it is not valid HTTP \((.*)\)\.$"
        )
        assert line[1] == reason
    assert server.client.get("/tea").status_code == 200


@pytest.mark.skipif(not any(map(find_spec, ("websockets", "wsproto"))), reason="uvicorn needs a library for WebSockets")
def test_plain_serves_websockets(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "async def app(scope, receive, send):\n    assert scope['type'] == 'websocket'\n    await receive()\n"
        "    await send({'type': 'websocket.accept'})\n    await send({'type': 'websocket.close'})\n"
    )
    server = serve("app:app", "--no-reload", "--plain")
    headers = "".join(f"{name}: {value}\r\n" for name, value in _HANDSHAKE.items())
    url = urlsplit(server.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as connection:
        connection.sendall(f"GET /chat HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"\x88\x80\0\0\0\0")  # a close frame, without which the server waits for ten seconds


def raw_exchange(server: ServeProcess, request: bytes) -> None:
    """Send *request* unchanged, and close the connection without waiting for a response."""
    url = urlsplit(server.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as connection:
        connection.sendall(request)


@pytest.mark.parametrize("options", [[], ["--no-debugger"], ["--plain"], ["--plain", "--no-debugger"]])
@pytest.mark.parametrize("app", [WSGI, ASGI])
def test_a_path_cannot_write_lines_or_escape_codes_into_the_log(serve: Serve, app: str, options: list[str]) -> None:
    server = serve(app, "--no-reload", *options)
    for path in ("/%0AINJECTED%1B[31m/error", "/%0AINJECTED%1B[31m"):
        server.client.get(path)
        server.client.get(path, headers=_HANDSHAKE)
    server.press_ctrl_c()
    server.wait()
    assert "INJECTED" in server.stderr + server.stdout
    for output in (server.stderr, server.stdout):
        assert "\nINJECTED" not in output
        assert "\x1b" not in output


@pytest.mark.parametrize(("app", "options"), [(WSGI, ["--plain"]), (ASGI, ["--plain"]), (ASGI, [])])
def test_a_connect_request_is_refused_without_a_traceback(serve: Serve, app: str, options: list[str]) -> None:
    server = serve(app, "--no-reload", *options)
    answer = exchange(server, b"CONNECT shop.example:443 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert server.client.get("/tea").status_code == 200
    server.press_ctrl_c()
    assert server.wait() == 0
    assert "Traceback" not in server.stderr


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /tea HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /tea HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nab",
    ],
    ids=["chunk", "incomplete"],
)
def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_no_traceback(serve: Serve, request_: bytes) -> None:
    server = serve(WSGI, "--plain", "--no-reload")
    raw_exchange(server, request_)
    assert server.client.get("/tea").status_code == 200
    server.press_ctrl_c()
    assert server.wait() == 0
    assert "Traceback" not in server.stderr


@pytest.mark.parametrize(("options", "is_warned"), [([], True), (["--no-debugger"], False)])
def test_a_host_that_others_can_reach_is_served_with_a_warning_about_the_debugger(
    serve: Serve, options: list[str], is_warned: bool
) -> None:
    server = serve(ASGI, "--no-reload", "--host", "0.0.0.0", *options)
    assert ("sees the tracebacks" in server.stderr) is is_warned
    assert ("--no-debugger" in server.stderr) is is_warned
