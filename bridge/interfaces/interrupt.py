"""A last resort against an application that blocks its event loop until the deadline.

A loop that is blocked by ``time.sleep`` or by a loop of the application's own cannot be told anything. Where it runs
in the main thread, a signal interrupts it, and the client gets an answer instead of a dead function.
"""

from __future__ import annotations

import signal
import threading
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_NOTICE_SECONDS = 0.02
_SIGNAL = getattr(signal, "SIGALRM", None)

_is_armed = False
_is_wanted = False


class BlockedError(BaseException):
    """Raised in the middle of an application that blocks its event loop; no ``except Exception`` holds it."""


def arm() -> None:
    """Take the signal over, if nobody else has it and this is the main thread."""
    global _is_armed
    if _is_armed or _SIGNAL is None or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(_SIGNAL) is signal.SIG_DFL:
        signal.signal(_SIGNAL, _raise)
        _is_armed = True


def unless(noticed: Callable[[], bool]) -> None:
    """Interrupt the main thread unless *noticed* comes true in a moment."""
    global _is_wanted
    sleep(_NOTICE_SECONDS)
    if _is_armed and _SIGNAL is not None and not noticed():
        _is_wanted = True
        signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
    global _is_wanted
    if _is_wanted:
        _is_wanted = False
        raise BlockedError
