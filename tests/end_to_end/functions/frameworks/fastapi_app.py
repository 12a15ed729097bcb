"""The routes of the applications in this folder in FastAPI, and a database pool in the lifespan."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Pool:
    """A pool of two database connections that work only on the event loop that created them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for number in range(2):
            self._free.put_nowait(number)
        print("pool: opened")

    async def query(self) -> str:
        assert asyncio.get_running_loop() is self._loop
        connection = await self._free.get()
        try:
            await asyncio.sleep(0)
            return "answered"
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        await asyncio.sleep(0.05)
        print("pool: closed")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Pool]]:
    pool = Pool()
    yield {"pool": pool}
    await pool.close()


app = FastAPI(lifespan=lifespan)


@app.get("/about")
async def about() -> dict[str, Any]:
    current = bridge.current_request()
    assert current is not None
    logging.getLogger("about").warning("about: called")
    return {"process": os.getpid(), "request_id": current.request_id}


@app.get("/text")
def text() -> PlainTextResponse:
    return PlainTextResponse("Grüße")


@app.post("/reverse")
async def reverse(request: Request) -> Response:
    return Response((await request.body())[::-1], media_type="application/octet-stream")


@app.get("/cookies")
async def cookies(response: Response) -> str:
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return "set"


@app.get("/redirect")
async def redirect_to_text() -> RedirectResponse:
    return RedirectResponse("/text", 303)


@app.get("/nothing", status_code=204)
async def nothing() -> None:
    pass


@app.get("/unchanged")
async def unchanged() -> Response:
    return Response(status_code=304, headers={"ETag": '"1"'})


@app.get("/empty")
async def empty() -> Response:
    return Response()


@app.get("/stream")
async def stream(last: str) -> StreamingResponse:
    def parts() -> Iterator[str]:
        for word in ("one", "two", last):
            yield f"{word}\n"

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/events")
async def events() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type="text/event-stream")


@app.get("/file")
async def file() -> FileResponse:
    return FileResponse(__file__, media_type="text/x-python")


@app.get("/early")
async def early() -> None:
    raise RuntimeError("failed early")


@app.get("/middle")
async def middle() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield "one\n"
        raise RuntimeError("failed in the middle")

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/pool")
async def pool(request: Request) -> str:
    return await request.state.pool.query()  # type: ignore[no-any-return]


async def _record(what: str, gate: str) -> None:
    while gate and not Path(gate).exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    print(f"recorded: {what}")


@app.get("/background")
async def background(what: str, tasks: BackgroundTasks, gate: str = "") -> str:
    tasks.add_task(_record, what, gate)
    print(f"answered: {what}")
    return "answered"
