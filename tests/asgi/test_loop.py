"""One event loop for the life of the process, whoever calls the handler and from wherever."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

import bridge
from bridge.asgi import loop
from bridge.interfaces import settle
from tests.helpers import get, event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import MakeHandler

START = {"type": "http.response.start", "status": 200}


async def say(send: Any, text: object) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": str(text).encode()})


def serving(work: Callable[[str], Awaitable[object]]) -> Any:
    """An application with a lifespan that answers what *work* makes of the path."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            app.lifespans += 1  # type: ignore[attr-defined]
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await say(send, await work(scope["path"]))

    app.lifespans = 0  # type: ignore[attr-defined]
    return app


class TestAsyncio:
    def test_every_request_runs_on_the_same_loop(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> int:
            return id(asyncio.get_running_loop())

        handler = make_handler(serving(work))
        assert len({get(handler) for _ in range(3)}) == 1

    def test_each_request_is_a_task_of_its_own(self, make_handler: MakeHandler) -> None:
        tasks = []

        async def work(path: str) -> None:
            task = asyncio.current_task()
            assert task in asyncio.all_tasks()
            tasks.append(task)

        handler = make_handler(serving(work))
        get(handler)
        get(handler)
        assert tasks[0] is not tasks[1]
        assert None not in tasks

    def test_no_loop_runs_between_requests(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> None:
            await asyncio.sleep(0)

        get(make_handler(serving(work)))
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()

    def test_timeouts_groups_events_queues_and_threads_work(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> list[Any]:
            found: list[Any] = []
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.sleep(10), 0.01)
            queue: asyncio.Queue[int] = asyncio.Queue()
            async with asyncio.TaskGroup() as group:
                group.create_task(queue.put(1))
                found.append(await queue.get())
            found.append(await asyncio.to_thread(lambda: 2))
            found.extend(await asyncio.gather(asyncio.sleep(0, 3), asyncio.sleep(0, 4)))
            return found

        assert get(make_handler(serving(work))) == (200, b"[1, 2, 3, 4]")

    @pytest.mark.slow
    def test_subprocesses_work(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> bytes:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print('child')", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            return output.strip()

        assert get(make_handler(serving(work))) == (200, b"b'child'")

    def test_what_is_made_in_one_request_can_be_used_in_the_next(self, make_handler: MakeHandler) -> None:
        kept: list[asyncio.Lock] = []

        async def work(path: str) -> bool:
            if not kept:
                kept.append(asyncio.Lock())
                await kept[0].acquire()
                asyncio.get_running_loop().call_later(0.05, kept[0].release)
                return True
            await kept[0].acquire()  # waits on this loop, or is told that it belongs to another one
            return False

        handler = make_handler(serving(work))
        assert [get(handler)[1] for _ in range(2)] == [b"True", b"False"]

    def test_a_connection_that_a_request_closes_is_closed_when_it_is_answered(self, make_handler: MakeHandler) -> None:
        seen = []

        class Protocol(asyncio.Protocol):
            def connection_lost(self, error: Exception | None) -> None:
                seen.append("closed")

        async def work(path: str) -> None:
            running = asyncio.get_running_loop()
            server = await running.create_server(Protocol, "127.0.0.1", 0)
            transport, _ = await running.create_connection(Protocol, *server.sockets[0].getsockname())
            await asyncio.sleep(0)
            server.close()
            transport.close()

        get(make_handler(serving(work)))
        assert "closed" in seen

    def test_a_generator_that_a_request_leaves_is_closed_when_it_is_answered(self, make_handler: MakeHandler) -> None:
        closed = []

        async def numbers(path: str) -> Any:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                closed.append(path)

        async def work(path: str) -> object:
            async for number in numbers(path):
                return number
            return 0

        handler = make_handler(serving(work))
        for path in ("/a", "/b", "/c"):
            assert get(handler, path) == (200, b"1")
            assert closed[-1:] == [path]

    def test_what_the_garbage_collector_has_called_at_any_moment_is_called(self, make_handler: MakeHandler) -> None:
        loops: list[asyncio.AbstractEventLoop] = []
        called: list[int] = []

        class Late:
            def __del__(self) -> None:
                loops[0].call_soon(called.append, 1)

        async def work(path: str) -> str:
            loops.append(asyncio.get_running_loop())
            if path == "/leave":
                cycle: list[Any] = [Late()]
                cycle.append(cycle)
            return path

        handler = make_handler(serving(work))
        before = gc.get_threshold()
        try:
            for number in range(200):
                gc.set_threshold(5 + number % 50)
                assert get(handler, "/leave") == (200, b"/leave")
        finally:
            gc.set_threshold(*before)
        gc.collect()
        get(handler, "/a")
        assert len(called) == 200

    @pytest.mark.parametrize("args", [(), (1,)], ids=["no arguments", "arguments"])
    def test_what_is_called_while_a_task_is_made_is_called_and_the_task_begins(
        self, make_handler: MakeHandler, args: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[tuple[int, ...]] = []
        loops: list[asyncio.AbstractEventLoop] = []

        async def work(path: str) -> str:
            loops.append(asyncio.get_running_loop())
            return path

        handler = make_handler(serving(work))
        assert get(handler, "/first") == (200, b"/first")

        def call() -> None:
            loops[0].call_soon(lambda *given: called.append(given), *args)

        if sys.version_info < (3, 12):
            # Where a task enters itself, once it has asked for its first step: the garbage collector may come then.
            known: Any = asyncio.tasks._all_tasks  # type: ignore[attr-defined]

            def add(task: asyncio.Task[Any]) -> None:
                type(known).add(known, task)
                call()

            monkeypatch.setattr(known, "add", add)
        else:  # the task is on its way before anybody can come in between
            call()
        assert get(handler, "/second") == (200, b"/second")
        assert args in called


class TestContextVariables:
    def test_what_the_caller_set_is_seen_inside(self, make_handler: MakeHandler) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

        async def work(path: str) -> str:
            await asyncio.sleep(0)
            return variable.get()

        handler = make_handler(serving(work))
        assert get(handler) == (200, b"unset")
        token = variable.set("set")
        assert get(handler) == (200, b"set")
        variable.reset(token)
        assert get(handler) == (200, b"unset")

    @pytest.mark.parametrize("in_thread", [True, False])
    def test_what_is_set_inside_is_gone_afterwards(self, make_handler: MakeHandler, in_thread: bool) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

        async def work(path: str) -> str:
            before = variable.get()
            variable.set("left behind")
            await asyncio.create_task(asyncio.sleep(0))
            return f"{before} {variable.get()}"

        handler = make_handler(serving(work))

        def twice() -> list[Any]:
            return [get(handler), get(handler), variable.get()]

        if in_thread:
            get(handler)
            with ThreadPoolExecutor() as pool:
                found = pool.submit(twice).result()
        else:
            found = twice()
        assert found == [(200, b"unset left behind"), (200, b"unset left behind"), "unset"]

    def test_the_caller_s_are_seen_from_other_threads_and_loops_too(self, make_handler: MakeHandler) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

        async def work(path: str) -> str:
            await asyncio.sleep(0.01)
            return variable.get()

        handler = make_handler(serving(work))
        handler.startup()

        def call(text: str) -> bytes:
            variable.set(text)
            return get(handler)[1]

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(call, "abcdefgh")) == [letter.encode() for letter in "abcdefgh"]


class TestTasksLeftBehind:
    def test_they_end_before_the_answer(self, make_handler: MakeHandler) -> None:
        ended = []

        async def late() -> None:
            await asyncio.sleep(0.01)
            asyncio.create_task(later())  # noqa: RUF006 - left behind on purpose

        async def later() -> None:
            await asyncio.sleep(0.01)
            ended.append(True)

        async def work(path: str) -> None:
            asyncio.create_task(late())  # noqa: RUF006

        assert get(make_handler(serving(work)))[0] == 200
        assert ended == [True]

    def test_those_of_a_request_that_failed_do_too(self, make_handler: MakeHandler) -> None:
        ended = []

        async def late() -> None:
            await asyncio.sleep(0.01)
            ended.append(True)

        async def work(path: str) -> None:
            asyncio.create_task(late())  # noqa: RUF006
            raise ValueError

        assert get(make_handler(serving(work)))[0] == 500
        assert ended == [True]

    def test_one_that_fails_does_not_harm_the_answer(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def late() -> None:
            await asyncio.sleep(0)
            raise ValueError("in the background")

        async def work(path: str) -> str:
            asyncio.create_task(late())  # noqa: RUF006
            return "fine"

        assert get(make_handler(serving(work))) == (200, b"fine")

    def test_they_are_not_waited_for_without_end(
        self, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(settle, "SECONDS", 0.02)
        ended = []

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        kept = []

        async def work(path: str) -> str:
            if path == "/first":
                kept.append(asyncio.create_task(forever(), name="the listener"))
            return "fine"

        handler = make_handler(serving(work))
        with caplog.at_level(logging.WARNING):
            assert get(handler, "/first") == (200, b"fine")
        assert "the listener" in caplog.text
        caplog.clear()
        assert get(handler, "/second") == (200, b"fine")
        assert caplog.text == ""
        assert ended == []
        handler.close()
        assert ended == [True]

    def test_what_the_lifespan_starts_is_not_waited_for(
        self, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(settle, "SECONDS", 60.0)
        tasks = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await receive()
                tasks.append(asyncio.create_task(asyncio.sleep(100)))
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
            else:
                await say(send, tasks[0].done())

        assert get(make_handler(app)) == (200, b"False")

    def test_nor_is_the_lifespan_of_another_application_that_a_request_is_the_first_to_call(
        self, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settle, "SECONDS", 60.0)

        async def inner_work(path: str) -> str:
            return "inner"

        inner = make_handler(serving(inner_work))

        async def work(path: str) -> bytes:
            _, body = await asyncio.to_thread(get, inner)
            return body

        assert get(make_handler(serving(work))) == (200, b"b'inner'")


class TestThreads:
    def test_another_thread_may_call(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> tuple[int, str]:
            return id(asyncio.get_running_loop()), threading.current_thread().name

        handler = make_handler(serving(work))
        here = get(handler)[1]
        with ThreadPoolExecutor(1) as pool:
            there = pool.submit(get, handler).result()[1]
            again = pool.submit(get, handler).result()[1]
        assert here.split(b",")[0] == there.split(b",")[0]
        assert there == again

    def test_many_threads_at_once_share_one_loop_and_one_lifespan(self, make_handler: MakeHandler) -> None:
        loops = set()
        running = 0
        most = 0

        async def work(path: str) -> str:
            nonlocal running, most
            loops.add(asyncio.get_running_loop())
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.002)
            running -= 1
            return path

        app = serving(work)
        handler = make_handler(app)
        barrier = threading.Barrier(16)

        def call(number: int) -> bool:
            barrier.wait()
            return all(get(handler, f"/{number}/{turn}") == (200, f"/{number}/{turn}".encode()) for turn in range(5))

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(call, range(16)))
        assert app.lifespans == 1
        assert len(loops) == 1
        assert most > 1  # they ran side by side

    def test_a_request_is_answered_while_another_one_waits_for_it(self, make_handler: MakeHandler) -> None:
        opened = threading.Event()
        doors: dict[str, asyncio.Event] = {}

        async def work(path: str) -> str:
            if path == "/wait":
                doors["/"] = asyncio.Event()
                opened.set()
                await doors["/"].wait()
            else:
                doors["/"].set()
            return path

        handler = make_handler(serving(work))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(get, handler, "/wait")
            assert opened.wait(10)
            assert get(handler, "/open") == (200, b"/open")
            assert waiting.result(10) == (200, b"/wait")

    def test_failures_go_to_the_thread_that_called(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            await asyncio.sleep(0.005)
            if path == "/exit":
                raise SystemExit(3)
            return path

        handler = make_handler(serving(work))

        def call(path: str) -> Any:
            try:
                return get(handler, path)[1]
            except SystemExit as error:
                return error.code

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(call, ["/a", "/exit", "/b", "/exit"] * 4))
        assert found == [b"/a", 3, b"/b", 3] * 4

    @pytest.mark.parametrize("shared", [True, False])
    def test_a_background_task_that_ends_the_process_hangs_nobody(
        self, shared: bool, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def leave() -> None:
            await asyncio.sleep(0)
            raise SystemExit(3)

        async def work(path: str) -> str:
            if path == "/exit":
                asyncio.create_task(leave())  # noqa: RUF006
                await asyncio.sleep(10)
            return path

        handler = make_handler(serving(work))
        if shared:
            hand_over(handler)
        with pytest.raises(SystemExit):
            get(handler, "/exit")
        assert get(handler, "/after") == (200, b"/after")

    def test_an_application_may_call_the_handler_in_a_thread(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            if path == "/outer":
                status, body = await asyncio.to_thread(get, handler, "/inner")
                return f"{status} {body.decode()}"
            return path

        handler = make_handler(serving(work))
        assert [get(handler, "/outer") for _ in range(3)] == [(200, b"200 /inner")] * 3

    def test_an_application_that_calls_the_handler_on_its_own_loop_is_told_so(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work(path: str) -> str:
            return str(get(handler, "/inner")[0]) if path == "/outer" else path

        handler = make_handler(serving(work))
        assert get(handler, "/outer") == (200, b"500")
        assert "asyncio.to_thread" in caplog.text
        assert get(handler, "/other") == (200, b"/other")


def hand_over(handler: bridge.Handler) -> None:
    """Have a thread of its own drive the handler's loop from now on."""

    async def inside() -> None:
        get(handler)

    asyncio.run(inside())


class TestInsideARunningLoop:
    async def test_it_may_be_called(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> int:
            return id(asyncio.get_running_loop())

        handler = make_handler(serving(work))
        first, second = get(handler), get(handler)
        assert first == second
        assert first != (200, str(id(asyncio.get_running_loop())).encode())

    async def test_it_may_be_closed(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            return path

        app = serving(work)
        handler = make_handler(app)
        get(handler)
        handler.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "bridge event loop"]

    async def test_it_may_be_called_in_threads_at_once(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            await asyncio.sleep(0.01)
            return path

        app = serving(work)
        handler = make_handler(app)
        calls = [asyncio.to_thread(get, handler, f"/{number}") for number in range(8)]
        assert await asyncio.gather(*calls) == [(200, f"/{number}".encode()) for number in range(8)]
        assert app.lifespans == 1

    def test_outside_and_inside_take_turns(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> int:
            return id(asyncio.get_running_loop())

        handler = make_handler(serving(work))

        async def inside() -> tuple[int, bytes]:
            return get(handler)

        found = {get(handler), asyncio.run(inside()), get(handler), asyncio.run(inside())}
        assert len(found) == 1


class TestAnswer:
    """The application on the loop that runs, as servers of many requests have it."""

    async def test_it_runs_on_the_running_loop(self) -> None:
        async def work(path: str) -> bool:
            return asyncio.get_running_loop() is here

        here = asyncio.get_running_loop()
        app = serving(work)
        handler = bridge.asgi_handler(app)
        payloads = await asyncio.gather(*[handler.answer(event()) for _ in range(4)])
        assert [payload["body"] for payload in payloads] == ["True"] * 4
        assert app.lifespans == 1
        assert handler.hosted is not None
        await handler.hosted.close_here()

    async def test_a_call_that_is_given_up_ends_its_request(self) -> None:
        ended = []

        async def work(path: str) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append(path)

        handler = bridge.asgi_handler(serving(work))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handler.answer(event("/slow")), 0.05)
        await asyncio.sleep(0.01)
        assert ended == ["/slow"]
        assert handler.hosted is not None
        await handler.hosted.close_here()

    async def test_what_is_no_exception_is_not_swallowed(self) -> None:
        async def work(path: str) -> None:
            raise SystemExit(3)

        handler = bridge.asgi_handler(serving(work), lifespan="off")
        with pytest.raises(SystemExit):
            await handler.answer(event())


class TestAfterClose:
    def test_a_call_is_a_logged_500_that_says_so(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work(path: str) -> str:
            return path

        handler = make_handler(serving(work))
        assert get(handler)[0] == 200
        handler.close()
        assert get(handler)[0] == 500
        assert "was closed" in caplog.text

    def test_a_startup_is_an_error(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            return path

        handler = make_handler(serving(work))
        handler.startup()
        handler.close()
        with pytest.raises(bridge.BridgeError, match="was closed"):
            handler.startup()


class TestClose:
    def test_requests_in_other_threads_are_answered_first(self, make_handler: MakeHandler) -> None:
        begun = threading.Event()

        async def work(path: str) -> str:
            begun.set()
            await asyncio.sleep(0.05)
            return path

        handler = make_handler(serving(work))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(get, handler, "/slow")
            assert begun.wait(10)
            handler.close()
            assert waiting.result(10) == (200, b"/slow")

    def test_a_task_that_will_not_end_does_not_hold_it_up(
        self, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settle, "SECONDS", 0.01)
        monkeypatch.setattr(loop, "END_SECONDS", 0.02)
        asked = []

        async def stubborn() -> None:
            for _ in range(2):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    asked.append(True)

        kept: list[Any] = []

        async def work(path: str) -> str:
            kept.append(asyncio.create_task(stubborn()))
            return path

        handler = make_handler(serving(work))
        assert get(handler)[0] == 200
        handler.close()
        assert asked == [True]
        assert not kept[0].done()
        kept[0]._log_destroy_pending = False  # as it says, and has reason to
        kept[0].get_coro().close()

    def test_an_executor_s_thread_that_is_at_work_does_not_hold_it_up(self, make_handler: MakeHandler) -> None:
        let_go = threading.Event()

        async def work(path: str) -> str:
            asyncio.get_running_loop().run_in_executor(None, let_go.wait)
            return path

        handler = make_handler(serving(work))
        assert get(handler)[0] == 200
        handler.close()
        assert not let_go.is_set()
        let_go.set()

    def test_asynchronous_generators_are_closed(self, make_handler: MakeHandler) -> None:
        ended = []

        async def numbers() -> Any:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        kept = []

        async def work(path: str) -> int:
            kept.append(numbers())
            return await anext(kept[0])

        handler = make_handler(serving(work))
        assert get(handler) == (200, b"1")
        handler.close()
        assert ended == [True]

    @pytest.mark.parametrize("in_a_cycle", [True, False])
    def test_a_handler_that_nobody_holds_shuts_its_application_down(
        self, in_a_cycle: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        gc.collect()  # what other tests have left
        caplog.clear()
        ended = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await asyncio.sleep(0)
                ended.append(True)
                await send({"type": "lifespan.shutdown.complete"})
            else:
                await say(send, "fine")

        handler = bridge.asgi_handler(app)
        if in_a_cycle:
            handler.itself = handler  # type: ignore[attr-defined]
        assert get(handler) == (200, b"fine")
        del handler
        gc.collect()
        assert ended == [True]
        assert caplog.text == ""

    def test_one_that_its_application_holds_lives_as_long_as_the_process(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        gc.collect()  # what other tests have left
        caplog.clear()
        ended = []

        class App:
            def __init__(self) -> None:
                self.handler = bridge.asgi_handler(self)

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] != "lifespan":
                    await say(send, "fine")
                    return
                await receive()
                await send({"type": "lifespan.startup.complete"})
                try:
                    await receive()
                    await send({"type": "lifespan.shutdown.complete"})
                finally:
                    ended.append(True)

        app = App()
        assert get(app.handler) == (200, b"fine")
        kept = ref(app)
        del app
        gc.collect()
        assert ended == []
        still = kept()
        assert still is not None
        still.handler.close()
        assert ended == [True]
        assert caplog.text == ""
