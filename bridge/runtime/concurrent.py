"""The runtime on an event loop: answers many invocations at once, for Lambda Managed Instances.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from bridge.asgi.background import create_task, request_tasks
from bridge.handlers import Handler, make_threaded_handler
from bridge.request import current
from bridge.response_callbacks import defer
from bridge.runtime.asgi_cycle import RuntimeCycle
from bridge.runtime.client import RuntimeApi
from bridge.runtime.handler_calls import await_in_task, call_in_thread, handler_threads, is_async
from bridge.runtime.runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from bridge.asgi.application import AsgiApplication
    from bridge.response import Response
    from bridge.runtime.responses import SentResponse

# A thread in which a WSGI application continues after its deadline is not free for other requests.
_SPARE_THREADS = 32


class ConcurrentRuntime(Runtime):
    """Answers several invocations at once: ASGI applications and async handlers on one loop, the others in threads."""

    def __init__(self, handler: Any, address: str, *, stream: bool = False, concurrency: int) -> None:
        if stream and issubclass(type(handler), Handler) and handler.asgi is None:
            threads = ThreadPoolExecutor(concurrency + _SPARE_THREADS, "bridge function")
            handler = make_threaded_handler(handler.app, handler.settings, threads)
        super().__init__(handler, address, stream=stream)
        self._runner = asyncio.Runner()
        self._apis = [RuntimeApi(address) for _ in range(concurrency)]
        self._threads = handler_threads(concurrency)
        self._is_async = is_async(handler)
        self._on_loop = self._asgi if self._application is not None else None

    def start(self) -> None:
        """Start the application: on the loop, unless its handler is wrapped and runs its own."""
        defer()
        if self._on_loop is not None:
            self._runner.get_loop().set_task_factory(create_task)  # records the tasks that requests leave behind
            self._on_loop.host_cancels = False
            self._runner.run(self._on_loop.startup_here())
        elif self._inner is not None:
            self._inner.startup()

    def run(self) -> int:
        """Answer invocations until :meth:`stop` is called, and return the exit status."""
        try:
            self._runner.run(self._poll_all())
        finally:
            self._is_ending = True
            if self._on_loop is not None:
                self._on_loop.host_cancels = True
        return self._status

    def close(self) -> None:
        """Shut the application down. Threads that still run are not waited for."""
        defer(is_deferred=False)
        with self._runner:  # closes it at the end
            if self._on_loop is not None:
                self._runner.run(self._on_loop.close_here())
            elif self._inner is not None:
                self._inner.close()
            for api in self._apis:
                api.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def run_awaitable(self, awaitable: Any) -> Any:
        """Return the result of an awaitable, on the loop."""
        return self._runner.run(self._await(awaitable))

    async def _poll_all(self) -> None:
        async def poll(api: RuntimeApi) -> None:
            api.attach(asyncio.get_running_loop())
            while (invocation := await api.next()) is not None:
                await self._answer(invocation, api)
                current.set(None)
                request_tasks.set(None)

        await asyncio.gather(*map(poll, self._apis))

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._is_async and function is self._handler:
            return function(*args)
        return await call_in_thread(self._threads, function, *args)

    async def _respond_asgi(self, asgi: AsgiApplication, sent: SentResponse) -> Response:
        response: Response = await await_in_task(asgi.serve(sent.scope, RuntimeCycle(sent)))
        return response

    async def _await(self, awaitable: Awaitable[Any]) -> Any:
        return await await_in_task(awaitable)
