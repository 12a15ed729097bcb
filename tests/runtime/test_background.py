"""Tasks that never end hold the runtime for the time of an option, and not while the process ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route

from tests.runtime.service import TIMEOUT, Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    Run = Callable[..., Any]

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


async def forever() -> None:
    await asyncio.Event().wait()


class Leaving:
    """An application whose requests leave a task behind that never ends."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.tasks.append(asyncio.create_task(forever()))
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"fine"})


@BOTH
async def test_the_next_invocation_is_answered_although_a_task_never_ends(
    running: Run, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = Leaving()
    async with running(app, stream=stream, background_seconds=0.05, lifespan="off") as service:
        for _ in range(3):
            assert b"fine" in await service.request("/page", "function-url").body()
        assert not any(task.done() for task in app.tasks)
    assert "Background tasks of GET /page are still running after 0.1 s: forever. Lambda" in caplog.text


@BOTH
async def test_a_runtime_that_is_stopped_does_not_wait_for_tasks(running: Run, stream: bool) -> None:
    async with running(Leaving(), stream=stream, background_seconds=10 * TIMEOUT, lifespan="off") as service:
        assert b"fine" in await service.request("/", "function-url").body()
        await asyncio.sleep(0.02)
        service.runtime.stop()
        assert await service.exit_status() == 0


async def test_a_task_is_waited_for_as_long_as_it_runs(running: Run) -> None:
    gate, done = Gate(), []

    async def work() -> None:
        await gate.wait()
        done.append(True)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/first":
            scope["keep"] = asyncio.create_task(work())
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"first" if not done else b"after"})

    async with running(app, background_seconds=TIMEOUT, lifespan="off") as service:
        assert (await service.request("/first").payload())["body"] == "first"
        second = service.request("/second")
        await asyncio.sleep(0.02)
        gate.open()
        assert (await second.payload())["body"] == "after"


@BOTH
async def test_the_watcher_of_sse_starlette_does_not_hold_the_runtime(
    running: Run, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(2):
            yield number

    async def events(request: Request) -> EventSourceResponse:
        return EventSourceResponse(numbers())

    app = Starlette(routes=[Route("/", events)])
    async with running(app, stream=stream, background_seconds=0.05) as service:
        for _ in range(3):
            assert b"data: 1" in await service.request("/", "function-url").body()
    assert [message for message in caplog.messages if "_shutdown_watcher" in message] == caplog.messages[:1]
