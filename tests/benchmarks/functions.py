"""The handlers under the measurement of the runtime."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import bridge
from tests.benchmarks.applications import asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

wsgi = bridge.wsgi_handler(wsgi_app)
asgi = bridge.asgi_handler(asgi_app)


def plain(event: Any, context: Any) -> Any:
    """The same answer without an application."""
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}


async def _waiting_app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "http":
        await asyncio.sleep(0.1)  # a database, say
    await asgi_app(scope, receive, send)


waits = bridge.asgi_handler(_waiting_app)
