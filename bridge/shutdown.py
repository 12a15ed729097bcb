"""What is to be done before the process ends: at SIGTERM, which Lambda sends before it drops a sandbox, and at exit."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from _thread import start_new_thread
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

# How long the process lives on after a request that SIGTERM found in flight: its answer is still to be sent.
_SENDING_SECONDS = 0.2
# How long the main thread may take to notice a signal, if it can.
_NOTICE_SECONDS = 0.05

_EXECUTORS = "concurrent.futures.thread"

_closers: dict[Callable[[], None], Callable[[], bool]] = {}
_previous: Any = None
_is_prepared = False
_is_too_early = False  # executors, if they come to be loaded, would join their threads first
_is_on_signal = False
_is_noticed = False
_is_due = False
_is_closing = False
_mask: set[int | signal.Signals] = set()


def at_the_end(close: Callable[[], None], is_busy: Callable[[], bool]) -> None:
    """Have *close* called when the process ends.

    Args:
        close: what to call; once.
        is_busy: whether that must wait, since requests are being answered.
    """
    global _is_on_signal, _is_prepared, _previous
    _closers[close] = is_busy
    if not _is_prepared:
        _is_prepared = True
        _register()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_hold_sigterm, after_in_parent=_let_go_of_sigterm, after_in_child=_after_fork)
    if (
        not _is_on_signal
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    ):
        _is_on_signal = True
        _previous = signal.signal(signal.SIGTERM, _on_sigterm)
        _listen()


def forget(close: Callable[[], None]) -> None:
    """*close* was called already."""
    _closers.pop(close, None)


def ended() -> None:
    """A request was answered: if SIGTERM came meanwhile, take it up again once the answer is sent."""
    global _is_due
    if _is_too_early and _EXECUTORS in sys.modules:
        _register()
    if _is_due and not _is_busy():
        _is_due = False
        again = threading.Timer(_SENDING_SECONDS, _raise_again)
        again.daemon = True
        again.start()


def _register() -> None:
    """Have :func:`_close_all` called before threads are joined, for a thread may wait for the loop to end.

    atexit comes after that. Executors join their threads in what they register when they are loaded, and what was
    registered last is called first. To load them here would cost a cold start 2 ms that most applications spare.
    """
    global _is_too_early
    _is_too_early = _EXECUTORS not in sys.modules
    with contextlib.suppress(RuntimeError):  # the process ends already
        threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # as concurrent.futures does


def _on_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
    global _is_due, _is_noticed, _is_on_signal
    _is_noticed = True
    if _is_closing:
        return
    _is_due = _is_busy()
    if not _is_due:
        _close_all()
        _is_on_signal = False
        signal.signal(signal.SIGTERM, signal.SIG_DFL if _previous is None else _previous)
        _raise_again()  # whoever had the signal before has it now


def _listen() -> None:
    """Hear of SIGTERM also while the main thread cannot.

    AWS's client waits for the next invocation in C, where Python calls no handler: on the managed runtimes before
    Python 3.12, and in container images. What Python does there and then is to write the signal's number.
    """
    if sys.platform == "win32":
        return  # no SIGTERM there
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    other = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if other == -1:
        start_new_thread(_hear, (reader,))  # as the watch is started, and as quickly
    else:  # an event loop in the main thread, which takes its signals by itself
        signal.set_wakeup_fd(other)
        os.close(reader)
        os.close(writer)


def _hear(reader: int) -> None:
    global _is_noticed
    threading.current_thread().name = "bridge ending"  # for logs that tell it
    while True:
        if signal.SIGTERM in os.read(reader, 64):
            sleep(_NOTICE_SECONDS)
            if not (_is_noticed or _is_closing or _is_busy()):
                _close_all()
                if _previous in (None, signal.SIG_DFL):
                    os._exit(128 + signal.SIGTERM)
                _raise_again()  # for whoever had the signal before, as soon as the main thread can
            _is_noticed = False


def _hold_sigterm() -> None:
    """Python forgets a signal that comes to a child before it has begun; the system does not."""
    global _mask
    _mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _let_go_of_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask)


def _after_fork() -> None:
    """A child, as of multiprocessing, has its parent's application, and no business to shut it down."""
    global _is_due, _is_on_signal
    _closers.clear()
    _is_due = False
    if _is_on_signal:
        _is_on_signal = False
        signal.signal(signal.SIGTERM, signal.SIG_DFL if _previous is None else _previous)
        signal.set_wakeup_fd(-1)  # it is the parent that listens there
    _let_go_of_sigterm()


def _is_busy() -> bool:
    return any(is_busy() for is_busy in list(_closers.values()))


def _close_all() -> None:
    global _is_closing
    _is_closing = True
    try:
        while _closers:
            close, _ = _closers.popitem()
            close()
    finally:
        if _closers:  # whatever that one raised, the others are to be closed
            _close_all()
        _is_closing = False


def _raise_again() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
