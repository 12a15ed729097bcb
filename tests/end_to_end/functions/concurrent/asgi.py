"""An ASGI application whose requests wait for each other at a barrier."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

PARTIES = int(os.environ["PARTIES"])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, asyncio.Barrier]]:
    print("lifespan: started up")
    yield {"barrier": asyncio.Barrier(PARTIES)}
    print("lifespan: shut down")


async def barrier(request: Request) -> Response:
    before = bridge.current_request()
    await request.state.barrier.wait()
    current = bridge.current_request()
    assert before is current is not None
    logging.getLogger("barrier").warning("passed by %s", request.query_params["name"])
    details = {"process": os.getpid(), "request_id": current.request_id, "trace": os.environ.get("_X_AMZN_TRACE_ID")}
    return JSONResponse(details)


async def text(request: Request) -> Response:
    return PlainTextResponse("Grüße")


async def middle(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "one\n"
        raise RuntimeError("failed in the middle")

    return StreamingResponse(parts(), media_type="text/plain")


async def truncated(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "one\n"
        await asyncio.sleep(0.1)
        os._exit(3)

    return StreamingResponse(parts(), media_type="text/plain")


async def large(request: Request) -> Response:
    return Response(b"x" * int(request.query_params["size"]), media_type="text/plain")


ENDPOINTS = (barrier, text, middle, truncated, large)

app = Starlette(routes=[Route(f"/{endpoint.__name__}", endpoint) for endpoint in ENDPOINTS], lifespan=lifespan)


async def handler(event: dict[str, str], context: object) -> dict[str, object]:
    global _barrier
    _barrier = _barrier or asyncio.Barrier(PARTIES)
    if event.get("do") == "fail":
        raise ValueError("failed on purpose")
    await _barrier.wait()
    return {"process": os.getpid(), "name": event["name"]}


_barrier: asyncio.Barrier | None = None
