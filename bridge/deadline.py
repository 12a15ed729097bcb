"""The stack of a request that is about to run out of time.

Lambda ends a function at its deadline without a trace of what it was doing. One thread watches all requests, and
shortly before the deadline of one it logs the stacks of all threads.
"""

from __future__ import annotations

import sys
import threading
from threading import get_ident
from time import monotonic

from bridge.logs import logger
from bridge.request import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.request import CurrentRequest

    # When the report is due and when the request began, in seconds of the monotonic clock; the seconds between report
    # and deadline; the thread that answers the request; the callback.
    Watched = tuple[float, float, float, int, Callable[[Any], object] | None]

_INFINITY = float("inf")
# A report may be this many seconds late. The remaining time is in whole milliseconds, so requests that begin one after
# the other with the same deadline would wake the thread again and again.
_TOLERANCE = 0.005
_LONGEST = 1e10  # milliseconds; a context that promises more is a stand-in


class DeadlineWatcher:
    """Reports requests shortly before their deadline.

    The first request starts the thread. It sleeps until the earliest report that is due, so a request wakes it only if
    its own report comes earlier.
    """

    def __init__(self) -> None:
        self._requests: dict[Any, Watched] = {}
        self._next_report = _INFINITY
        self._wake_up = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, request: CurrentRequest, on_due: Callable[[Any], object] | None = None) -> None:
        """Watch a request until :meth:`end`; one whose context has no remaining time is not watched.

        Args:
            request: the request.
            on_due: called with the request, in the watcher's thread, after the report.
        """
        left = _seconds_left(request)
        if left == _INFINITY:
            return
        # A tenth of the time: at most a second, and at least 0.05 s or half of the time.
        margin = 1.0 if left > 10 else 0.1 * left if left > 0.5 else min(0.05, left / 2)
        now = monotonic()
        due = now + left - margin
        self._requests[request] = due, now, margin, get_ident(), on_due
        if due < self._next_report - _TOLERANCE:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="bridge deadline", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no more threads can be started; the request is answered all the same
                    return
                self._thread = thread
            self._next_report = due
            self._wake_up.set()

    def end(self, request: CurrentRequest) -> None:
        """Stop watching a request."""
        self._requests.pop(request, None)

    def seconds_left(self, request: CurrentRequest) -> float:
        """The time until the report of a watched request, or else until its deadline; infinity if it has none."""
        watched = self._requests.get(request)
        return _seconds_left(request) if watched is None else watched[0] - monotonic()

    def _run(self) -> None:
        while True:
            self._wake_up.clear()
            now, planned = monotonic(), self._next_report
            # A request that begins from now on compares with infinity, or is among those that are checked here.
            self._next_report = _INFINITY
            due = self._report_due(now)
            if planned > now:  # the request may be answered already; the next ones then need not wake the thread
                due = min(due, planned)
            self._next_report = min(self._next_report, due)
            self._wake_up.wait(None if due == _INFINITY else max(0.0, due - monotonic()))

    def _report_due(self, now: float) -> float:
        """Report the requests that are due, and return the time of the next report.

        A function of its own, so that the thread keeps no reference to a request while it sleeps.
        """
        next_report = _INFINITY
        for request, watched in self._requests.copy().items():
            if watched[0] > now:
                next_report = min(next_report, watched[0])
            elif self._requests.pop(request, None) is not None:
                _report(request, watched)
        return next_report


watcher = DeadlineWatcher()


def _seconds_left(request: CurrentRequest) -> float:
    try:
        left = request.context.get_remaining_time_in_millis()
        return left / 1000 if 0 < left < _LONGEST else _INFINITY
    except Exception:  # no context, or a stand-in for one
        return _INFINITY


def _report(request: Any, watched: Watched) -> None:
    _, began, margin, thread, on_due = watched
    token = current.set(request)  # so that the log records have the request's id
    try:
        logger.error(
            "%s has run for %.1f s and Lambda will end it in %.1f s. Stacks of all threads:\n%s",
            request,
            monotonic() - began,
            margin,
            _stacks(thread),
        )
        if on_due is not None:
            on_due(request)
    except Exception:
        logger.exception("The report of a request that runs out of time failed.")
    finally:
        current.reset(token)


def _stacks(answering: int) -> str:
    from traceback import format_stack

    # Documented at https://docs.python.org/3/library/sys.html#sys._current_frames
    frames = sys._current_frames()
    frames.pop(get_ident(), None)
    return "\n".join(
        f"Thread {thread}{' (answers the request)' if thread == answering else ''}:\n"
        + "".join(format_stack(frames[thread])).rstrip()
        for thread in sorted(frames, key=lambda thread: thread != answering)
    )
