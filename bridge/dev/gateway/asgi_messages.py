"""An ASGI server's messages as a Request, and an Answer as messages."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge.asgi.cycle import texts_of
from bridge.dev.gateway.events import outgoing
from bridge.dev.gateway.models import Request

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Answer

# More of a body than any front door takes is counted, not kept.
_KEEP = 16 * 1024 * 1024


async def request_of(scope: Any, receive: Any) -> Request | None:
    """The whole request; None if the client went away before it was here."""
    chunks: list[bytes] = []
    sent = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        if sent < _KEEP:
            chunks.append(chunk)
        sent += len(chunk)
        if not message.get("more_body"):
            break
    raw_path = scope.get("raw_path") or quote(scope["path"], safe="/:@!$&'()*+,;=~").encode()
    if not raw_path.startswith(b"/"):  # RFC 9112, 3.2.2: a whole URL, as for a proxy
        raw_path = b"/" + raw_path.partition(b"://")[2].partition(b"/")[2]
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=raw_path.partition(b"?")[0].decode("latin-1"),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=texts_of(scope["headers"]),
        body=b"".join(chunks),
        client=client[0] if client else "127.0.0.1",
        scheme=scope.get("scheme", "http"),
        http_version=scope.get("http_version", "1.1"),
        sent=sent,
    )


async def send_answer(answer: Answer, request: Request, send: Any) -> None:
    """Send *answer* to the client of *request*."""
    headers, has_body = head_of(answer, request)
    body = answer.body if has_body else b""
    if has_body or (request.method == "HEAD" and answer.length is None and answer.status not in (204, 304)):
        headers.append((b"content-length", b"%d" % len(answer.body)))  # without one a server would announce chunks
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def head_of(answer: Answer, request: Request) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The headers of *answer* without the length of its body, and whether it has one."""
    headers, _ = outgoing(answer, request.method)
    if b"date" not in [name for name, _ in headers]:
        headers.append((b"date", _date(int(time.time()))))
    return headers, answer.status not in (204, 304) and request.method != "HEAD"


@lru_cache(1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
