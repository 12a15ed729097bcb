"""What is to be done before the process ends: at SIGTERM, which Lambda sends before it drops a sandbox, and at exit."""

from __future__ import annotations

import os
import signal
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

_closers: dict[Callable[[], None], Callable[[], bool]] = {}
_previous: Any = None
_is_at_exit = False
_is_on_signal = False
_is_due = False


def at_the_end(close: Callable[[], None], is_busy: Callable[[], bool]) -> None:
    """Have *close* called when the process ends.

    Args:
        close: what to call; once.
        is_busy: whether that must wait, since requests are being answered.
    """
    global _is_at_exit, _is_on_signal, _previous
    _closers[close] = is_busy
    if not _is_at_exit:
        _is_at_exit = True
        # Before threads are joined, for a thread may wait for the loop to end; atexit comes after that.
        threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # as concurrent.futures does
    if not _is_on_signal and threading.current_thread() is threading.main_thread():
        _is_on_signal = True
        _previous = signal.signal(signal.SIGTERM, _on_sigterm)


def forget(close: Callable[[], None]) -> None:
    """*close* was called already."""
    _closers.pop(close, None)


def ended() -> None:
    """A request was answered: if SIGTERM came meanwhile, take it up again, in the main thread."""
    if _is_due and not _is_busy():
        os.kill(os.getpid(), signal.SIGTERM)


def _on_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
    global _is_due, _is_on_signal
    _is_due = _is_busy()
    if not _is_due:
        _close_all()
        _is_on_signal = False
        signal.signal(signal.SIGTERM, signal.SIG_DFL if _previous is None else _previous)
        os.kill(os.getpid(), signal.SIGTERM)  # whoever had the signal before has it now


def _is_busy() -> bool:
    return any(is_busy() for is_busy in _closers.values())


def _close_all() -> None:
    while _closers:
        close, _ = _closers.popitem()
        close()
