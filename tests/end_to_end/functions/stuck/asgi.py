"""Ways in which an ASGI application gets stuck. Quick to import: under the emulator that counts for the deadline."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import bridge

if TYPE_CHECKING:
    from starlette.requests import Request


async def process(request: Request) -> JSONResponse:
    return JSONResponse(os.getpid())


async def in_await(request: Request) -> JSONResponse:
    await asyncio.sleep(60)
    return JSONResponse(None)


async def in_sleep(request: Request) -> JSONResponse:
    time.sleep(60)
    return JSONResponse(None)


async def in_a_loop(request: Request) -> JSONResponse:
    while True:
        pass


def in_a_thread(request: Request) -> JSONResponse:
    time.sleep(60)
    return JSONResponse(None)


async def in_a_task(request: Request) -> JSONResponse:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(in_sleep(request))
    return JSONResponse(None)


async def in_a_callback(request: Request) -> JSONResponse:
    asyncio.get_running_loop().call_soon(time.sleep, 60)
    return await in_await(request)


ENDPOINTS = (process, in_await, in_sleep, in_a_loop, in_a_thread, in_a_task, in_a_callback)

app = Starlette(routes=[Route(f"/{endpoint.__name__}", endpoint) for endpoint in ENDPOINTS])
handler = bridge.asgi_handler(app)
