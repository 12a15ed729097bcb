"""Routes of the FastAPI applications of the tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import probe
from fastapi.responses import StreamingResponse
from shared import PARTIES, TIMEOUT, about, log, logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

_barrier = asyncio.Barrier(PARTIES)


def add_to(app: FastAPI) -> None:
    @app.get("/tea/{name}")
    async def tea(name: str) -> Any:
        with probe.span("brew", name):
            await asyncio.sleep(0)
            logger.warning("brewing %s", name)
        return about(name)

    @app.get("/plain/{name}")
    async def plain(name: str) -> Any:
        log(name)
        return about(name)

    @app.get("/broken/{name}")
    async def broken(name: str) -> Any:
        about(name)
        raise RuntimeError(f"no {name}")

    @app.get("/stream/{name}")
    async def stream(name: str) -> StreamingResponse:
        about(name)

        async def parts() -> AsyncIterator[str]:
            for number in range(3):
                with probe.span("pour", name):
                    await asyncio.sleep(0)
                    yield f"{name} {number}\n"

        return StreamingResponse(parts(), media_type="text/plain")

    @app.get("/together/{name}")
    async def together(name: str) -> Any:
        await asyncio.wait_for(_barrier.wait(), TIMEOUT)
        with probe.span("brew", name):
            logger.warning("brewing %s", name)
            await asyncio.wait_for(_barrier.wait(), TIMEOUT)
        return about(name)
