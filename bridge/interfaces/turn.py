"""One coroutine's turn on an event loop, and how whoever waits for it learns what came of it."""

from __future__ import annotations

import asyncio
import threading

import bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

BLOCKED = "The application cannot be shut down: its event loop is blocked by what runs on it."


class Turn:
    """One coroutine's turn on the loop, and what came of it; the first to say so is believed.

    Attributes:
        over: whether there is a result or an error.
        wake: called when it is over, for who waits.
    """

    __slots__ = ("_error", "_result", "over", "wake")

    def __init__(self) -> None:
        self.over = False
        self.wake: Callable[[], object] | None = None
        self._result: Any = None
        self._error: BaseException | None = None

    def finish(self, result: Any) -> None:
        """The coroutine has come to its result."""
        if not self.over:
            self._result = result
            self.over = True
            if self.wake is not None:
                self.wake()

    def fail(self, error: BaseException) -> None:
        """The coroutine has come to an error, whatever its kind."""
        if not self.over:
            self._error = error
            self.over = True
            if self.wake is not None:
                self.wake()

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Await *coroutine*, whose result or error is the turn's."""
        try:
            self.finish(await coroutine)
        except BaseException as error:
            self.fail(error)

    def result(self) -> Any:
        """The result; the error is raised."""
        if self._error is None:
            return self._result
        error, self._error = self._error, None
        try:
            raise error
        finally:
            del error  # its traceback refers to this frame


def take_outside(
    loop: asyncio.AbstractEventLoop, turn: Turn, coroutine: Coroutine[Any, Any, None], timeout: float | None = None
) -> None:
    """Run *coroutine* on a loop that another thread drives, and wait here until *turn* is over.

    Raises:
        BridgeError: *timeout* has passed.
    """
    over = threading.Event()
    turn.wake = over.set
    asyncio.run_coroutine_threadsafe(coroutine, loop)
    if not over.wait(timeout):
        raise bridge.BridgeError(BLOCKED)
