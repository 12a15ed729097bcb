"""A request that the server gives up when it ends."""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.dev.gateway import Gateway

SCOPE = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}


async def test_a_request_that_the_server_gives_up_gets_the_front_doors_own_answer() -> None:
    was_cancelled = False
    sent: list[Any] = []

    async def handler(event: Any, context: Any) -> None:
        nonlocal was_cancelled
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = asyncio.create_task(Gateway(handler, detach=False)(SCOPE, receive, send))
    await asyncio.sleep(0.01)
    asked.cancel()
    await asked
    await asyncio.sleep(0)
    assert was_cancelled
    assert sent[0]["status"] == 503
