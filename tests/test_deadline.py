"""A request that runs out of time: the log has its stack, and an ASGI application is cancelled and answered 504."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from awslambdaric.lambda_context import LambdaContext

import bridge
from bridge.deadline import DeadlineWatcher, watcher
from bridge.request import Scope
from tests.asgi.applications import BODY, START
from tests.helpers import Context, WsgiApp, event, get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.conftest import MakeHandler

SECONDS = 0.2  # the time that a request has until its deadline
TIMEOUT = (504, b"Gateway Timeout")


class Log(logging.Handler):
    """The messages of the bridge; tests wait for the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.arrived = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.arrived.set()

    @property
    def text(self) -> str:
        return "\n".join(self.messages)

    def clear(self) -> None:
        self.messages.clear()
        self.arrived.clear()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger("bridge").addHandler(log)
    yield log
    logging.getLogger("bridge").removeHandler(log)


@pytest.fixture
def stuck(log: Log) -> bridge.Handler:
    """The handler of a WSGI application that waits for the next log message."""

    def where_it_waits() -> None:
        assert log.arrived.wait(10)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        where_it_waits()
        return WsgiApp(b"fine")(environ, start_response)

    return bridge.wsgi_handler(app)


def scope_with(context: Any) -> Scope:
    scope = Scope("test", {}, context, 0)
    scope.method, scope.root_path, scope.path = "GET", "", "/page"
    return scope


