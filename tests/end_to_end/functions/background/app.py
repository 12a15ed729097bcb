"""An application whose requests leave tasks behind that never end: one of its own, and sse-starlette's watcher."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

tasks: list[asyncio.Task[None]] = []


async def forever() -> None:
    print(f"forever: started in process {os.getpid()}.", flush=True)
    await asyncio.Event().wait()


async def leave(request: Request) -> PlainTextResponse:
    tasks.append(asyncio.create_task(forever()))
    return PlainTextResponse(f"{len(tasks)}")


async def events(request: Request) -> EventSourceResponse:
    async def numbers() -> AsyncIterator[int]:
        for number in range(2):
            yield number

    return EventSourceResponse(numbers())


app = Starlette(routes=[Route("/leave", leave), Route("/events", events)])
handler = bridge.asgi_handler(app)
