"""An ASGI application with two handlers."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response

import bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from multiprocessing.connection import Connection

start_count = 0
request_count = 0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    global start_count
    start_count += 1
    print("lifespan: started up", flush=True)
    yield {"message": "from the lifespan"}
    await asyncio.sleep(0)
    print("lifespan: shut down", flush=True)


app = FastAPI(lifespan=lifespan)


@app.api_route("/echo", methods=["GET", "POST"])
async def echo(request: Request) -> dict[str, object]:
    global request_count
    request_count += 1
    user = request.scope["bridge.scope"].user
    return {
        "process": os.getpid(),
        "requests": request_count,
        "starts": start_count,
        "state": request.state.message,
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "cookies": request.cookies,
        "body": (await request.body()).hex(),
        "client": request.client.host if request.client else None,
        "user": user or None,
        "request_id": request.scope["aws.context"].aws_request_id,
    }


@app.post("/reverse")
async def reverse(request: Request) -> Response:
    return Response((await request.body())[::-1], media_type="application/octet-stream")


@app.get("/cookies")
async def cookies(response: Response) -> str:
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return "set"


@app.get("/long/{size}")
async def long(size: int, letter: str = "x") -> Response:
    return Response(letter * size, media_type="text/plain")


@app.get("/tex")
async def tex() -> Response:
    return Response("\\TeX", media_type="application/x-tex")


@app.get("/fail")
async def fail() -> None:
    raise RuntimeError("failed on purpose")


@app.get("/exit")
async def exit_process() -> None:
    sys.exit(3)


def _run_child(started: Connection, seconds: int) -> None:
    started.send(True)
    time.sleep(seconds)


@app.get("/child")
async def child(end: str) -> int | None:
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_child, args=(sender, 60 if end == "is terminated" else 0))
    process.start()
    receiver.recv()
    if end == "is terminated":
        process.terminate()
    process.join()
    return process.exitcode


@app.get("/slow")
async def slow() -> str:
    print("slow: started", flush=True)
    await asyncio.sleep(1)
    return "done"


handler = bridge.asgi_handler(app)
detected_handler = bridge.handler(app)
