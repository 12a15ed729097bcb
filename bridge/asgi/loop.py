"""The event loop of an ASGI application, and the tasks that requests leave behind on it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from contextvars import Context, ContextVar

from bridge.deadline import watcher
from bridge.errors import BridgeError
from bridge.logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import FrameType
    from typing import Any

    from bridge.request import Scope

# Seconds that cancelled tasks have to end when the loop is closed, and that closing waits for another thread's request.
CLOSE_SECONDS = 2.0
LOCK_SECONDS = 15.0
# The wait for the tasks of a request ends this long before the report of its deadline, or the deadline itself.
_MARGIN_SECONDS = 0.1

# The tasks that the current request has started and that are not done. Tasks inherit the variable, so what they start
# is the request's as well; tasks of the lifespan belong to no request.
request_tasks: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("bridge.request_tasks", default=None)


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory (``loop.set_task_factory``) that adds each new task to :data:`request_tasks`."""
    task = asyncio.Task(coro, loop=loop, **options)
    tasks = request_tasks.get()
    if tasks is not None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return task


class LoopRunner:
    """An event loop that runs while a request is answered and stands still in between, as a Lambda function does.

    The calling thread runs the loop. A call from another thread waits for its turn, so all requests, the lifespan and
    everything that the application keeps live on one loop.

    Args:
        loop: an event loop that another party closes; None for a new one, made by the current event loop policy.

    Attributes:
        loop: the event loop.
        is_adopted: whether the loop was passed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.is_adopted = loop is not None
        empty = Context()  # what the loop and the root task keep must not keep the first request alive
        self.loop = loop or empty.run(asyncio.new_event_loop)
        if self.loop.get_task_factory() is None:
            self.loop.set_task_factory(task_factory)
        self._is_closed = False
        self._lock = threading.Lock()
        self._task: asyncio.Task[Any] | None = None
        self._abandoned: asyncio.Task[Any] | None = None
        # The loop always runs until this task, which never ends, and is stopped when a request is answered. anyio
        # keeps its worker threads as long as the task lives that the loop was started with.
        self._root = empty.run(self.loop.create_task, self._wait_forever(), name="bridge")

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called, or the owner of an adopted loop has closed it."""
        return self._is_closed or self.loop.is_closed()

    def is_running(self) -> bool:
        """Whether a thread runs the loop."""
        return self._lock.locked()

    def run(self, coroutine: Coroutine[Any, Any, Any], timeout: float = -1) -> Any:
        """Return the result of a coroutine, in a thread that runs no event loop.

        Args:
            coroutine: the coroutine.
            timeout: the longest time in seconds to wait for another thread that runs the loop; -1 for any time.

        Raises:
            TimeoutError: :meth:`abandon` was called.
            BridgeError: the loop is closed, or *timeout* has passed.
        """
        if not self._lock.acquire(timeout=timeout):
            coroutine.close()
            raise BridgeError("The application cannot be shut down: a request blocks its event loop.")
        try:
            if self.is_closed:
                coroutine.close()
                raise BridgeError("This handler was closed. Make a new one.")
            # Not made by the task factory, whose request_tasks may be those of another application that calls this one.
            task = self._task = asyncio.Task(self._run_and_stop(coroutine), loop=self.loop)
            try:
                while not task.done() and self._abandoned is not task:
                    run_until_stopped(self.loop, self._root)
            except BaseException:  # KeyboardInterrupt, or a task that ends the process
                task.cancel()
                task.add_done_callback(lambda task: task.cancelled() or task.exception())  # asyncio would log it
                raise
        finally:
            self._task = self._abandoned = None
            self._lock.release()
        if not task.done():
            raise TimeoutError
        try:
            return task.result()
        finally:
            del task  # an exception refers to this frame, and the task to the exception

    def abandon(self, task: asyncio.Task[Any] | None) -> None:
        """Let :meth:`run` return although *task*, which it runs, has not ended. To be called on the loop."""
        if task is not None and task is self._task:
            self._abandoned = task
            self.loop.stop()

    def close(self) -> None:
        """Cancel the tasks that are left and close the loop; an adopted loop is left open, with its tasks.

        Threads of the loop's executor are not waited for.
        """
        if self.is_closed:
            return
        try:
            if not self.is_adopted:
                self.run(self._cancel_all(), LOCK_SECONDS)
        finally:
            self._is_closed = True
            if self._lock.acquire(timeout=CLOSE_SECONDS):
                self._root.cancel()
                self.loop.run_until_complete(self._root)
                if not self.is_adopted:
                    self.loop.close()
                self._lock.release()

    async def _run_and_stop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await coroutine
        finally:
            self.loop.stop()

    async def _wait_forever(self) -> None:
        while not self._is_closed:
            with suppress(asyncio.CancelledError):  # of an application that cancels all tasks
                await self.loop.create_future()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {self._root, asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        await asyncio.wait([asyncio.create_task(self.loop.shutdown_asyncgens())], timeout=CLOSE_SECONDS)


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

        Tasks that outlive the wait belong to no request from then on. They are logged, unless the longest wait is 0
        seconds or :meth:`stop` was called.
        """
        await asyncio.sleep(0)  # lets asyncio start the tasks that close abandoned asynchronous generators
        tasks.discard(asyncio.current_task())
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


def run_until_stopped(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
    """Run a loop until *future* is done, whose exception is raised, or until the loop is stopped."""
    try:
        loop.run_until_complete(future)
    except RuntimeError:  # asyncio reports that the loop was stopped before the future was done
        if loop.is_closed() or future.done():
            raise


def await_chain(task: asyncio.Task[Any]) -> list[FrameType]:
    """The frames in which a task is suspended, from the outermost inwards; none if the task is done."""
    frames = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        # A coroutine, a generator or an asynchronous generator; a future, at the end, has none of these.
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaited, f"{kind}_frame")), "")
        frames.append(getattr(awaited, f"{kind}_frame", None))
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)
    return [frame for frame in frames if frame is not None]


def is_loop_running() -> bool:
    """Whether an event loop runs in the calling thread."""
    with suppress(RuntimeError):
        return bool(asyncio.get_running_loop())
    return False


def _description(task: asyncio.Task[Any]) -> str:
    """The function that a task runs, such as ``Watcher.run``, with the task's own name, if it has one."""
    coroutine, name = task.get_coro(), task.get_name()
    function = getattr(coroutine, "__qualname__", repr(coroutine))
    return function if name == "None" or name.startswith("Task-") else f"{function} ({name})"
