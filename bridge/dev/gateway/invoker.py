"""Invoking functions as Lambda does: with JSON, with a context, and until a deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.invocation import FunctionError, ReceivedStream
from bridge.dev.gateway.models import RefusedError
from bridge.dev.gateway.payload_validation import lambda_json
from bridge.dev.gateway.streaming import StreamedAnswer, read_stream
from bridge.handlers import Handler
from bridge.logs import logger
from bridge.runtime.concurrent_runtime import call_in_thread, handler_threads, is_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import ThreadPoolExecutor

    from bridge.dev.gateway.models import FrontDoor

# Seconds after its deadline until a function is cancelled. Handlers log their stack at the deadline.
_GRACE_SECONDS = 0.1


@runtime_checkable
class SupportsLifespan(Protocol):
    """An object that lives as long as the server: a hosted ASGI application, or a Lambda service."""

    async def startup_here(self) -> None:
        """Start on the running event loop."""

    async def close_here(self) -> None:
        """Shut down on the running event loop."""


class FunctionInvoker:
    """Invokes the functions behind a front door.

    Args:
        handlers: ``(event, context) -> payload``, synchronous or asynchronous, by function name.
        front_door: the rules of the front door.
        timeout: how long the front door waits for a function, in seconds.
        timeouts: the functions' own timeouts by name, in seconds. The default is a second more than *timeout*.
        threads: how many requests synchronous handlers answer at once.

    Attributes:
        late: the tasks of functions that still run after the front door has answered without them.
    """

    def __init__(
        self,
        handlers: Mapping[str, Callable[[Any, Any], Any]],
        front_door: FrontDoor,
        timeout: float,
        timeouts: Mapping[str, float],
        threads: int,
    ) -> None:
        self._handlers = handlers
        self._front_door = front_door
        self._timeout = timeout
        self._timeouts = timeouts
        self._thread_count = threads
        self._threads = self._new_threads()
        self.late: set[asyncio.Task[Any]] = set()

    @property
    def lifespans(self) -> list[SupportsLifespan]:
        """The ASGI applications and Lambda services among the handlers."""
        hosts = [handler.asgi if isinstance(handler, Handler) else handler for handler in self._handlers.values()]
        return [host for host in hosts if isinstance(host, SupportsLifespan)]

    def new_context(self, name: str) -> LocalContext:
        """Return the context of a new invocation of the function *name*."""
        return LocalContext(self._timeout_of(name), name)

    async def invoke(self, name: str, event: Any, context: LocalContext) -> Any:
        """Invoke a function.

        Args:
            name: the name of the function.
            event: the event, as read from JSON.
            context: of :meth:`new_context`.

        Returns:
            The payload as JSON, or a :class:`StreamedAnswer`.

        Raises:
            RefusedError: the function failed, exceeded Lambda's limit, or did not answer in time.
            CancelledError: the calling task was cancelled; so is the function.
        """
        own_timeout = self._timeout_of(name)
        task = asyncio.create_task(self._outcome(name, event, context))
        try:
            await asyncio.wait([task], timeout=min(own_timeout, self._timeout))
        except asyncio.CancelledError:
            self._abandon(task, 0)
            raise
        if task.done():
            payload = task.result()
            if isinstance(payload, BaseException):
                raise self._refusal(payload) from None
            return payload
        self._abandon(task, max(0, own_timeout - self._timeout) + _GRACE_SECONDS)
        if own_timeout < self._timeout:
            raise RefusedError(
                self._front_door.failed,
                f"the function exceeded its own timeout of {own_timeout:g} s; raise it, or answer sooner",
            )
        raise RefusedError(
            self._front_door.timed_out,
            f"the function did not answer in {self._timeout:g} s; answer sooner, or raise --timeout",
        )

    def behind(self, front_door: FrontDoor) -> FunctionInvoker:
        """Return an invoker of the same functions for another front door, with that one's own timeout."""
        other = FunctionInvoker(self._handlers, front_door, front_door.timeout, self._timeouts, self._thread_count)
        other.late = self.late
        return other

    def close(self) -> None:
        """Cancel the functions that are late. Threads are not waited for."""
        for task in self.late:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _timeout_of(self, name: str) -> float:
        return self._timeouts.get(name, self._timeout + 1)

    async def _outcome(self, name: str, event: Any, context: LocalContext) -> Any:
        """Return the payload, or the exception: asyncio would end the event loop where a task raises SystemExit."""
        handler = self._handlers[name]
        try:
            if isinstance(handler, Handler) and handler.is_async:
                result = await handler.answer(event, context)
            elif is_async(handler):
                result = await handler(event, context)
            else:
                result = await call_in_thread(self._threads, handler, event, context)
            if isinstance(result, ReceivedStream):
                return await read_stream(result, self._front_door)
            return lambda_json(result, self._front_door.failed)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            return error

    def _refusal(self, error: BaseException) -> RefusedError:
        """Return the front door's answer to a function that failed with *error*."""
        if isinstance(error, RefusedError):
            return error
        if isinstance(error, FunctionError):  # the function's process has logged the details
            return RefusedError(self._front_door.failed, f"the function failed: {error}")
        if isinstance(error, SystemExit):  # on AWS, sys.exit() ends the function's process
            exit_call, error = error, RuntimeError(f"the function called sys.exit({error.code!r})")
            error.__cause__ = exit_call
        logger.error("The function failed.", exc_info=error)
        return RefusedError(
            self._front_door.failed,
            f"the function failed, its traceback is above: {type(error).__name__}: {error}",
        )

    def _abandon(self, task: asyncio.Task[Any], seconds: float) -> None:
        """Cancel *task* in *seconds*, at once if 0, and discard its result."""
        timer = asyncio.get_running_loop().call_later(seconds, task.cancel)
        if not seconds:
            task.cancel()

        def discard(task: asyncio.Task[Any]) -> None:
            timer.cancel()
            self.late.discard(task)
            if not task.cancelled() and isinstance(payload := task.result(), StreamedAnswer):
                payload.close()

        self.late.add(task)
        task.add_done_callback(discard)
        if len(self.late) % self._thread_count == 0:  # their threads may never be free again
            self._threads = self._new_threads()

    def _new_threads(self) -> ThreadPoolExecutor:
        return handler_threads(self._thread_count)
