"""The tasks that requests leave behind: the response waits for them, but not for those that never end."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route

from tests.asgi.applications import BODY, START, Responding
from tests.helpers import Context, get

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from tests.conftest import MakeHandler


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("status", [200, 500])
def test_the_response_waits_for_tasks_and_for_those_that_they_start(status: int, make_handler: MakeHandler) -> None:
    ended = []

    async def first() -> None:
        await asyncio.sleep(0.01)
        asyncio.create_task(second())  # noqa: RUF006

    async def second() -> None:
        await asyncio.sleep(0.01)
        ended.append(True)

    async def work(path: str) -> None:
        asyncio.create_task(first())  # noqa: RUF006
        if status == 500:
            raise ValueError

    assert get(make_handler(Responding(work)))[0] == status
    assert ended == [True]


def test_callbacks_run_before_the_response_is_returned(make_handler: MakeHandler) -> None:
    called: list[str] = []

    async def work(path: str) -> None:
        asyncio.get_running_loop().call_soon(called.append, path)

    handler = make_handler(Responding(work))
    for path in ("/a", "/b"):
        get(handler, path)
        assert called.pop() == path


def test_the_exception_of_a_task_does_not_change_the_response(
    make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("in the background")

    async def work(path: str) -> str:
        asyncio.create_task(fail())  # noqa: RUF006
        return "fine"

    assert get(make_handler(Responding(work))) == (200, b"fine")


def test_a_task_that_takes_too_long_is_logged_and_cancelled_when_the_handler_is_closed(
    make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    ended, tasks = [], []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def work(path: str) -> str:
        if path == "/first":
            tasks.append(asyncio.create_task(forever(), name="the listener"))
        return "fine"

    handler = make_handler(Responding(work), background_seconds=0.02)
    with caplog.at_level(logging.WARNING):
        assert get(handler, "/first") == (200, b"fine")
    assert "Background tasks of GET /first are still running after 0.0 s: " in caplog.text
    assert f"{forever.__qualname__} (the listener)" in caplog.text
    caplog.clear()
    assert get(handler, "/second") == (200, b"fine")  # the task belongs to another request
    assert caplog.text == ""
    assert ended == []
    handler.close()
    assert ended == [True]


def test_the_response_does_not_wait_for_tasks_of_the_lifespan(make_handler: MakeHandler) -> None:
    tasks = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            tasks.append(asyncio.create_task(asyncio.sleep(100)))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send(START)
            await send(BODY)

    assert get(make_handler(app, background_seconds=60)) == (200, b"fine")
    assert not tasks[0].done()


def test_the_response_does_not_wait_for_the_lifespan_of_another_application_that_it_starts(
    make_handler: MakeHandler,
) -> None:
    async def inner_work(path: str) -> str:
        return "inner"

    inner = make_handler(Responding(inner_work), background_seconds=60)

    async def work(path: str) -> object:
        return (await asyncio.to_thread(get, inner))[1]

    assert get(make_handler(Responding(work), background_seconds=60)) == (200, b"b'inner'")


def test_a_task_that_has_outlived_a_wait_is_not_waited_for_again(
    make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []

    async def child() -> None:
        await asyncio.Event().wait()

    async def worker() -> None:
        while True:
            await queue.get()
            tasks.append(asyncio.create_task(child()))

    async def work(path: str) -> str:
        if not tasks:
            tasks.append(asyncio.create_task(worker()))
        queue.put_nowait(path)
        return path

    handler = make_handler(Responding(work), background_seconds=0.02)
    for path in ("/first", "/second", "/third"):
        assert get(handler, path) == (200, path.encode())
    assert len(caplog.messages) == 1
    assert len(tasks) == 4
    handler.close()


def test_no_time_for_tasks_is_a_choice_that_is_not_logged(
    make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = []

    async def work(path: str) -> str:
        tasks.append(asyncio.create_task(forever()))
        return path

    handler = make_handler(Responding(work), background_seconds=0)
    assert get(handler) == (200, b"/")
    assert caplog.messages == []
    handler.close()


@pytest.mark.parametrize("seconds_left", [0.15, 1])
def test_the_wait_ends_before_the_deadline_and_its_report(
    make_handler: MakeHandler, seconds_left: float, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = []

    async def work(path: str) -> str:
        tasks.append(asyncio.create_task(forever()))
        return path

    handler = make_handler(Responding(work), background_seconds=60)
    assert get(handler, "/", Context(seconds_left)) == (200, b"/")
    [message] = caplog.messages
    assert re.match(r"Background tasks of GET / are still running after 0\.\d s: forever\. Lambda", message)
    handler.close()


def test_the_watcher_of_sse_starlette_delays_the_first_response_only(
    make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(2):
            yield number

    async def events(request: Request) -> EventSourceResponse:
        return EventSourceResponse(numbers())

    handler = make_handler(Starlette(routes=[Route("/", events)]), background_seconds=0.05)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert get(handler) == (200, b"data: 0\r\n\r\ndata: 1\r\n\r\n")
    [message] = caplog.messages
    assert "_shutdown_watcher" in message
    handler.close()
