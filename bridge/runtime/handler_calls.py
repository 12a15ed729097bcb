"""Calling handlers from an event loop: async ones in tasks, others in threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from inspect import iscoroutinefunction
from weakref import finalize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Outcome = tuple[Any, BaseException | None]


def is_async(handler: Callable[[Any, Any], Any]) -> bool:
    """Whether *handler* has to be awaited."""
    return iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__)


def handler_threads(count: int) -> ThreadPoolExecutor:
    """Return an executor with *count* threads for handlers.

    Each thread has an event loop, as the main thread has it on Lambda: ``asyncio.get_event_loop()`` returns it.
    """
    return ThreadPoolExecutor(count, "bridge function", initializer=_set_event_loop)


async def call_in_thread(threads: ThreadPoolExecutor, function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function that is called in a thread, with the context variables of the calling task."""
    run = copy_context().run
    return _result(*await asyncio.get_running_loop().run_in_executor(threads, run, _call, function, args))


async def await_in_task(awaitable: Awaitable[Any]) -> Any:
    """Return the result of an awaitable that is awaited in a task of its own, which it may cancel."""
    return _result(*await asyncio.create_task(_await(awaitable)))


# These return exceptions: a future cannot carry StopIteration, and a task that raises SystemExit ends its event loop.


def _call(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


async def _await(awaitable: Awaitable[Any]) -> Outcome:
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


def _set_event_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    finalize(threading.current_thread(), loop.close)
