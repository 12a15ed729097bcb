"""An application suspends where it likes or not at all: what asyncio promises is the same before and after.

Until it suspends for the first time no round of the loop has run for it (see ``Loop._start``).
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import sniffio

from tests.helpers import get
from tests.asgi.test_loop import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

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


class Application:
    """Suspends at one point, and notes around all points what it can know of where it runs."""

    def __init__(self, point: int, way: Callable[[], Awaitable[object]]) -> None:
        self._point = point
        self._way = way
        self.seen: list[tuple[object, ...]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert variable.get() == "unset"
        variable.set("set")
        await self._pass(BEFORE_RECEIVE)
        await receive()
        await self._pass(BEFORE_START)
        await send({"type": "http.response.start", "status": 200})
        await self._pass(BEFORE_BODY)
        await send({"type": "http.response.body", "body": b"fi", "more_body": True})
        await self._pass(BEFORE_LAST)
        await send({"type": "http.response.body", "body": b"ne"})
        await self._pass(AFTER_LAST)

    async def _pass(self, point: int) -> None:
        self._note()
        if point == self._point:
            await self._way()
            self._note()

    def _note(self) -> None:
        running = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert running.is_running()
        assert task in asyncio.all_tasks()
        assert sniffio.current_async_library() == "asyncio"
        self.seen.append((running, task, variable.get()))


@pytest.mark.parametrize("point", range(6))
@pytest.mark.parametrize("way", WAYS)
def test_loop_task_and_context_stay_the_same(make_handler: MakeHandler, way: str, point: int) -> None:
    app = Application(point, WAYS[way])
    handler = make_handler(app, lifespan="off")
    for _ in range(2):
        app.seen.clear()
        assert get(handler) == (200, b"fine")
        assert len(app.seen) == (5 if point == NOWHERE else 6)
        assert len(set(app.seen)) == 1
        assert app.seen[0][2] == "set"
    assert variable.get() == "unset"


class TestBeforeTheFirstSuspension:
    def test_a_timeout_counts_from_there(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                return "in time"
            return "never"

        assert get(make_handler(serving(work))) == (200, b"in time")

    def test_a_timeout_that_nothing_waited_for_harms_no_later_request(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            async with asyncio.timeout(0.001 if path == "/first" else 10):
                return await asyncio.sleep(0.01, "late") if path == "/second" else "at once"

        handler = make_handler(serving(work))
        assert get(handler, "/first") == (200, b"at once")
        assert get(handler, "/second") == (200, b"late")

    def test_a_group_may_be_begun(self, make_handler: MakeHandler) -> None:
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

        assert get(make_handler(serving(work))) == (200, b"True 1")

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

        assert get(make_handler(serving(work))) == (200, b"0 left")

    def test_what_is_called_soon_is_called_before_the_answer(self, make_handler: MakeHandler) -> None:
        called: list[str] = []

        async def work(path: str) -> None:
            asyncio.get_running_loop().call_soon(called.append, path)

        handler = make_handler(serving(work))
        for path in ("/a", "/b"):
            get(handler, path)
            assert called.pop() == path

    def test_a_generator_that_is_dropped_is_closed_on_the_loop(self, make_handler: MakeHandler) -> None:
        closed_on: list[object] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                closed_on.append(asyncio.get_running_loop())

        async def work(path: str) -> int:
            async for number in numbers():
                return number
            return 0

        async def where(path: str) -> bool:
            await asyncio.sleep(0.001)
            return closed_on == [asyncio.get_running_loop()]

        async def either(path: str) -> object:
            return await (where(path) if path == "/where" else work(path))

        handler = make_handler(serving(either))
        assert get(handler) == (200, b"1")
        assert get(handler, "/where") == (200, b"True")
