"""Applications that cancel themselves, await something cancelled, or raise what cannot be printed: a 500 each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from tests.asgi.applications import BODY, START
from tests.helpers import WsgiApp, event, get

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import MakeHandler

    Work = Callable[[], Awaitable[object]]


def cancel_own_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def wait_after_cancelling() -> None:
    cancel_own_task()
    await asyncio.sleep(0)


async def await_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(10))
    task.cancel()
    await task


async def await_a_cancelled_future() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def raise_cancelled_error() -> None:
    raise asyncio.CancelledError


def application(before: Work | None = None, after: Work | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            before_, after_ = None, None
        else:
            before_, after_ = before, after
        if before_ is not None:
            await before_()
        await send(START)
        await send(BODY)
        if after_ is not None:
            await after_()

    return app


WORKS = [wait_after_cancelling, await_a_cancelled_task, await_a_cancelled_future, raise_cancelled_error]


@pytest.mark.parametrize("work", WORKS)
def test_an_application_that_is_cancelled_by_itself_is_answered_500(
    make_handler: MakeHandler, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    handler = make_handler(application(before=work), lifespan="off")
    assert get(handler, "/cancelled")[0] == 500
    assert "CancelledError" in caplog.text
    assert get(handler, "/fine")[0] == 200


async def cancel_all_tasks() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(0)


def test_an_application_that_cancels_all_tasks_is_answered_500(make_handler: MakeHandler) -> None:
    handler = make_handler(application(before=cancel_all_tasks), lifespan="off")
    assert [get(handler, path)[0] for path in ("/cancelled", "/fine", "/cancelled", "/fine")] == [500, 200, 500, 200]


async def cancel_and_return() -> None:
    cancel_own_task()


@pytest.mark.parametrize("work", [*WORKS, cancel_and_return])
def test_a_complete_response_stands_if_the_application_is_cancelled_by_itself(
    make_handler: MakeHandler, work: Work
) -> None:
    handler = make_handler(application(after=work), lifespan="off")
    for path in ("/cancelled", "/fine", "/cancelled"):
        assert get(handler, path) == (200, b"fine")


def test_tasks_that_a_cancelled_request_leaves_are_awaited(make_handler: MakeHandler) -> None:
    done: list[bool] = []

    async def later() -> None:
        await asyncio.sleep(0.01)
        done.append(True)

    async def leave_and_cancel() -> None:
        later_task = asyncio.create_task(later())
        await wait_after_cancelling()
        await later_task

    handler = make_handler(application(before=leave_and_cancel), lifespan="off")
    assert get(handler, "/cancelled")[0] == 500
    assert done == [True]


async def test_a_server_that_cancels_a_request_gets_its_cancellation() -> None:
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.sleep(10)

    handler = bridge.asgi_handler(application(before=wait), lifespan="off")
    task = asyncio.create_task(handler.answer(event("/cancelled"), None))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("work", [*WORKS, cancel_and_return])
async def test_a_server_that_cancels_no_request_gets_the_response_to_one_that_cancels_itself(work: Work) -> None:
    for app, status in ((application(before=work), 500), (application(after=work), 200)):
        handler = bridge.asgi_handler(app, lifespan="off")
        assert handler.asgi is not None
        handler.asgi.host_cancels = False
        if work is not cancel_and_return or status == 200:
            assert (await handler.answer(event("/cancelled"), None))["statusCode"] == status
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            async with asyncio.timeout(5):  # the task goes on
                assert (await handler.answer(event("/fine"), None))["statusCode"] == 200


@pytest.mark.parametrize("function", [bridge.wsgi_handler, bridge.asgi_handler])
def test_a_wsgi_application_that_raises_cancelled_error_is_answered_500(
    make_handler: MakeHandler, function: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        asyncio.run(await_a_cancelled_future())

    assert get(make_handler(app, function))[0] == 500
    assert "CancelledError" in caplog.text


@pytest.mark.parametrize("make", [bridge.wsgi_handler, bridge.asgi_handler])
def test_a_callback_for_other_events_that_raises_cancelled_error_fails_one_event(make: Any) -> None:
    def callback(event: Any, context: Any) -> None:
        asyncio.run(await_a_cancelled_future())

    handler = make(application() if make is bridge.asgi_handler else WsgiApp(), other_events=callback)
    with pytest.raises(bridge.InterfaceError, match="raised CancelledError"):
        handler({"a": 1}, None)
    handler.close()


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
@pytest.mark.parametrize("is_log_broken", [False, True])
def test_an_exception_that_cannot_be_printed_is_answered_500(
    make_handler: MakeHandler,
    interface: str,
    is_log_broken: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wsgi(environ: Any, start_response: Any) -> Any:
        raise UnprintableError

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        raise UnprintableError

    if is_log_broken:

        def fail(*_: Any) -> None:
            raise ValueError("the handler of the log fails")

        monkeypatch.setattr("bridge.handlers.logger.exception", fail)
    handler = make_handler(wsgi, bridge.wsgi_handler) if interface == "wsgi" else make_handler(asgi, lifespan="off")
    assert get(handler)[0] == 500
    printed = capsys.readouterr().err
    assert not is_log_broken or ("failed at GET /:" in printed and "UnprintableError" in printed)


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_an_exception_is_answered_500_where_the_working_directory_is_gone(
    make_handler: MakeHandler, interface: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wsgi(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    handler = make_handler(wsgi, bridge.wsgi_handler) if interface == "wsgi" else make_handler(asgi, lifespan="off")
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        Path.cwd()
    assert get(handler)[0] == 500
