"""The routes of the applications in this folder in Quart."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from quart import Quart, Response, make_response, redirect, request, send_file, stream_with_context

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

app = Quart(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True  # lets the bridge handle exceptions


@app.get("/about")
async def about() -> dict[str, Any]:
    current = bridge.current_request()
    assert current is not None
    logging.getLogger("about").warning("about: called")
    return {"process": os.getpid(), "request_id": current.request_id}


@app.get("/text")
async def text() -> str:
    return "Grüße"


@app.post("/reverse")
async def reverse() -> Any:
    return Response((await request.get_data(as_text=False))[::-1], mimetype="application/octet-stream")


@app.get("/cookies")
async def cookies() -> Any:
    response = await make_response("set")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


@app.get("/redirect")
async def redirect_to_text() -> Any:
    return redirect("/text", 303)


@app.get("/nothing")
async def nothing() -> tuple[str, int]:
    return "", 204


@app.get("/unchanged")
async def unchanged() -> tuple[str, int, dict[str, str]]:
    return "", 304, {"ETag": '"1"'}


@app.get("/empty")
async def empty() -> str:
    return ""


@app.get("/stream")
async def stream() -> Response:
    @stream_with_context
    async def parts() -> AsyncIterator[bytes]:
        for word in ("one", "two", request.args["last"]):
            yield f"{word}\n".encode()

    return Response(parts(), mimetype="text/plain")


@app.get("/events")
async def events() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"data: {number}\n\n".encode()

    return Response(parts(), mimetype="text/event-stream")


@app.get("/file")
async def file() -> Any:
    return await send_file(__file__, mimetype="text/x-python")


@app.get("/early")
async def early() -> str:
    raise RuntimeError("failed early")


@app.get("/middle")
async def middle() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one\n"
        raise RuntimeError("failed in the middle")

    return Response(parts(), mimetype="text/plain")


async def _record(what: str) -> None:
    await asyncio.sleep(0.1)
    print(f"recorded: {what}")


@app.get("/background")
async def background() -> str:
    what = request.args["what"]
    app.add_background_task(_record, what)
    print(f"answered: {what}")
    return "answered"
