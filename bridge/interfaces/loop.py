"""The one event loop of an ASGI application, driven by whoever calls."""

from __future__ import annotations

import asyncio
import sys
import threading
from asyncio.base_events import _run_until_complete_cb  # type: ignore[attr-defined]  # as anyio does, see Loop
from contextvars import ContextVar

from bridge.errors import BridgeError, logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

if sys.platform == "win32":
    _Base = asyncio.ProactorEventLoop
else:
    _Base = asyncio.SelectorEventLoop

# How long what is left on the loop may take to end once it was cancelled.
END_SECONDS = 2.0

# The tasks that the current request has started and that are not done. Tasks inherit it, so what they start is
# the request's as well; what the lifespan starts is nobody's.
spawned: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("bridge.spawned", default=None)

# Loops that are not finished: whoever drops an application may drop it with all that refers to it, and the garbage
# collector is not to take the loop apart before the application has shut down on it.
_open: set[Loop] = set()


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

    Attributes:
        guest: what lives as long as the loop does, whoever else drops it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._driving = threading.Lock()  # held by whoever runs the loop
        self._driver: threading.Thread | None = None
        self._sharing = threading.Lock()
        self._waiting: set[Turn] = set()
        self._is_ending = False
        self.guest: object = None
        # anyio keeps its worker threads for as long as the task lives that the loop was started with, which it knows
        # by this callback. There is none here, so one is made; else each request of FastAPI would cost new threads.
        self._root = asyncio.Task(self._stay(), loop=self, name="bridge")
        self._root.add_done_callback(_run_until_complete_cb)
        _open.add(self)

    @property
    def is_shared(self) -> bool:
        """Whether a thread of its own drives the loop."""
        return self._driver is not None

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
            BridgeError: the loop that runs here is this one: it would wait for itself.
            BaseException: the turn's error.
        """
        running = asyncio._get_running_loop()
        if running is None and self._driver is None and self._driving.acquire(blocking=False):
            try:
                self._drive(turn, coroutine)
            finally:
                self._driving.release()
        elif running is self:
            coroutine.close()
            raise BridgeError(
                "The application called its own handler on the event loop that answers it, which would wait for "
                "itself. Call it in a thread: await asyncio.to_thread(handler, event, context)."
            )
        else:
            self._share()
            self._waiting.add(turn)
            try:
                take_outside(self, turn, coroutine)
            finally:
                self._waiting.discard(turn)
        return turn.result()

    def finish(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one more coroutine, cancel what is left and close the loop.

        Threads of the default executor are not waited for; Python does so at its exit.
        """
        turn = Turn()

        async def end() -> None:
            try:
                await last()
                left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=END_SECONDS)  # never empty: the root is among them
                await asyncio.wait([self.create_task(self.shutdown_asyncgens())], timeout=END_SECONDS)
                turn.finish(None)
            except BaseException as error:
                turn.fail(error)

        try:
            self.take(turn, end())
        finally:
            self._is_ending = True
            if self._driver is not None:
                self.call_soon_threadsafe(self.stop)
                self._driver.join()
            with self._driving:  # another thread may be about to leave
                self.close()
            self.guest = None
            _open.discard(self)

    def _drive(self, turn: Turn, coroutine: Coroutine[Any, Any, None]) -> None:
        # run_until_complete takes two more rounds of the loop, to call back and to stop. Here the turn says stop,
        # which ends the round it is in.
        turn.wake = self.stop
        task = asyncio.Task(coroutine, loop=self)
        try:
            while not turn.over:
                self.run_forever()
        except BaseException:  # Ctrl-C while the loop was waiting, or a task that ends the process
            task.cancel()
            raise
        if self._ready:  # type: ignore[attr-defined]  # such as the close of a connection
            self.stop()
            self.run_forever()

    def _share(self) -> None:
        with self._sharing:
            if self._driver is None:
                self._driver = threading.Thread(target=self._drive_for_good, name="bridge event loop", daemon=True)
                self._driver.start()

    def _drive_for_good(self) -> None:
        with self._driving:
            while not self._is_ending:
                try:
                    self.run_forever()
                except BaseException as error:  # a task that ends the process: those who wait are to know
                    if not self._waiting:
                        logger().critical("A background task ends the process.", exc_info=error)
                    for turn in list(self._waiting):
                        turn.fail(error)

    async def _stay(self) -> None:
        await self.create_future()


def take_outside(loop: asyncio.AbstractEventLoop, turn: Turn, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run *coroutine* on a loop that another thread drives, and wait here until *turn* is over."""
    over = threading.Event()
    turn.wake = over.set
    asyncio.run_coroutine_threadsafe(coroutine, loop)
    over.wait()


def _nothing() -> None:
    """Nobody waits yet."""
