"""What becomes of a request that runs out of time: the log says where it was, and ASGI's client gets an answer."""

from __future__ import annotations

import _thread
import asyncio
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from awslambdaric.lambda_context import LambdaContext

import bridge
from bridge import deadline as watch_module
from bridge.request import Scope
from tests.helpers import Context, get, event, run_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECONDS = 0.2  # what a request has left here
START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body", "body": b"fine"}


class Log(logging.Handler):
    """What the bridge logs, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[str] = []
        self.told = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.reports.append(record.getMessage())
        self.told.set()

    @property
    def text(self) -> str:
        return "\n".join(self.reports)


@pytest.fixture
def log() -> Iterator[Log]:
    handler = Log()
    logging.getLogger("bridge").addHandler(handler)
    yield handler
    logging.getLogger("bridge").removeHandler(handler)


@pytest.fixture
def serve() -> Iterator[Callable[..., bridge.Handler]]:
    made = []

    def make(work: Callable[[Any], Any]) -> bridge.Handler:
        """The handler of an ASGI application that answers after *work*, if the path is /stuck."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/stuck":
                await work(send)
            await send(START)
            await send(BODY)

        made.append(bridge.asgi_handler(app, lifespan="off"))
        return made[-1]

    yield make
    for handler in made:
        handler.close()


