"""The tasks that requests leave behind when the application has returned."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar

from bridge.deadline import watcher
from bridge.logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.request import Scope

# The wait for the tasks of a request ends this time before its deadline, or before the report of that.
_MARGIN_SECONDS = 0.1

# The tasks that the current request has started and that are not done. Tasks inherit the variable, so what they start
# is the request's as well; tasks of the lifespan belong to no request.
request_tasks: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("bridge.request_tasks", default=None)


def create_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory (``loop.set_task_factory``) that adds each new task to :data:`request_tasks`."""
    task = asyncio.Task(coro, loop=loop, **options)
    tasks = request_tasks.get()
    if tasks is not None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return task


class BackgroundTasks:
    """Waits for the tasks of requests before Lambda freezes the process, which would resume them in a later request.

    Args:
        seconds: the longest wait for one request.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeouts: set[asyncio.Timeout] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopped = False

    async def wait(self, scope: Scope, tasks: set[asyncio.Task[Any]]) -> None:
        """Wait until *tasks*, the :data:`request_tasks` of *scope*, is empty: tasks that are done leave the set.

        Tasks that outlive the wait are logged, and belong to no request from then on.
        """
        self._loop = asyncio.get_running_loop()
        seconds = max(0.0, min(self._seconds, watcher.seconds_left(scope) - _MARGIN_SECONDS))
        timeout = asyncio.timeout(seconds)
        with suppress(TimeoutError):
            async with timeout:
                self._timeouts.add(timeout)
                try:
                    while tasks and not self._is_stopped:
                        await asyncio.wait([*tasks])
                finally:
                    self._timeouts.discard(timeout)
        if tasks and self._seconds and not self._is_stopped:
            functions = [*map(_description, tasks)]
            logger.warning(
                "Background tasks of %s are still running after %.1f s: %s. Lambda freezes them now; they go on during "
                "later requests. Start lasting tasks in the lifespan, or set the option background_seconds.",
                scope,
                seconds,
                ", ".join(functions[:5] + ["…"] * (len(functions) > 5)),
            )
        tasks.clear()

    def stop(self) -> None:
        """End all waits, because the process ends. May be called in a signal handler or another thread."""
        self._is_stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end_waits)

    def _end_waits(self) -> None:
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(0)


def _description(task: asyncio.Task[Any]) -> str:
    """The function that a task runs, such as ``Watcher.run``, with the task's own name, if it has one."""
    coroutine, name = task.get_coro(), task.get_name()
    function = getattr(coroutine, "__qualname__", repr(coroutine))
    return function if name == "None" or name.startswith("Task-") else f"{function} ({name})"
