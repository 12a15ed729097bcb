"""The runtime on an event loop: answers many invocations at once, for Lambda Managed Instances.

ASGI applications and async handlers run in tasks, the others in threads.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from inspect import iscoroutinefunction
from weakref import finalize

from bridge import response_callbacks
from bridge.asgi.loop import request_tasks, run_until_stopped, task_factory
from bridge.handlers import Handler, make_threaded_handler
from bridge.request import current
from bridge.runtime.asgi_cycle import RuntimeCycle
from bridge.runtime.client import RuntimeApi
from bridge.runtime.runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from bridge.asgi.application import AsgiApplication
    from bridge.response import Response
    from bridge.runtime.sent_response import SentResponse

    Outcome = tuple[Any, BaseException | None]

# A thread in which a WSGI application continues after its deadline is not free for other requests.
_SPARE_THREADS = 32


class ConcurrentRuntime(Runtime):
    """Answers *concurrency* invocations at once."""

    def __init__(self, handler: Any, address: str, *, stream: bool = False, concurrency: int) -> None:
        if stream and issubclass(type(handler), Handler) and handler.asgi is None:
            threads = ThreadPoolExecutor(concurrency + _SPARE_THREADS, "bridge function")
            handler = make_threaded_handler(handler.app, handler.settings, threads)
        super().__init__(handler, address, stream=stream)
        self._runner = asyncio.Runner()
        self._apis = [RuntimeApi(address) for _ in range(concurrency)]
        self._threads = handler_threads(concurrency)
        self._is_async = is_async(handler)
        is_on_loop = self._application is not None and self._asgi is not None and not self._asgi.has_own_loop
        self._on_loop = self._asgi if is_on_loop else None

    def start(self) -> None:
        """Start the application: on the loop, unless its handler is wrapped, or has started it on its own loop."""
        if self._on_loop is None:
            super().start()
            return
        response_callbacks.is_deferred = True
        self._runner.get_loop().set_task_factory(task_factory)  # records the tasks that requests leave behind
        self._on_loop.host_cancels = False
        self._run_until_complete(self._on_loop.startup_here())

    def run(self) -> int:
        """Answer invocations until :meth:`stop` is called, and return the exit status."""
        tasks = [_PollingTask(self._poll(api), loop=self._runner.get_loop()) for api in self._apis]
        try:
            self._run_until_complete(asyncio.gather(*tasks))
        finally:
            self._is_ending = True
            for task in tasks:
                task.is_lasting = False
            if self._on_loop is not None:
                self._on_loop.host_cancels = True
        return self._status

    def close(self) -> None:
        """Shut the application down. Threads that still run are not waited for."""
        with self._runner:  # closes it at the end
            if self._on_loop is not None:
                self._run_until_complete(self._on_loop.close_here())
            super().close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def run_awaitable(self, awaitable: Any) -> Any:
        """Return the result of an awaitable, on the loop."""
        return self._run_until_complete(self._await(awaitable))

    def _run_until_complete(self, awaitable: Awaitable[Any]) -> Any:
        """Return the result of an awaitable; an application that stops the loop does not end it."""
        future = asyncio.ensure_future(awaitable, loop=self._runner.get_loop())
        while not future.done():
            run_until_stopped(self._runner.get_loop(), future)
        return future.result()

    async def _poll(self, api: RuntimeApi) -> None:
        api.attach(asyncio.get_running_loop())
        while (invocation := await api.next()) is not None:
            await self._answer(invocation, api)
            current.set(None)
            request_tasks.set(None)

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._is_async and function is self._handler:
            return function(*args)
        return await call_in_thread(self._threads, function, *args)

    async def _respond_asgi(self, asgi: AsgiApplication, sent: SentResponse) -> Response:
        response: Response = await await_in_task(asgi.serve(sent.scope, RuntimeCycle(sent)))
        return response

    async def _await(self, awaitable: Awaitable[Any]) -> Any:
        return await await_in_task(awaitable)


class _PollingTask(asyncio.Task[None]):
    """A task that ignores cancellation while it *is_lasting*, such as that of an application that cancels all tasks."""

    is_lasting = True

    def cancel(self, msg: Any = None) -> bool:
        return not self.is_lasting and super().cancel(msg)


def is_async(handler: Callable[[Any, Any], Any]) -> bool:
    """Whether *handler* has to be awaited."""
    return iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__)


def handler_threads(count: int) -> ThreadPoolExecutor:
    """Return an executor with *count* threads for handlers.

    Each thread has an event loop, as the main thread has it on Lambda: ``asyncio.get_event_loop()`` returns it.
    """

    def set_event_loop() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        finalize(threading.current_thread(), loop.close)

    return ThreadPoolExecutor(count, "bridge function", initializer=set_event_loop)


async def call_in_thread(threads: ThreadPoolExecutor, function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function that is called in a thread, with the context variables of the calling task."""
    run = copy_context().run
    return _result(*await asyncio.get_running_loop().run_in_executor(threads, run, _outcome, function, args))


async def await_in_task(awaitable: Awaitable[Any]) -> Any:
    """Return the result of an awaitable that is awaited in a task of its own, which it may cancel."""
    try:
        return _result(*await asyncio.create_task(_awaited_outcome(awaitable)))
    finally:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()  # the task may be cancelled before it has begun


# A future cannot carry every exception, such as StopIteration, and a task that raises SystemExit ends its event loop.


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


async def _awaited_outcome(awaitable: Awaitable[Any]) -> Outcome:
    try:
        return await awaitable, None
    except BaseException as error:
        return None, error


def _result(result: Any, error: BaseException | None) -> Any:
    try:
        if error is not None:
            raise error
        return result
    finally:
        del error  # its traceback refers to this frame
