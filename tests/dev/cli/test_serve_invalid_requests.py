"""What the server itself refuses, with the reason in the log."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Served]

_HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "WebSocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def raw(served: Served, request: bytes) -> bytes:
    """Send *request* as it is; the whole answer."""
    url = urlsplit(served.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(("app", "options"), [(ASGI, []), (WSGI, []), (WSGI, ["--plain"])])
def test_a_websocket_is_refused_with_one_line_that_says_where_they_live(
    serve: Serve, app: str, options: list[str]
) -> None:
    served = serve(app, "--no-reload", *options)
    answer = served.client.get("/chat", headers=_HANDSHAKE)
    assert answer.status_code == 403
    assert "API Gateway's WebSocket APIs are another product" in answer.text
    assert "bridge serve --plain" in answer.text
    served.said("^WARNING bridge: GET /chat was answered 403: no WebSocket reaches an HTTP application on Lambda")
    assert "upgrade" not in served.err.lower()
    assert "pip install" not in served.err
    assert served.client.get("/tea").status_code == 200


def test_another_upgrade_is_not_taken_and_the_request_answered(serve: Serve) -> None:
    served = serve(ASGI, "--no-reload")
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAAP__"}
    assert served.client.get("/tea", headers=headers).status_code == 200
    assert "WARNING" not in served.err


def test_what_is_no_http_is_a_400_and_one_line_with_the_reason(serve: Serve) -> None:
    served = serve(ASGI, "--no-reload")
    for request, reason in (
        (b"GET /tea HTTP/1.1\r\nhost: x\r\nx-large: " + b"x" * 1_100_000, "Receive buffer too long"),
        (b"tea\r\n\r\n", "illegal request line: bytearray(b'tea')"),
    ):
        assert raw(served, request).startswith(b"HTTP/1.1 400 ")
        line = served.said(r"^WARNING .*: A client's request was answered 400: it is no HTTP \((.*)\)\.$")
        assert line[1] == reason
    assert served.client.get("/tea").status_code == 200


@pytest.mark.skipif(not any(map(find_spec, ("websockets", "wsproto"))), reason="uvicorn needs a library for WebSockets")
def test_plain_serves_the_websockets_of_an_asgi_application(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "async def app(scope, receive, send):\n    assert scope['type'] == 'websocket'\n    await receive()\n"
        "    await send({'type': 'websocket.accept'})\n    await send({'type': 'websocket.close'})\n"
    )
    served = serve("app:app", "--no-reload", "--plain")
    headers = "".join(f"{name}: {value}\r\n" for name, value in _HANDSHAKE.items())
    answer = raw(served, f"GET /chat HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 101 ")
