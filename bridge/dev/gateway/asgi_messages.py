"""Reading a request from ASGI messages, and sending an answer as ASGI messages."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge.dev.gateway.models import Request

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Answer

# More of a body than any front door accepts is counted and discarded.
_BODY_LIMIT = 16 * 1024 * 1024
_SCHEMES = {"http": "http", "ws": "http"}


async def read_request(scope: Any, receive: Any) -> Request | None:
    """Return the whole request; None if the client disconnects before it is complete."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        if size < _BODY_LIMIT:
            chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body"):
            break
    return request_of(scope, b"".join(chunks), size)


def request_of(scope: Any, body: bytes = b"", size: int = -1) -> Request:
    """Return the request of a scope of the type ``http`` or ``websocket``.

    Args:
        scope: the ASGI scope.
        body: the body, or its beginning.
        size: the number of bytes of the whole body.
    """
    raw_path = scope.get("raw_path") or quote(scope["path"], safe="/:@!$&'()*+,;=~").encode()
    if not raw_path.startswith(b"/"):  # RFC 9112, 3.2.2: an absolute URL, as for a proxy
        raw_path = b"/" + raw_path.partition(b"://")[2].partition(b"/")[2]
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=raw_path.partition(b"?")[0].decode("latin-1"),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        body=body,
        client=client[0] if client else "127.0.0.1",
        scheme=_SCHEMES.get(scope.get("scheme", "http"), "https"),
        http_version=scope.get("http_version", "1.1"),
        sent=size,
    )


async def send_answer(answer: Answer, request: Request, send: Any) -> None:
    """Send *answer* to the client of *request*."""
    await send_head(answer, request, send, len(answer.body))
    await send({"type": "http.response.body", "body": answer.body if answer.has_body(request.method) else b""})


async def send_head(answer: Answer, request: Request, send: Any, length: int | None) -> None:
    """Send status and headers.

    Args:
        answer: the answer.
        request: the request.
        send: the ASGI ``send``.
        length: the number of bytes of the body; None if it is not known yet.
    """
    headers = answer.encode_headers(request.method, length)
    if not answer.header("date"):
        headers.append((b"date", formatdate(usegmt=True).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
