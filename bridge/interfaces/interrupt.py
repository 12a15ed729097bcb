"""A last resort against an application that blocks its event loop until the deadline.

A loop that is blocked by ``time.sleep`` or by a loop of the application's own cannot be told anything. Where it runs
in the main thread, a signal interrupts it, and the client gets an answer instead of a dead function.
"""

from __future__ import annotations

import signal
import threading
from asyncio import _get_running_loop
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

_NOTICE_SECONDS = 0.02
_TRIES = 10
_SIGNAL = getattr(signal, "SIGALRM", None)
# Where the main thread is while the loop runs by itself: it will notice. A small function gets so little of a
# processor that this can take longer than _NOTICE_SECONDS, and asyncio interrupted in its middle may lose a callback.
_LOOPS_OWN = ("selectors", "asyncio.base_events", "bridge.asgi.loop")

is_armed = False
_has_noticed: Callable[[], bool] | None = None
_spares: Callable[[], bool] = bool
_loop: AbstractEventLoop | None = None


class BlockedError(BaseException):
    """Raised in the middle of an application that blocks its event loop; no ``except Exception`` holds it."""


def arm() -> None:
    """Take the signal over, once, if nobody else has it and this is the main thread."""
    global is_armed
    if (
        not is_armed
        and _SIGNAL is not None
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(_SIGNAL) is signal.SIG_DFL
    ):
        signal.signal(_SIGNAL, _raise)
        is_armed = True


def unless(loop: AbstractEventLoop, has_noticed: Callable[[], bool], spares: Callable[[], bool]) -> None:
    """Interrupt the main thread, if it runs *loop*, unless *has_noticed* comes true in a moment.

    Args:
        loop: the loop that seems to be blocked.
        has_noticed: whether it is not.
        spares: asked there: whether what runs is another request's, which is only busy and has time.
    """
    global _has_noticed, _loop, _spares
    _has_noticed, _loop, _spares = has_noticed, loop, spares
    for _ in range(_TRIES):
        sleep(_NOTICE_SECONDS)
        # Another handler is none of our business, and without one the signal ends the process.
        if _has_noticed is None or has_noticed() or _SIGNAL is None or signal.getsignal(_SIGNAL) is not _raise:
            break
        signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)
    _has_noticed = None


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
    global _has_noticed
    # By the time that this runs, the main thread may be on its way to the next invocation; and the request may be
    # one of another thread.
    if _has_noticed is None or _has_noticed() or _get_running_loop() is not _loop:
        return
    if _spares():
        return
    if frame is None or frame.f_globals.get("__name__") not in _LOOPS_OWN:
        _has_noticed = None
        raise BlockedError
