"""The ASGI application under the measurement, which also tells what its process has spent."""

from __future__ import annotations

from time import process_time_ns
from typing import TYPE_CHECKING

from benchmarks.applications import asgi_app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer ``/spent`` with the processor time of this process in nanoseconds, all threads; else as the others do."""
    if scope["type"] != "http" or scope["path"] != "/spent":
        await asgi_app(scope, receive, send)
        return
    body = b"%d" % process_time_ns()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
