"""The one event loop of an ASGI application, driven by whoever calls."""

from __future__ import annotations

import asyncio
import sys
import threading
from _thread import get_ident
from asyncio import _get_running_loop, _set_running_loop
from asyncio.base_events import _run_until_complete_cb  # type: ignore[attr-defined]  # as anyio does, see Loop
from contextvars import ContextVar, copy_context

import bridge
from bridge import logger
from bridge.interfaces.turn import BLOCKED, Turn, take_outside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context
    from typing import Any

if sys.platform == "win32":
    _Base = asyncio.ProactorEventLoop
else:
    _Base = asyncio.SelectorEventLoop

# How long what is left on the loop may take to end once it was cancelled; how long the end of all may take.
END_SECONDS = 2.0
_LAST_SECONDS = 15.0

# What may be done after the answer that takes no waiting, such as closing a connection; an asynchronous generator that
# the application has left takes three: a task is made, it runs, it is forgotten.
_LAST_ROUNDS = 3

# The tasks that the current request has started and that are not done. Tasks inherit it, so what they start is
# the request's as well; what the lifespan starts is nobody's.
spawned: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("bridge.spawned", default=None)

# Loops that are not finished: whoever drops an application may drop it with all that refers to it, and the garbage
# collector is not to take the loop apart before the application has shut down on it.
_open: set[Loop] = set()


