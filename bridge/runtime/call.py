"""Calling a Lambda handler, whatever it is, from an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from typing import Any

    LambdaHandler = Callable[[Any, Any], Any]


def is_async(handler: LambdaHandler) -> bool:
    """Whether *handler* is to be awaited."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


async def call(handler: LambdaHandler, event: Any, context: Any, threads: Executor | None = None) -> Any:
    """What *handler* gives for an event.

    Args:
        handler: ``(event, context) -> payload``, plain or async.
        event: the event.
        context: Lambda's context object.
        threads: where a plain one runs; None for here, while the loop stands still.

    Raises:
        BaseException: what *handler* raises.
    """
    if is_async(handler):
        return await handler(event, context)
    if threads is None:
        return handler(event, context)
    run = contextvars.copy_context().run
    loop = asyncio.get_running_loop()
    result, error = await loop.run_in_executor(threads, run, _outcome, handler, event, context)
    if error is not None:
        raise error
    return result


class _Closing:
    """Closes an event loop when the thread that it is kept for has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __del__(self) -> None:
        self._loop.close()


_kept = threading.local()


def give_loop() -> None:
    """Give the thread that calls an event loop, for handlers that ask for one and run it (``asyncio.get_event_loop``).

    For pools' threads, as their initializer: Lambda calls handlers in the main thread, which has one up to Python 3.13,
    and since then if the function's module sets it.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    _kept.loop = _Closing(loop)


def call_outside(function: Callable[..., Any], *args: Any) -> Any:
    """Call a plain function from the running loop as if there were none: it may run one of its own (``asyncio.run``).

    Raises:
        BaseException: what *function* raises.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    if task is not None:
        asyncio.tasks._leave_task(loop, task)  # since Python 3.14 the thread has one current task, not each loop
    asyncio._set_running_loop(None)
    try:
        return function(*args)
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)


def _outcome(handler: LambdaHandler, event: Any, context: Any) -> tuple[Any, BaseException | None]:
    """What *handler* returns or raises. Not raised here: a future cannot carry every exception (StopIteration)."""
    try:
        return handler(event, context), None
    except BaseException as error:
        return None, error
