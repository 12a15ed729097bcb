"""Ways in which an ASGI application gets stuck.

The module is quick to import, since in the emulator the import counts for the deadline of the first invocation.
"""

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
        tasks.create_task(in_await(request))
    return JSONResponse(None)


ENDPOINTS = (process, in_await, in_sleep, in_a_loop, in_a_thread, in_a_task)

app = Starlette(routes=[Route(f"/{endpoint.__name__}", endpoint) for endpoint in ENDPOINTS])
handler = bridge.asgi_handler(app)
