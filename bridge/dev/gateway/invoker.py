"""The functions behind a front door, called as Lambda calls them: through JSON, with a context, until a deadline."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bridge import logger
from bridge.adapter import Handler
from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.invocation import FunctionError, ReceivedStream
from bridge.dev.gateway.models import Answer, RefusedError
from bridge.dev.gateway.payloads import through_lambda
from bridge.dev.gateway.streaming import StreamedAnswer, begin
from bridge.interfaces.call import call, give_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from bridge.dev.gateway import FrontDoor
    from bridge.interfaces.call import LambdaHandler

# How long after its deadline a function is cancelled that has not ended by itself, which shows in the log where it is.
_GRACE_SECONDS = 0.1


@runtime_checkable
class Hosted(Protocol):
    """What lives as long as the server does."""

    async def startup_here(self) -> None:
        """Start up, on the loop that runs."""

    async def close_here(self) -> None:
        """Shut down."""


class TooLateError(Exception):
    """The function has come to its end after the front door gave it up and answered."""


class Functions:
    """The functions behind a front door.

    Args:
        handlers: ``(event, context) -> payload``, plain or async, by function name.
        front_door: its rules.
        timeout: how long the front door waits for a function, in seconds.
        timeouts: the functions' own timeouts by name, in seconds; without one a function's deadline is a second after
            the front door's.
        threads: how many requests a plain handler answers at once.

    Attributes:
        late: the tasks of functions that the front door has given up and that still run.
    """

    def __init__(
        self,
        handlers: Mapping[str, LambdaHandler],
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
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def hosted(self) -> list[Hosted]:
        """What is to be started up and closed: the ASGI applications among them, and services with processes."""
        found = [handler.hosted if isinstance(handler, Handler) else handler for handler in self._handlers.values()]
        return [each for each in found if isinstance(each, Hosted)]

    async def invoke(self, name: str, event: Any, give_up: Callable[[Answer], Coroutine[Any, Any, None]]) -> Any:
        """Call a function in this task, which spares each request another one.

        Args:
            name: the function's.
            event: the event, through JSON.
            give_up: answers the client when the time is over and the function still runs.

        Returns:
            The payload, through JSON; or a :class:`StreamedAnswer`.

        Raises:
            RefusedError: the function failed, or answered more than Lambda takes, or the server had to end.
            TooLateError: *give_up* was called.
        """
        own = self._timeouts.get(name, self._timeout + 1)
        context = LocalContext.starting(own, name)
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        timer = loop.call_later(min(own, self._timeout), self._give_up, task, own, give_up)
        payload: Any = None
        try:
            result = await self._result(name, event, context)
            if isinstance(result, ReceivedStream):
                payload = await begin(result, self._front_door)
            elif type(self._handlers[name]) is Handler:
                payload = result  # made of what JSON knows, and no larger than Lambda takes
            else:
                payload = through_lambda(result, self._front_door.failed)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if task not in self.late:
                self._refuse(error, task)
        finally:
            timer.cancel()
        if task in self.late:
            self.late.discard(task)
            if task.cancelling():  # by _end, which was heard
                task.uncancel()
            if isinstance(payload, StreamedAnswer):
                payload.close()
            raise TooLateError
        return payload

    async def _result(self, name: str, event: Any, context: LocalContext) -> Any:
        handler = self._handlers[name]
        if isinstance(handler, Handler) and handler.is_async:
            return await handler.answer(event, context)
        return await call(handler, event, context, self._threads)

    def _refuse(self, error: BaseException, task: asyncio.Task[Any]) -> None:
        """Raise what the front door answers where the function ended with *error*."""
        if isinstance(error, RefusedError):
            raise error
        if isinstance(error, asyncio.CancelledError) and task.cancelling():
            why = "the function did not answer before the server had to end"
            raise RefusedError(replace(self._front_door.timed_out, why=why)) from None
        if isinstance(error, SystemExit):  # on AWS this ends the function's process, not the front door's
            said, error = error, RuntimeError(f"the function called sys.exit({error.code!r})")
            error.__cause__ = said
        if isinstance(error, FunctionError):  # of another process: its own log says more
            raise RefusedError(replace(self._front_door.failed, why=f"the function failed: {error}")) from None
        logger().error("The function failed.", exc_info=error)
        why = f"the function failed, its traceback is above: {type(error).__name__}: {error}"
        raise RefusedError(replace(self._front_door.failed, why=why)) from None

    def _give_up(
        self, task: asyncio.Task[Any], own: float, give_up: Callable[[Answer], Coroutine[Any, Any, None]]
    ) -> None:
        """The time is over: have the client answered, and the function ended at its own deadline."""
        self.late.add(task)
        if len(self.late) % self._thread_count == 0:
            self._threads = self._new_threads()  # the late ones may never give theirs back
        if own < self._timeout:
            why = f"the function was ended by its own timeout of {own:g} s; raise it, or answer sooner"
            answer = replace(self._front_door.failed, why=why)
        else:
            why = f"the function did not answer in {self._timeout:g} s; answer sooner, or raise --timeout"
            answer = replace(self._front_door.timed_out, why=why)
        loop = task.get_loop()
        answering = loop.create_task(give_up(answer))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        loop.call_later(max(0, own - self._timeout) + _GRACE_SECONDS, self._end, task)

    def _end(self, task: asyncio.Task[Any]) -> None:
        if task in self.late:
            task.cancel()

    def close(self) -> None:
        """End the functions that are late: on AWS they would be over, too. No threads are waited for."""
        for task in self.late:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._thread_count, "bridge function", initializer=give_loop)
