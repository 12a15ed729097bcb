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
    assert "`bridge serve --plain`" in answer.text
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
    answer = exchange(server, f"GET /chat HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 101 ")