class TestWsgi:
    def test_the_stack_is_logged_before_the_deadline(self, stuck: bridge.Handler, log: Log) -> None:
        assert get(stuck, "/page", Context(SECONDS)) == (200, b"fine")
        [message] = log.messages
        assert "GET /page has run for" in message
        assert "where_it_waits" in message
        assert "answers the request" in message

    def test_a_request_in_any_thread_is_reported(self, stuck: bridge.Handler, log: Log) -> None:
        thread = threading.Thread(target=get, args=(stuck, "/", Context(SECONDS)))
        thread.start()
        thread.join(10)
        assert "where_it_waits" in log.text

    def test_the_context_of_aws_s_client_has_a_deadline(self, stuck: bridge.Handler, log: Log) -> None:
        for seconds in (900, 60, 3, SECONDS):
            log.clear()
            if seconds != SECONDS:
                log.arrived.set()
            context = LambdaContext("6c1f1f2e", None, None, int((time.time() + seconds) * 1000), "arn:aws:lambda:…")
            assert get(stuck, "/page", context) == (200, b"fine")
        assert "GET /page has run for" in log.text

    def test_an_application_that_raises_is_not_watched_any_more(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise SystemExit

        with pytest.raises(SystemExit):
            get(bridge.wsgi_handler(app), "/", Context(60))
        assert not watcher._requests


class TestWatcher:
    def test_requests_that_end_in_time_are_not_reported(self, make_handler: MakeHandler, log: Log) -> None:
        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(BODY)

        handlers = [make_handler(app, bridge.handler, lifespan="off") for app in (WsgiApp(b"fine"), asgi)]
        for _ in range(20):
            for handler in handlers:
                assert get(handler, "/", Context(SECONDS)) == (200, b"fine")
        time.sleep(SECONDS * 1.5)
        assert log.messages == []
        assert not watcher._requests

    def test_one_thread_watches_all_requests(self) -> None:
        watcher = DeadlineWatcher()
        before = threading.active_count()
        for seconds in (60, 30, 90, 20):
            watcher.begin(scope_with(Context(seconds)))
        assert threading.active_count() == before + 1
        assert len(watcher._requests) == 4

    def test_a_later_deadline_does_not_wake_the_thread_also_after_a_pause(self) -> None:
        watcher = DeadlineWatcher()
        for seconds in (90, 60):  # the first one starts the thread
            request = scope_with(Context(seconds))
            watcher.begin(request)
            watcher.end(request)
            while watcher._wake_up.is_set():
                time.sleep(0.001)
            time.sleep(0.01)  # the thread finds no request, and sleeps
        for _ in range(3):
            watcher.begin(scope_with(Context(60)))
            assert not watcher._wake_up.is_set()

    def test_an_earlier_deadline_wakes_the_thread(self, log: Log) -> None:
        watcher = DeadlineWatcher()
        requests = [scope_with(Context(seconds)) for seconds in (3600, 60, SECONDS, 60)]
        for request in requests:
            watcher.begin(request)
        assert log.arrived.wait(10)
        assert list(watcher._requests) == [requests[0], requests[1], requests[3]]

    def test_the_callback_gets_the_request_after_the_report(self, log: Log) -> None:
        watcher = DeadlineWatcher()
        called = threading.Event()
        calls: list[tuple[object, int]] = []

        def on_due(request: object) -> None:
            calls.append((request, len(log.messages)))
            called.set()

        request = scope_with(Context(SECONDS))
        watcher.begin(request, on_due)
        assert called.wait(10)
        assert calls == [(request, 1)]

    def test_a_report_that_fails_is_logged_and_does_not_end_the_thread(self, log: Log) -> None:
        watcher = DeadlineWatcher()

        def fail(request: object) -> None:
            raise ValueError

        for number in range(2):
            log.clear()
            watcher.begin(scope_with(Context(0.1)), fail)
            for _ in range(100):
                if len(log.messages) == 2:
                    break
                time.sleep(0.02)
            assert "has run for" in log.messages[0], number
            assert "The report of a request that runs out of time failed." in log.messages[1]

    def test_a_log_handler_finds_the_request_that_is_reported(self, log: Log) -> None:
        current: list[object] = []
        log.emit = lambda record: (current.append(bridge.current_request()), log.arrived.set())  # type: ignore[assignment,method-assign,func-returns-value]
        watcher = DeadlineWatcher()
        request = scope_with(Context(SECONDS))
        watcher.begin(request)
        assert log.arrived.wait(10)
        assert current == [request]

    def test_the_thread_sleeps_after_a_request_with_almost_no_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checks = []

        def count(now: float) -> float:
            checks.append(now)
            return report_due(now)

        watcher = DeadlineWatcher()
        report_due = watcher._report_due
        monkeypatch.setattr(watcher, "_report_due", count)
        for milliseconds in (2, 1, 2):
            request = scope_with(MagicMock(get_remaining_time_in_millis=lambda ms=milliseconds: ms))
            watcher.begin(request)
            watcher.end(request)
        time.sleep(0.1)
        assert len(checks) < 20

    def test_a_request_is_answered_if_no_thread_can_be_started(
        self, monkeypatch: pytest.MonkeyPatch, stuck: bridge.Handler, log: Log
    ) -> None:
        monkeypatch.setattr("bridge.handlers.watcher", DeadlineWatcher())

        def fail(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", fail)
            assert get(bridge.wsgi_handler(WsgiApp()), "/", Context(60)) == (200, b"body")
        assert get(stuck, "/page", Context(SECONDS)) == (200, b"fine")  # the next request tries again
        assert "GET /page has run for" in log.text

    @pytest.mark.parametrize(
        "context",
        [
            None,
            object(),
            "the context",
            {"get_remaining_time_in_millis": 5},
            MagicMock(),
            type("Odd", (), {"get_remaining_time_in_millis": 3000}),
            *(
                type("Odd", (), {"get_remaining_time_in_millis": lambda self, value=value: value})()
                for value in (None, "3000", 0, -5, float("nan"), float("inf"), 10**30)
            ),
            type("Odd", (), {"get_remaining_time_in_millis": lambda self: 1 / 0})(),
        ],
    )
    @pytest.mark.parametrize("function", [bridge.wsgi_handler, bridge.asgi_handler])
    def test_a_request_whose_context_has_no_remaining_time_is_not_watched(
        self, context: Any, function: Any, make_handler: MakeHandler, stuck: bridge.Handler, log: Log
    ) -> None:
        watched: list[bool] = []

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            watched.append(bool(watcher._requests))
            return WsgiApp()(environ, start_response)

        assert get(make_handler(app, function), "/", context) == (200, b"body")
        assert watched == [False]
        assert log.messages == []


async def wait_forever(send: Any) -> None:
    await asyncio.Event().wait()


async def fail_when_cancelled(send: Any) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("was cancelled") from None


async def answer_when_cancelled(send: Any) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await send({**START, "status": 503})
        await send({**BODY, "body": b"own response"})
        raise


async def wait_after_the_response(send: Any) -> None:
    await send(START)
    await send(BODY)
    await asyncio.Event().wait()


@pytest.fixture
def stuck_in(make_handler: MakeHandler) -> Callable[[Any], bridge.Handler]:
    """Make the handler of an ASGI application that calls a function before it responds, if the path is /stuck."""

    def make(work: Any) -> bridge.Handler:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/stuck":
                await work(send)
            await send(START)
            await send(BODY)

        return make_handler(app, lifespan="off")

    return make


class TestAsgi:
    @pytest.mark.parametrize(
        ("work", "response"),
        [
            (wait_forever, TIMEOUT),
            (fail_when_cancelled, TIMEOUT),
            (answer_when_cancelled, (503, b"own response")),
            (wait_after_the_response, (200, b"fine")),
        ],
    )
    def test_an_application_that_waits_is_cancelled(
        self, work: Any, response: tuple[int, bytes], stuck_in: Callable[[Any], bridge.Handler], log: Log
    ) -> None:
        handler = stuck_in(work)
        assert get(handler, "/stuck", Context(SECONDS)) == response
        assert "GET /stuck has run for" in log.text
        assert f"in {work.__name__}" in log.text  # the stack of the thread ends in the event loop
        assert get(handler, "/", Context(60)) == (200, b"fine")

    def test_an_application_that_ignores_its_cancellation_is_left_behind(
        self, stuck_in: Callable[[Any], bridge.Handler], log: Log
    ) -> None:
        released: list[bool] = []

        async def work(send: Any) -> None:
            while not released:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.05)

        handler = stuck_in(work)
        assert get(handler, "/stuck", Context(SECONDS)) == TIMEOUT
        assert [get(handler, "/", Context(60)) for _ in range(3)] == [(200, b"fine")] * 3
        released.append(True)
        time.sleep(0.06)
        assert get(handler, "/", Context(60)) == (200, b"fine")  # while the first one ends

    def test_an_application_that_waits_for_a_thread_is_cancelled(
        self, stuck_in: Callable[[Any], bridge.Handler], log: Log
    ) -> None:
        released = threading.Event()

        async def work(send: Any) -> None:
            await asyncio.to_thread(released.wait, 10)

        handler = stuck_in(work)
        assert get(handler, "/stuck", Context(SECONDS)) == TIMEOUT
        assert get(handler, "/", Context(60)) == (200, b"fine")
        released.set()

    def test_tasks_that_a_complete_response_waits_for_do_not_change_it(
        self, make_handler: MakeHandler, log: Log
    ) -> None:
        tasks = []

        async def block() -> None:
            assert log.arrived.wait(10)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(BODY)
            tasks.append(asyncio.create_task(asyncio.sleep(60) if scope["path"] == "/waits" else block()))

        handler = make_handler(app, lifespan="off")
        assert get(handler, "/waits", Context(SECONDS)) == (200, b"fine")
        assert "Background tasks of GET /waits are still running after" in log.text
        assert "has run for" not in log.text
        log.clear()
        assert get(handler, "/blocks", Context(SECONDS)) == (200, b"fine")
        assert "GET /blocks has run for" in log.text
        assert "in block" in log.text

    def test_the_stack_of_an_application_that_blocks_the_loop_is_logged(
        self, stuck_in: Callable[[Any], bridge.Handler], log: Log
    ) -> None:
        async def blocks(send: Any) -> None:
            assert log.arrived.wait(10)

        handler = stuck_in(blocks)
        assert get(handler, "/stuck", Context(SECONDS))[0] == 200
        assert "in blocks" in log.text
        assert "answers the request" in log.text
        assert get(handler, "/", Context(60)) == (200, b"fine")

    async def test_a_request_on_the_loop_of_a_server_is_cancelled(self, log: Log) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        handler = bridge.asgi_handler(app, lifespan="off")
        payload = await handler.answer(event("/stuck"), Context(SECONDS))
        assert payload["statusCode"] == 504
        assert "GET /stuck has run for" in log.text
        await asyncio.sleep(0)  # the task that awaited is not cancelled


class TestStartup:
    @staticmethod
    def app(failures: int) -> Any:
        """An application whose first startups never end."""
        left = [True] * failures

        async def where_it_waits() -> None:
            await asyncio.Event().wait()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await send(START)
                await send(BODY)
                return
            await receive()
            if left:
                left.pop()
                await where_it_waits()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

        return app

    def test_a_startup_that_does_not_end_is_answered_504_and_tried_again(
        self, make_handler: MakeHandler, log: Log
    ) -> None:
        handler = make_handler(self.app(2))
        for _ in range(2):
            log.clear()
            assert get(handler, "/first", Context(SECONDS)) == TIMEOUT
            assert "GET /first has run for" in log.text
            assert "in where_it_waits" in log.text
        assert get(handler, "/", Context(60)) == (200, b"fine")

    async def test_a_startup_on_the_loop_of_a_server_is_answered_504_and_tried_again(self, log: Log) -> None:
        handler = bridge.asgi_handler(self.app(1))
        assert (await handler.answer(event(), Context(SECONDS)))["statusCode"] == 504
        assert "in where_it_waits" in log.text
        assert (await handler.answer(event(), Context(60)))["statusCode"] == 200
        assert handler.asgi is not None
        await handler.asgi.close_here()
