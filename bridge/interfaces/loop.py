"""The one event loop of an ASGI application, driven by whoever calls."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

if sys.platform == "win32":
    _Base = asyncio.ProactorEventLoop
else:
    _Base = asyncio.SelectorEventLoop

# The tasks that the current request has started and that are not done. Tasks inherit it, so what they start is
# the request's as well; what the lifespan starts is nobody's.
spawned: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("bridge.spawned", default=None)


class Turn:
    """One coroutine's turn on the loop, and what came of it; the first to say so is believed.

    Attributes:
        over: whether there is a result or an error.
    """

    __slots__ = ("_error", "_result", "over", "wake")

    def __init__(self) -> None:
        self.over = False
        self.wake: Callable[[], object] = _nothing
        self._result: Any = None
        self._error: BaseException | None = None

    def finish(self, result: Any) -> None:
        """The coroutine has come to its result."""
        if not self.over:
            self._result = result
            self.over = True
            self.wake()

    def fail(self, error: BaseException) -> None:
        """The coroutine has come to an error, whatever its kind."""
        if not self.over:
            self._error = error
            self.over = True
            self.wake()

    def result(self) -> Any:
        """The result; the error is raised."""
        error = self._error
        if error is not None:
            self._error = None
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        return self._result


class Loop(_Base):
    """An event loop that runs while a request is answered and stands still in between, as the function does.

    The thread that calls drives it: nothing is handed over, and the application runs where the handler runs. If the
    calling thread already runs a loop, or another thread drives this one, a thread of its own takes the driving over
    for good; every request still runs on this one loop, concurrently.
    """

    def __init__(self) -> None:
        super().__init__()
        self._driving = threading.Lock()
        self._driver: threading.Thread | None = None

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As in asyncio; what a request starts is remembered until it is done."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        tasks = spawned.get()
        if tasks is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        return task

    def take(self, turn: Turn, coroutine: Coroutine[Any, Any, None]) -> Any:
        """Run *coroutine* until *turn* is over; from any thread, inside a running loop or not.

        Raises:
            BaseException: the turn's error.
        """
        if self._driver is None and asyncio._get_running_loop() is None and self._driving.acquire(blocking=False):
            try:
                # run_until_complete takes two more rounds of the loop, to call back and to stop. Here the turn says
                # stop, which ends the round it is in.
                turn.wake = self.stop
                task = asyncio.Task(coroutine, loop=self)
                while not turn.over:
                    self.run_forever()
            except BaseException:  # Ctrl-C, while the loop was waiting
                task.cancel()
                raise
            finally:
                self._driving.release()
        else:
            self._share()
            take_outside(self, turn, coroutine)
        return turn.result()

    def finish(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one more coroutine, cancel what is left and close the loop."""
        turn = Turn()

        async def end() -> None:
            try:
                await last()
                left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)
                await self.shutdown_asyncgens()
                await self.shutdown_default_executor()
                turn.finish(None)
            except BaseException as error:
                turn.fail(error)

        try:
            self.take(turn, end())
        finally:
            if self._driver is not None:
                self.call_soon_threadsafe(self.stop)
                self._driver.join()
            self.close()

    def _share(self) -> None:
        if self._driver is None:
            self._driver = threading.Thread(target=self._drive_for_good, name="bridge event loop", daemon=True)
            self._driver.start()

    def _drive_for_good(self) -> None:
        with self._driving:
            self.run_forever()


def take_outside(loop: asyncio.AbstractEventLoop, turn: Turn, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run *coroutine* on a loop that another thread drives, and wait here until *turn* is over."""
    over = threading.Event()
    turn.wake = over.set
    asyncio.run_coroutine_threadsafe(coroutine, loop)
    over.wait()


def _nothing() -> None:
    """Nobody waits yet."""
