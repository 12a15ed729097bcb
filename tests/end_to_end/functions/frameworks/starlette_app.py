"""The routes of the applications in this folder in Starlette."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def about(request: Request) -> Response:
    current = bridge.current_request()
    assert current is not None
    logging.getLogger("about").warning("about: called")
    return JSONResponse({"process": os.getpid(), "request_id": current.request_id})


async def text(request: Request) -> Response:
    return PlainTextResponse("Grüße")


async def reverse(request: Request) -> Response:
    return Response((await request.body())[::-1], media_type="application/octet-stream")


async def cookies(request: Request) -> Response:
    response = PlainTextResponse("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


async def redirect_to_text(request: Request) -> Response:
    return RedirectResponse("/text", 303)


async def nothing(request: Request) -> Response:
    return Response(status_code=204)


async def unchanged(request: Request) -> Response:
    return Response(status_code=304, headers={"ETag": '"1"'})


async def empty(request: Request) -> Response:
    return Response()


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        for word in ("one", "two", request.query_params["last"]):
            yield f"{word}\n"
            await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type="text/plain")


async def events(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(parts(), media_type="text/event-stream")


async def file(request: Request) -> Response:
    return FileResponse(__file__, media_type="text/x-python")


async def early(request: Request) -> Response:
    raise RuntimeError("failed early")


async def middle(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "one\n"
        raise RuntimeError("failed in the middle")

    return StreamingResponse(parts(), media_type="text/plain")


async def _record(what: str) -> None:
    await asyncio.sleep(0.1)
    print(f"recorded: {what}")


async def background(request: Request) -> Response:
    what = request.query_params["what"]
    print(f"answered: {what}")
    return PlainTextResponse("answered", background=BackgroundTask(_record, what))


ENDPOINTS = (about, text, cookies, nothing, unchanged, empty, stream, events, file, early, middle, background)

app = Starlette(
    routes=[
        Route("/redirect", redirect_to_text),
        Route("/reverse", reverse, methods=["POST"]),
        *(Route(f"/{endpoint.__name__}", endpoint) for endpoint in ENDPOINTS),
    ]
)
