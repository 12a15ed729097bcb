"""The event loop of an application: asyncio's features, context variables, and its end."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bridge.asgi import loop as loop_module
from tests.asgi.applications import Responding
from tests.helpers import get

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import MakeHandler

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class TestAsyncio:
    def test_timeouts_task_groups_events_queues_and_threads_work(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> list[Any]:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.sleep(10), 0.01)
            queue: asyncio.Queue[int] = asyncio.Queue()
            async with asyncio.TaskGroup() as group:
                group.create_task(queue.put(1))
                from_queue = await queue.get()
            from_thread = await asyncio.to_thread(lambda: 2)
            return [from_queue, from_thread, *await asyncio.gather(asyncio.sleep(0, 3), asyncio.sleep(0, 4))]

        assert get(make_handler(Responding(work))) == (200, b"[1, 2, 3, 4]")

    @pytest.mark.slow
    def test_subprocesses_work(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> bytes:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print('child')", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            return output.strip()

        assert get(make_handler(Responding(work))) == (200, b"b'child'")

    def test_an_object_of_one_request_can_be_used_in_the_next(self, make_handler: MakeHandler) -> None:
        lock = asyncio.Lock()

        async def work(path: str) -> bool:
            if path == "/first":
                await lock.acquire()
                asyncio.get_running_loop().call_later(0.05, lock.release)
            else:
                await lock.acquire()  # waits on this loop; on another one it raises RuntimeError
            return lock.locked()

        handler = make_handler(Responding(work))
        assert [get(handler, path)[1] for path in ("/first", "/second")] == [b"True", b"True"]

    def test_a_connection_that_a_request_closes_is_closed_with_the_response(self, make_handler: MakeHandler) -> None:
        events = []

        class Protocol(asyncio.Protocol):
            def connection_lost(self, error: Exception | None) -> None:
                events.append("closed")

        async def work(path: str) -> None:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(Protocol, "127.0.0.1", 0)
            transport, _ = await loop.create_connection(Protocol, *server.sockets[0].getsockname())
            await asyncio.sleep(0)
            server.close()
            transport.close()

        get(make_handler(Responding(work)))
        assert "closed" in events

    def test_an_abandoned_asynchronous_generator_is_closed_with_the_response(self, make_handler: MakeHandler) -> None:
        closed = []

        async def numbers(path: str) -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                closed.append((path, asyncio.get_running_loop()))

        async def work(path: str) -> object:
            async for number in numbers(path):
                return number, id(asyncio.get_running_loop())
            return None

        handler = make_handler(Responding(work))
        for path in ("/a", "/b", "/c"):
            body = get(handler, path)[1].decode()
            ((closed_path, loop),) = closed
            assert (closed_path, body) == (path, f"(1, {id(loop)})")
            closed.clear()


class TestContextVariables:
    def test_an_application_sees_the_caller_s_variables(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            await asyncio.sleep(0)
            return variable.get()

        handler = make_handler(Responding(work))
        assert get(handler) == (200, b"unset")
        token = variable.set("set")
        assert get(handler) == (200, b"set")
        variable.reset(token)
        assert get(handler) == (200, b"unset")

    def test_threads_have_variables_of_their_own(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            await asyncio.sleep(0.001)
            return variable.get()

        handler = make_handler(Responding(work))

        def call(text: str) -> bytes:
            variable.set(text)
            return get(handler)[1]

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(call, "abcdefgh")) == [letter.encode() for letter in "abcdefgh"]

    def test_variables_of_an_application_end_with_its_request(self, make_handler: MakeHandler) -> None:
        async def work(path: str) -> str:
            before = variable.get()
            variable.set("left behind")
            await asyncio.create_task(asyncio.sleep(0))
            return f"{before} {variable.get()}"

        handler = make_handler(Responding(work))

        def call() -> list[Any]:
            return [get(handler), get(handler), variable.get()]

        with ThreadPoolExecutor(1) as threads:
            for results in (call(), threads.submit(call).result()):
                assert results == [(200, b"unset left behind"), (200, b"unset left behind"), "unset"]


class TestClose:
    def test_a_task_that_ignores_its_cancellation_does_not_delay_it(
        self,
        make_handler: MakeHandler,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(loop_module, "CLOSE_SECONDS", 0.02)
        cancelled: list[bool] = []
        tasks: list[Any] = []

        async def stubborn() -> None:
            for _ in range(2):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    cancelled.append(True)

        async def work(path: str) -> str:
            tasks.append(asyncio.create_task(stubborn()))
            return path

        handler = make_handler(Responding(work), background_seconds=0.01)
        assert get(handler)[0] == 200
        handler.close()
        assert cancelled == [True]
        (task,) = tasks
        assert not task.done()
        task._log_destroy_pending = False  # asyncio would log it rightly
        task.get_coro().close()

    def test_a_busy_thread_of_the_executor_does_not_delay_it(self, make_handler: MakeHandler) -> None:
        release = threading.Event()

        async def work(path: str) -> str:
            asyncio.get_running_loop().run_in_executor(None, release.wait)
            return path

        handler = make_handler(Responding(work))
        assert get(handler)[0] == 200
        handler.close()
        assert not release.is_set()
        release.set()

    def test_asynchronous_generators_are_closed(self, make_handler: MakeHandler) -> None:
        closed, generators = [], []

        async def numbers() -> Any:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        async def work(path: str) -> int:
            generators.append(numbers())
            number: int = await anext(generators[0])
            return number

        handler = make_handler(Responding(work))
        assert get(handler) == (200, b"1")
        handler.close()
        assert closed == [True]