def new_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory for other loops that applications are served on: remembers as :class:`Loop` does."""
    task = asyncio.Task(coro, loop=loop, **options)
    _remember(task)
    return task


def _remember(task: asyncio.Task[Any]) -> None:
    tasks = spawned.get()
    if tasks is not None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)


class Loop(_Base):
    """An event loop that runs while a request is answered and stands still in between, as the function does.

    The thread that calls drives it: nothing is handed over, and the application runs where the handler runs. If the
    calling thread already runs a loop, or another thread drives this one, a thread of its own takes the driving over
    for good; every request still runs on this one loop, concurrently.

    Attributes:
        is_ending: whether it was finished, or the attempt was made.
        guest: what lives as long as the loop does, whoever else drops it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._driving = threading.Lock()  # held by whoever runs the loop
        self._driver: threading.Thread | None = None
        self._sharing = threading.Lock()
        self._waiting: set[Turn] = set()
        self.is_ending = False
        self.guest: object = None
        # What the loop waits for in the system: the selector's own dict, whose length is known without a call.
        self._watched = self._selector._fd_to_key if sys.platform != "win32" else ()  # type: ignore[attr-defined]
        self._hooks = self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook  # type: ignore[attr-defined]
        self._starting: Context | None = None
        self._first_step: Callable[[], object] | None = None
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
        _remember(task)
        return task

    def take(self, turn: Turn, coroutine: Coroutine[Any, Any, None], timeout: float | None = None) -> Any:
        """Run *coroutine* until *turn* is over; from any thread, inside a running loop or not.

        Args:
            turn: what *coroutine* finishes.
            coroutine: what to run.
            timeout: how long to wait for another thread that drives the loop.

        Raises:
            BridgeError: the loop that runs here is this one: it would wait for itself. Or *timeout* has passed.
            BaseException: the turn's error.
        """
        running = _get_running_loop()
        if running is None and self._driver is None and self._driving.acquire(False):
            try:
                self._drive(turn, coroutine)
            finally:
                self._driving.release()
        elif running is self:
            coroutine.close()
            raise bridge.BridgeError(
                "The application called its own handler on the event loop that answers it, which would wait for "
                "itself. Call it in a thread: await asyncio.to_thread(handler, event, context)."
            )
        elif self._share():
            self._waiting.add(turn)
            try:
                take_outside(self, turn, coroutine, timeout)
            finally:
                self._waiting.discard(turn)
        elif self._driving.acquire(timeout=_LAST_SECONDS):  # after the request of the thread that drives it
            try:
                self._drive(turn, coroutine)
            finally:
                self._driving.release()
        else:
            coroutine.close()
            raise bridge.BridgeError(BLOCKED)
        return turn.result()

    def finish(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one more coroutine, cancel what is left and close the loop.

        Threads of the default executor are not waited for; Python does so at its exit.
        """
        turn = Turn()

        async def end() -> None:
            try:
                await last()
                left = self._all_tasks() - {asyncio.current_task()}
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=END_SECONDS)  # never empty: the root is among them
                await asyncio.wait([self.create_task(self.shutdown_asyncgens())], timeout=END_SECONDS)
                turn.finish(None)
            except BaseException as error:
                turn.fail(error)

        try:
            self.take(turn, end(), _LAST_SECONDS)
        finally:
            self.is_ending = True
            if self._driver is not None:
                self.call_soon_threadsafe(self.stop)
                self._driver.join(END_SECONDS)
            if self._driving.acquire(timeout=END_SECONDS):  # another thread may be about to leave
                self.close()
                self._driving.release()
                self.guest = None
                _open.discard(self)

    def _drive(self, turn: Turn, coroutine: Coroutine[Any, Any, None]) -> None:
        # Nothing to do but what comes next: no callback, no timer, no connection but the loop's own.
        if self._ready or self._scheduled or len(self._watched) > 1:  # type: ignore[attr-defined]
            task = asyncio.Task(coroutine, loop=self)
        else:
            # The task comes as far as it can without waiting: to its end, for most requests. They are spared a round
            # of the loop, which asks the system for news and sets itself up for that: 10 µs of 25. For the task it is
            # as in a round: this loop is the running one, and the task the current one.
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(*self._hooks)
            self._thread_id = get_ident()  # what is_running() looks at
            _set_running_loop(self)
            try:
                task = self._begun(coroutine)
            finally:
                _set_running_loop(None)
                self._thread_id = None  # type: ignore[assignment]
                sys.set_asyncgen_hooks(*hooks)
        # run_until_complete takes two more rounds of the loop, to call back and to stop. Here the turn says stop,
        # which ends the round it is in.
        if not turn.over:
            turn.wake = self.stop
            try:
                while not turn.over:
                    self.run_forever()
            except BaseException:  # Ctrl-C while the loop was waiting, or a task that ends the process
                task.cancel()
                raise
        rounds = 0
        while self._ready and rounds < _LAST_ROUNDS:  # type: ignore[attr-defined]
            rounds += 1
            self.stop()
            self.run_forever()

    if sys.version_info >= (3, 12):

        def _begun(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            """A task that has taken its first step."""
            return asyncio.Task(coroutine, loop=self, eager_start=True)

    else:

        def _begun(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            """A task that has taken its first step."""
            self._starting = context = copy_context()
            self.call_soon = self._keep_first_step  # type: ignore[assignment, method-assign, unused-ignore]
            try:
                task = asyncio.Task(coroutine, loop=self, context=context)
            finally:
                del self.call_soon
            first_step, self._first_step = self._first_step, None
            assert first_step is not None
            context.run(first_step)
            return task

        def _keep_first_step(
            self, callback: Callable[..., object], *args: Any, context: Context | None = None
        ) -> asyncio.Handle | None:
            """In place of ``call_soon`` while a task is made: its first step needs no Handle, it is taken at once.

            It is known by the task's context, which nobody else has; the garbage collector may call anything then.
            """
            if context is None or context is not self._starting:
                return super().call_soon(callback, *args, context=context)
            self._first_step = callback
            self._starting = None  # which is to go with the task
            return None

    def _all_tasks(self) -> set[asyncio.Task[Any]]:
        # Since Python 3.14 a loop that runs is told only of those tasks that its present thread has made.
        asyncio._set_running_loop(None)
        try:
            return asyncio.all_tasks(self)
        finally:
            asyncio._set_running_loop(self)

    def _share(self) -> bool:
        """Have a thread of its own drive the loop; it is False when Python is about to exit and starts no thread."""
        with self._sharing:
            if self._driver is None:
                driver = threading.Thread(target=self._drive_for_good, name="bridge event loop", daemon=True)
                try:
                    driver.start()
                except RuntimeError:
                    return False
                self._driver = driver
        return True

    def _drive_for_good(self) -> None:
        with self._driving:
            while not self.is_ending:
                try:
                    self.run_forever()
                except BaseException as error:  # a task that ends the process: those who wait are to know
                    if not self._waiting:
                        logger().critical("A background task ends the process.", exc_info=error)
                    for turn in list(self._waiting):
                        turn.fail(error)

    async def _stay(self) -> None:
        await self.create_future()
