"""The Lambda functions that the runtime benchmark invokes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import bridge
from benchmarks.applications import asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

wsgi = bridge.wsgi_handler(wsgi_app)
asgi = bridge.asgi_handler(asgi_app)


def plain(event: Any, context: Any) -> Any:
    """Answer as the applications do, without one."""
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}


async def _waiting_app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "http":
        await asyncio.sleep(0.1)  # such as for a database
    await asgi_app(scope, receive, send)


waits = bridge.asgi_handler(_waiting_app)


async def ticks(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send the current time as server-sent events, twenty times, 20 ms apart."""
    if scope["type"] != "http":
        raise NotImplementedError
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for _ in range(20):
        await send({"type": "http.response.body", "body": b"data: %r\n\n" % time.time(), "more_body": True})
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body"})
