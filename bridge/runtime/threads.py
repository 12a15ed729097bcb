"""Lambda handlers that are called from an event loop: async ones on it, others in threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from inspect import iscoroutinefunction
from weakref import finalize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    LambdaHandler = Callable[[Any, Any], Any]


def is_async(handler: LambdaHandler) -> bool:
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
    result, error = await asyncio.get_running_loop().run_in_executor(threads, run, _outcome, function, args)
    if error is not None:
        raise error
    return result


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """Return the function's result and its exception. A future cannot carry every exception, such as StopIteration."""
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


def _set_event_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    finalize(threading.current_thread(), loop.close)