class TestWsgi:
    def stuck(self, log: Log) -> bridge.Handler:
        """A handler whose application waits until the log has something to say."""

        def where_it_hangs() -> None:
            assert log.told.wait(30)

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            where_it_hangs()
            start_response("200 OK", [])
            return [b"fine"]

        return bridge.wsgi_handler(app)

    def test_the_stack_is_logged_before_the_deadline(self, log: Log) -> None:
        assert get(self.stuck(log), "/caf", Context(SECONDS)) == (200, b"fine")
        [report] = log.reports
        assert "GET /caf" in report
        assert "where_it_hangs" in report
        assert "answers the request" in report

    def test_it_works_from_any_thread(self, log: Log) -> None:
        handler = self.stuck(log)
        thread = threading.Thread(target=get, args=(handler, "/", Context(SECONDS)))
        thread.start()
        thread.join(30)
        assert "where_it_hangs" in log.text

    def test_a_shorter_one_that_began_later_is_not_missed(self, log: Log) -> None:
        begun, over = threading.Event(), threading.Event()

        def long(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            begun.set()
            over.wait(30)
            start_response("200 OK", [])
            return []

        thread = threading.Thread(target=get, args=(bridge.wsgi_handler(long), "/long", Context(3600)))
        thread.start()
        assert begun.wait(30)
        get(self.stuck(log), "/short", Context(SECONDS))
        over.set()
        thread.join(30)
        assert ["GET /short" in report for report in log.reports] == [True]

    def test_a_report_that_fails_does_not_end_the_watch(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object) -> None:
            raise ValueError("no report")

        with monkeypatch.context() as patch:
            patch.setattr(watch_module, "_report", fail)
            get(self.stuck(log), "/", Context(SECONDS))
        log.told.clear()
        get(self.stuck(log), "/again", Context(SECONDS))
        assert "GET /again" in log.text

    def test_an_application_that_fails_is_watched_no_longer(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise SystemExit

        with pytest.raises(SystemExit):
            get(bridge.wsgi_handler(app), "/", Context(60))
        assert not watch_module.watch._watched


class TestAwsContext:
    """AWS's own context object keeps the deadline where the watch looks for it."""

    @staticmethod
    def with_seconds(seconds: float) -> LambdaContext:
        return LambdaContext("6c1f1f2e", None, None, int((time.time() + seconds) * 1000), "arn:aws:lambda:…")

    def test_the_stack_is_logged_before_the_deadline(self, log: Log) -> None:
        assert get(TestWsgi().stuck(log), "/caf", self.with_seconds(SECONDS)) == (200, b"fine")
        [report] = log.reports
        assert "GET /caf" in report
        assert "where_it_hangs" in report

    def test_one_with_less_time_than_those_before_is_not_missed(self, log: Log) -> None:
        handler = TestWsgi().stuck(log)
        log.told.set()
        for seconds in (900, 60, 3, 60):
            get(handler, "/before", self.with_seconds(seconds))
        log.told.clear()
        assert get(handler, "/short", self.with_seconds(SECONDS)) == (200, b"fine")
        assert ["GET /short" in report for report in log.reports] == [True]

    def test_it_is_asked_for_the_time_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def asked(self: Any) -> int:
            raise AssertionError("asked")

        handler = bridge.wsgi_handler(lambda environ, start_response: start_response("200 OK", []) and [])
        get(handler, "/", self.with_seconds(60))
        monkeypatch.setattr(LambdaContext, "get_remaining_time_in_millis", asked)
        for _ in range(5):
            assert get(handler, "/", self.with_seconds(60)) == (200, b"")
        assert not watch_module.watch._watched

    def test_one_that_keeps_some_time_back_is_believed(self, log: Log) -> None:
        class Hasty(LambdaContext):  # type: ignore[misc]  # it has no types
            def get_remaining_time_in_millis(self) -> int:
                left: int = super().get_remaining_time_in_millis()
                return left - 3_600_000

        context = Hasty("6c1f1f2e", None, None, int((time.time() + 3600 + SECONDS) * 1000))
        for _ in range(2):
            get(bridge.wsgi_handler(lambda environ, start_response: start_response("200 OK", []) and []), "/", context)
        assert get(TestWsgi().stuck(log), "/hasty", context) == (200, b"fine")
        assert "GET /hasty" in log.text

    @pytest.mark.parametrize("deadline", [0, -5, 1, 10**30, 2**63, None, "soon", 1e300, float("nan")])
    def test_a_deadline_that_is_none_is_no_harm_and_the_watch_goes_on(self, deadline: Any, log: Log) -> None:
        context = self.with_seconds(60)
        context._epoch_deadline_time_in_ms = deadline
        plain = bridge.wsgi_handler(lambda environ, start_response: start_response("200 OK", []) and [])
        assert get(plain, "/odd", context) == (200, b"")
        assert log.reports == []
        self.test_the_stack_is_logged_before_the_deadline(log)


class TestNormalRequests:
    def test_they_log_nothing_and_start_one_thread_at_most(
        self, serve: Callable[..., bridge.Handler], log: Log
    ) -> None:
        def plain(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [])
            return [b"fine"]

        async def nothing(send: Any) -> None: ...

        handlers = [bridge.wsgi_handler(plain), serve(nothing)]
        for handler in handlers:
            get(handler, "/", Context(SECONDS))
        time.sleep(0.1)  # a thread counts once it runs
        before = _thread._count()  # also of those that threading knows nothing of
        for _ in range(50):
            for handler in handlers:
                assert get(handler, "/", Context(SECONDS)) == (200, b"fine")
        assert _thread._count() == before
        time.sleep(SECONDS * 1.5)  # past every deadline
        assert log.reports == []
        assert not watch_module.watch._watched

    @pytest.mark.parametrize(
        "context",
        [
            None,
            object(),
            "the context",
            {"get_remaining_time_in_millis": 5},
            MagicMock(),
            type("Odd", (), {"get_remaining_time_in_millis": 3000}),
            pytest.param(type("Odd", (dict,), {"__getattr__": dict.__getitem__})(), id="a dict of attributes"),
            *(
                type("Odd", (), {"get_remaining_time_in_millis": lambda self, left=left: left})()
                for left in (None, "3000", 0, -5, float("nan"), float("inf"), 10**30)
            ),
            type("Odd", (), {"get_remaining_time_in_millis": lambda self: 1 / 0})(),
        ],
    )
    @pytest.mark.parametrize("interface", ["wsgi", "asgi"])
    def test_a_context_that_does_not_tell_the_time_is_no_harm(
        self, context: Any, interface: str, serve: Callable[..., bridge.Handler], log: Log
    ) -> None:
        def plain(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [])
            return [b"fine"]

        async def nothing(send: Any) -> None: ...

        handler = serve(nothing) if interface == "asgi" else bridge.wsgi_handler(plain)
        assert get(handler, "/", context) == (200, b"fine")
        assert log.reports == []

    def test_the_watch_does_not_spin_after_a_request_that_had_almost_no_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handler = bridge.wsgi_handler(lambda environ, start_response: start_response("200 OK", []) and [])
        watch = watch_module.Watch()
        monkeypatch.setattr(watch_module, "watch", watch)
        monkeypatch.setattr("bridge.handlers.watch", watch)
        looks = []

        def counting() -> float:
            looks.append(threading.get_ident())
            return time.monotonic()

        monkeypatch.setattr(watch_module, "monotonic", counting)
        get(handler, "/", type("Late", (), {"get_remaining_time_in_millis": lambda self: 2})())
        time.sleep(SECONDS)
        assert len(looks) - looks.count(threading.get_ident()) < 20

    def test_a_request_is_answered_where_no_thread_can_be_had(self, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
        watch = watch_module.Watch()
        monkeypatch.setattr("bridge.handlers.watch", watch)

        def fail(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        handler = bridge.wsgi_handler(lambda environ, start_response: start_response("200 OK", []) and [])
        with monkeypatch.context() as patch:
            patch.setattr(watch_module, "start_new_thread", fail)
            assert get(handler, "/", Context(60)) == (200, b"")
        TestWsgi().test_the_stack_is_logged_before_the_deadline(log)  # and the next one tries again

    def test_two_requests_that_come_first_at_the_same_time_do_not_wait_for_each_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The alarm is taken before the other one can see it and take it, too."""
        watch = watch_module.Watch()
        seen: list[object] = []

        class Alarm:
            def acquire(self) -> None:
                seen.append(watch._alarm)

        monkeypatch.setattr(watch_module, "allocate_lock", Alarm)
        monkeypatch.setattr(watch_module, "start_new_thread", lambda *_: None)
        watch.begin(Scope("test", {}, Context(60), 0))
        assert seen == [None]

    def test_the_main_thread_is_still_that_where_nobody_has_loaded_threading(self) -> None:
        """For whoever loads it first is taken for the main thread, before Python 3.13."""
        done = run_script("""
import sys
import bridge
from time import sleep
class Context:
    def get_remaining_time_in_millis(self):
        return 300
def app(environ, start_response):
    sleep(0.4)
    start_response("200 OK", [])
    return [b"fine"]
event = {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/", "headers": {}}
assert "threading" not in sys.modules
assert bridge.wsgi_handler(app)(event, Context())["statusCode"] == 200
import threading
assert threading.current_thread() is threading.main_thread()
""")
        assert "has run for" in done.stderr

    def test_the_watch_goes_on_after_such_a_context(self, log: Log) -> None:
        for left in (float("nan"), float("inf"), 10**30):
            odd = type("Odd", (), {"get_remaining_time_in_millis": lambda self, left=left: left})()
            scope = Scope("test", {}, odd, 0)
            watch_module.watch.begin(scope)
            watch_module.watch.end(scope, None)
        TestWsgi().test_the_stack_is_logged_before_the_deadline(log)


class TestAsgi:
    """Each application is stuck in its own way; all are answered, and the next request is too."""

    def check(self, handler: bridge.Handler, log: Log, answer: tuple[int, bytes] = (504, b"Gateway Timeout")) -> None:
        assert get(handler, "/stuck", Context(SECONDS)) == answer
        assert "GET /stuck" in log.text
        assert get(handler, "/", Context(60)) == (200, b"fine")

    def test_one_that_waits_forever_is_told_and_answered_504(
        self, serve: Callable[..., bridge.Handler], log: Log
    ) -> None:
        ended = []

        async def where_it_hangs() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        async def work(send: Any) -> None:
            await where_it_hangs()

        self.check(serve(work), log)
        assert ended == [True]
        assert "where_it_hangs" in log.text  # which no thread's stack shows: the thread waits in the loop

    def test_one_that_swallows_the_cancellation(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        let_go: list[bool] = []

        async def work(send: Any) -> None:
            while not let_go:
                try:
                    await asyncio.sleep(0.5)
                except asyncio.CancelledError:
                    continue

        self.check(serve(work), log)
        let_go.append(True)

    def test_one_that_fails_when_it_is_cancelled(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        async def work(send: Any) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("was cancelled") from None

        self.check(serve(work), log)

    def test_one_that_waits_for_a_thread(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        let_go = threading.Event()

        async def work(send: Any) -> None:
            await asyncio.to_thread(let_go.wait, 30)

        self.check(serve(work), log)
        let_go.set()

    def test_one_that_sleeps_without_await(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        async def work(send: Any) -> None:
            time.sleep(30)

        self.check(serve(work), log)

    def test_one_that_computes_forever(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        async def work(send: Any) -> None:
            while True:
                pass

        self.check(serve(work), log)

    def test_one_that_blocks_in_a_callback_of_the_loop(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        async def work(send: Any) -> None:
            asyncio.get_running_loop().call_soon(time.sleep, 30)
            await asyncio.Event().wait()

        handler = serve(work)
        asyncio_log = logging.getLogger("asyncio")
        asyncio_log.disabled = True  # asyncio logs what a callback raised
        self.check(handler, log)
        asyncio_log.disabled = False

    def test_one_that_blocks_a_loop_which_a_thread_drives(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        let_go = threading.Event()

        async def work(send: Any) -> None:
            let_go.wait(30)

        handler = serve(work)

        async def inside() -> None:
            get(handler)

        asyncio.run(inside())  # a thread drives the loop from now on
        assert get(handler, "/stuck", Context(SECONDS)) == (504, b"Gateway Timeout")
        let_go.set()
        assert get(handler, "/", Context(60)) == (200, b"fine")

    def test_one_that_answers_its_cancellation_itself(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        async def work(send: Any) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await send({**START, "status": 503})
                await send({**BODY, "body": b"own words"})
                raise

        self.check(serve(work), log, (503, b"own words"))

    def test_one_whose_response_is_complete_keeps_it(self, serve: Callable[..., bridge.Handler], log: Log) -> None:
        async def work(send: Any) -> None:
            await send(START)
            await send(BODY)
            await asyncio.Event().wait()

        self.check(serve(work), log, (200, b"fine"))

    def test_one_in_another_thread_leaves_the_main_thread_alone(
        self, serve: Callable[..., bridge.Handler], log: Log
    ) -> None:
        async def work(send: Any) -> None:
            assert log.told.wait(30)
            time.sleep(0.5)  # while the watch looks for somebody to interrupt

        handler = serve(work)
        get(handler, "/", Context(60))  # the main thread has been here before
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(get(handler, "/stuck", Context(SECONDS))))
        thread.start()
        thread.join()  # raises here if it is interrupted
        assert len(found) == 1

    def test_an_alarm_of_the_application_s_own_stays_its_own(
        self, serve: Callable[..., bridge.Handler], log: Log
    ) -> None:
        rung = []
        before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
        try:

            async def work(send: Any) -> None:
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                while not rung:
                    await asyncio.sleep(0.01)

            assert get(serve(work), "/stuck", Context(60)) == (200, b"fine")
        finally:
            signal.signal(signal.SIGALRM, before)
        assert rung == [signal.SIGALRM]

    async def test_one_on_the_running_loop(self, log: Log) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        handler = bridge.asgi_handler(app, lifespan="off")
        payload = await handler.answer(event("/stuck"), Context(SECONDS))
        assert payload["statusCode"] == 504
        assert "GET /stuck" in log.text


class TestStartup:
    """The first request pays for the startup, and a database that does not answer is where most time is lost."""

    def app(self, stuck: list[Callable[[], Any]]) -> Any:
        """An application whose startup gets stuck in each of these ways, one after the other."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await send(START)
                await send(BODY)
                return
            await receive()
            if stuck:
                await where_it_hangs()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

        async def where_it_hangs() -> None:
            await stuck.pop(0)()

        return app

    async def sleep(self) -> None:
        time.sleep(30)

    def test_one_that_hangs_is_told_and_answered_504_and_tried_again(self, log: Log) -> None:
        handler = bridge.asgi_handler(self.app([asyncio.Event().wait, self.sleep, asyncio.Event().wait]))
        for _ in range(3):
            log.reports.clear()
            assert get(handler, "/first", Context(SECONDS)) == (504, b"Gateway Timeout")
            assert "GET /first" in log.text
            assert "where_it_hangs" in log.text
        assert get(handler, "/", Context(60)) == (200, b"fine")
        handler.close()

    async def test_one_on_the_running_loop(self, log: Log) -> None:
        handler = bridge.asgi_handler(self.app([asyncio.Event().wait]))
        assert (await handler.answer(event(), Context(SECONDS)))["statusCode"] == 504
        assert "where_it_hangs" in log.text
        assert (await handler.answer(event(), Context(60)))["statusCode"] == 200
        assert handler.hosted is not None
        await handler.hosted.close_here()


def test_a_forked_process_has_a_watch_of_its_own() -> None:
    script = """
    import logging, os, sys, time, warnings
    import bridge
    from tests.helpers import Context, get

    told = []
    class Log(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())
            print(told, flush=True)
    logging.getLogger("bridge").addHandler(Log())

    def app(environ, start_response):
        while environ["PATH_INFO"] == "/stuck" and not told:
            time.sleep(0.01)
        start_response("200 OK", [])
        return [b""]

    handler = bridge.wsgi_handler(app)
    get(handler, "/", Context(60))
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
    child = os.fork()
    if not child:
        get(handler, "/stuck", Context(0.1))
        sys.exit()
    os.waitpid(child, 0)
    """
    assert "GET /stuck" in run_script(script).stdout
