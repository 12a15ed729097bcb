"""Loop, task and context of a request are the same before and after any suspension."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import sniffio

from tests.asgi.applications import Responding
from tests.helpers import get

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import MakeHandler

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

WAYS: dict[str, Callable[[], Awaitable[object]]] = {
    "for a round of the loop": lambda: asyncio.sleep(0),
    "for a timer": lambda: asyncio.sleep(0.001),
    "for a thread": lambda: asyncio.to_thread(lambda: None),
    "for a task": lambda: asyncio.create_task(asyncio.sleep(0)),
    "for a cancelled future": lambda: asyncio.wait([_cancelled()]),
    "for anyio": lambda: anyio.sleep(0),
}
BEFORE_RECEIVE, BEFORE_START, BEFORE_BODY, BEFORE_LAST, AFTER_LAST, NOWHERE = range(6)


def _cancelled() -> asyncio.Future[None]:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    return future


class Suspending:
    """An application that suspends at one point, and records loop, task and context at all points."""

    def __init__(self, point: int, way: Callable[[], Awaitable[object]]) -> None:
        self._point = point
        self._way = way
        self.records: list[tuple[object, ...]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert variable.get() == "unset"
        variable.set("set")
        await self._reach(BEFORE_RECEIVE)
        await receive()
        await self._reach(BEFORE_START)
        await send({"type": "http.response.start", "status": 200})
        await self._reach(BEFORE_BODY)
        await send({"type": "http.response.body", "body": b"fi", "more_body": True})
        await self._reach(BEFORE_LAST)
        await send({"type": "http.response.body", "body": b"ne"})
        await self._reach(AFTER_LAST)

    async def _reach(self, point: int) -> None:
        self._record()
        if point == self._point:
            await self._way()
            self._record()

    def _record(self) -> None:
        running = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert running.is_running()
        assert task in asyncio.all_tasks()
        assert sniffio.current_async_library() == "asyncio"
        self.records.append((running, task, variable.get()))


@pytest.mark.parametrize("point", range(6))
@pytest.mark.parametrize("way", WAYS)
def test_loop_task_and_context_stay_the_same(make_handler: MakeHandler, way: str, point: int) -> None:
    app = Suspending(point, WAYS[way])
    handler = make_handler(app, lifespan="off")
    for _ in range(2):
        app.records.clear()
        assert get(handler) == (200, b"fine")
        assert len(app.records) == (5 if point == NOWHERE else 6)
        assert len(set(app.records)) == 1
        assert app.records[0][2] == "set"
    assert variable.get() == "unset"


class TestBeforeTheFirstSuspension:
    def test_a_timeout_expires(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                return "in time"
            return "never"

        assert get(make_handler(Responding(work))) == (200, b"in time")

    def test_a_timeout_that_did_not_expire_does_not_affect_the_next_request(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            async with asyncio.timeout(0.001 if path == "/first" else 10):
                return await asyncio.sleep(0.01, "late") if path == "/second" else "at once"

        handler = make_handler(Responding(work))
        assert get(handler, "/first") == (200, b"at once")
        assert get(handler, "/second") == (200, b"late")

    def test_a_task_group_may_be_entered(self, make_handler: MakeHandler) -> None:
        async def fail() -> None:
            raise ValueError

        async def work(path: str) -> str:
            errors: list[BaseException] = []
            try:
                async with asyncio.TaskGroup() as group:
                    waiting = group.create_task(asyncio.sleep(10))
                    group.create_task(fail())
            except* ValueError as failed:
                errors.extend(failed.exceptions)
            return f"{waiting.cancelled()} {len(errors)}"

        assert get(make_handler(Responding(work))) == (200, b"True 1")

    def test_a_task_may_cancel_itself_and_recover(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return f"{task.uncancel()} left"
            return "not cancelled"

        assert get(make_handler(Responding(work))) == (200, b"0 left")
