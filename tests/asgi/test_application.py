"""An ASGI application has one event loop and one lifespan, whichever thread calls its handler."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from tests.asgi.applications import Responding
from tests.helpers import event, get

if TYPE_CHECKING:
    from tests.conftest import MakeHandler


async def echo(path: str) -> str:
    await asyncio.sleep(0)
    return path


async def loop_id(path: str) -> int:
    return id(asyncio.get_running_loop())


class TestOwnLoop:
    def test_all_requests_run_on_one_loop_in_tasks_of_their_own(self, make_handler: MakeHandler) -> None:
        loops, tasks = set(), []

        async def work(path: str) -> None:
            loops.add(asyncio.get_running_loop())
            task = asyncio.current_task()
            assert task in asyncio.all_tasks()
            tasks.append(task)

        handler = make_handler(Responding(work))
        for _ in range(3):
            get(handler)
        assert len(loops) == 1
        assert len(set(tasks)) == 3

    def test_no_loop_runs_between_requests(self, make_handler: MakeHandler) -> None:
        get(make_handler(Responding(echo)))
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()

    def test_an_application_that_calls_its_own_handler_synchronously_is_a_500_that_names_the_method_to_await(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work(path: str) -> object:
            return get(handler, "/inner") if path == "/outer" else path

        handler = make_handler(Responding(work))
        assert get(handler, "/outer")[0] == 500
        assert "await handler.answer(event, context)" in caplog.text
        assert get(handler, "/other") == (200, b"/other")

    @pytest.mark.parametrize("call", ["startup", "request"])
    def test_a_startup_that_calls_its_own_handler_is_an_error(self, call: str, make_handler: MakeHandler) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            with pytest.raises(bridge.RunningLoopError):
                handler.startup() if call == "startup" else get(handler)
            await send({"type": "lifespan.startup.complete"})
            await receive()

        handler = make_handler(app, lifespan="on")
        handler.startup()

    def test_a_background_task_that_ends_the_process_ends_the_request(self, make_handler: MakeHandler) -> None:
        async def exit_() -> None:
            await asyncio.sleep(0)
            raise SystemExit(3)

        async def work(path: str) -> str:
            if path == "/exit":
                asyncio.create_task(exit_())  # noqa: RUF006
                await asyncio.sleep(10)
            return path

        handler = make_handler(Responding(work))
        with pytest.raises(SystemExit):
            get(handler, "/exit")
        assert get(handler, "/after") == (200, b"/after")


class TestThreads:
    def test_requests_of_other_threads_run_on_the_same_loop_in_the_calling_thread(
        self, make_handler: MakeHandler
    ) -> None:
        async def work(path: str) -> tuple[int, int]:
            return id(asyncio.get_running_loop()), threading.get_ident()

        handler = make_handler(Responding(work))

        def call() -> tuple[bytes, int]:
            return get(handler)[1], threading.get_ident()

        responses = [call()]
        for _ in range(2):
            with ThreadPoolExecutor(1) as threads:
                responses.append(threads.submit(call).result())
        loops = [body.partition(b",")[0] for body, _ in responses]
        assert loops == [loops[0]] * 3
        assert all(body.endswith(b" %d)" % thread) for body, thread in responses)

    def test_a_request_of_another_thread_waits_until_the_first_one_is_answered(self, make_handler: MakeHandler) -> None:
        begun, release = threading.Event(), threading.Event()
        order: list[str] = []

        async def work(path: str) -> str:
            order.append(f"{path} begins")
            if path == "/first":
                begun.set()
                await asyncio.to_thread(release.wait, 10)
            order.append(f"{path} ends")
            return path

        handler = make_handler(Responding(work))
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(get, handler, "/first")
            assert begun.wait(10)
            second = threads.submit(get, handler, "/second")
            with pytest.raises(TimeoutError):
                second.result(0.05)
            release.set()
            assert [first.result(10), second.result(10)] == [(200, b"/first"), (200, b"/second")]
        assert order == ["/first begins", "/first ends", "/second begins", "/second ends"]

    def test_many_threads_share_one_loop_and_one_lifespan(self, make_handler: MakeHandler) -> None:
        loops = set()

        async def work(path: str) -> str:
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0.001)
            return path

        app = Responding(work)
        handler = make_handler(app)
        barrier = threading.Barrier(16)

        def call(thread: int) -> bool:
            barrier.wait()
            paths = [f"/{thread}/{number}" for number in range(5)]
            return [get(handler, path) for path in paths] == [(200, path.encode()) for path in paths]

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(call, range(16)))
        assert app.lifespans == 1
        assert len(loops) == 1

    def test_an_exception_reaches_the_thread_that_called(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            await asyncio.sleep(0.001)
            if path == "/exit":
                raise SystemExit(3)
            return path

        handler = make_handler(Responding(work))

        def call(path: str) -> Any:
            try:
                return get(handler, path)[1]
            except SystemExit as error:
                return error.code

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(call, ["/a", "/exit", "/b", "/exit"] * 4)) == [b"/a", 3, b"/b", 3] * 4

    async def test_a_running_loop_may_call_the_handler_in_threads(self, make_handler: MakeHandler) -> None:
        app = Responding(echo)
        handler = make_handler(app)
        calls = [asyncio.to_thread(get, handler, f"/{number}") for number in range(8)]
        assert await asyncio.gather(*calls) == [(200, b"/%d" % number) for number in range(8)]
        assert app.lifespans == 1
        with pytest.raises(bridge.RunningLoopError, match=r"await asyncio\.to_thread\(handler\.close\)"):
            handler.close()
        await asyncio.to_thread(handler.close)


class TestLoopOfAServer:
    async def test_requests_run_concurrently_on_the_running_loop(self) -> None:
        barrier = asyncio.Barrier(4)

        async def work(path: str) -> bool:
            await barrier.wait()
            return asyncio.get_running_loop() is loop

        loop = asyncio.get_running_loop()
        app = Responding(work)
        handler = bridge.asgi_handler(app)
        payloads = await asyncio.gather(*[handler.answer(event()) for _ in range(4)])
        assert [payload["body"] for payload in payloads] == ["True"] * 4
        assert app.lifespans == 1
        assert handler.asgi is not None
        await handler.asgi.close_here()

    async def test_a_cancelled_call_cancels_its_request(self) -> None:
        cancelled = []

        async def work(path: str) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                cancelled.append(path)

        handler = bridge.asgi_handler(Responding(work), lifespan="off")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handler.answer(event("/slow")), 0.05)
        assert cancelled == ["/slow"]

    async def test_an_exit_passes(self) -> None:
        async def work(path: str) -> None:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            await bridge.asgi_handler(Responding(work), lifespan="off").answer(event())

    def test_other_threads_and_other_loops_are_an_error(self) -> None:
        handler = bridge.asgi_handler(Responding(echo), lifespan="off")

        async def answer() -> Any:
            return await handler.answer(event())

        assert asyncio.run(answer())["statusCode"] == 200
        with pytest.raises(bridge.RunningLoopError, match=r"serves the event loop of a server.*await handler\.answer"):
            get(handler)
        with pytest.raises(bridge.RunningLoopError, match="was started on another event loop"):
            asyncio.run(answer())

    @pytest.mark.parametrize("other", [event("/page"), {"source": "aws.events"}], ids=["request", "warm-up event"])
    async def test_an_application_started_on_its_own_loop_stays_there(
        self, other: Any, make_handler: MakeHandler
    ) -> None:
        app = Responding(loop_id)
        handler = make_handler(app)
        await asyncio.to_thread(handler.startup)
        await handler.answer(other)
        assert (await handler.answer(event()))["body"] != str(id(asyncio.get_running_loop()))
        assert app.lifespans == 1
        await asyncio.to_thread(handler.close)


class TestClose:
    def test_a_request_to_a_closed_handler_is_a_logged_500(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        handler = make_handler(Responding(echo))
        assert get(handler)[0] == 200
        handler.close()
        assert get(handler)[0] == 500
        assert "This handler was closed" in caplog.text

    def test_a_closed_handler_cannot_be_started(self, make_handler: MakeHandler) -> None:
        handler = make_handler(Responding(echo))
        handler.startup()
        handler.close()
        with pytest.raises(bridge.BridgeError, match="was closed"):
            handler.startup()

    def test_a_closed_handler_is_freed_also_if_another_party_has_closed_its_loop(self) -> None:
        applications = []
        for _ in range(3):
            handler = bridge.asgi_handler(Responding(echo), lifespan="off")
            assert handler.asgi is not None
            loop = asyncio.new_event_loop()
            handler.asgi.find_loop = lambda loop=loop: loop
            assert get(handler)[0] == 200
            tasks: set[Any] = asyncio.all_tasks(loop)
            for task in tasks:
                task._log_destroy_pending = False  # asyncio would log it rightly
            loop.close()
            handler.close()
            applications.append(weakref.ref(handler.asgi))
            del handler, tasks, task
        gc.collect()
        assert [application() for application in applications] == [None] * 3

    def test_requests_of_other_threads_are_answered_first(self, make_handler: MakeHandler) -> None:
        begun = threading.Event()

        async def work(path: str) -> str:
            begun.set()
            await asyncio.sleep(0.05)
            return path

        handler = make_handler(Responding(work))
        with ThreadPoolExecutor(1) as threads:
            response = threads.submit(get, handler, "/slow")
            assert begun.wait(10)
            handler.close()
            assert response.result(10) == (200, b"/slow")
