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

    # Start and deadline of a request in seconds of the monotonic clock, the identifier of the thread that answers it,
    # and the callback.
    Watched = tuple[float, float, int, Callable[[Any], object] | None]

_UNKNOWN = float("inf")
_LONGEST = 1e10  # milliseconds; a context that promises more is a stand-in

# The report comes this share of the time that a request has before its deadline, within these limits in seconds.
_MARGIN_SHARE = 0.1
_MIN_MARGIN, _MAX_MARGIN = 0.05, 1.0


class DeadlineWatcher:
    """Reports requests shortly before their deadline.

    The first request starts the thread. It sleeps until the earliest report that is due, so a request wakes it only if
    its own deadline is earlier.
    """

    def __init__(self) -> None:
        self._requests: dict[Any, Watched] = {}
        self._earliest = float("inf")  # the earliest deadline, or an earlier time
        self._wake_up = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, request: CurrentRequest, on_due: Callable[[Any], object] | None = None) -> None:
        """Watch a request until :meth:`end`; one whose context has no remaining time is not watched.

        Args:
            request: the request.
            on_due: called with the request, in the watcher's thread, after the report.
        """
        left = _seconds_left(request)
        if left == _UNKNOWN:
            return
        now = monotonic()
        deadline = now + left
        self._requests[request] = now, deadline, get_ident(), on_due
        if deadline < self._earliest:
            self._earliest = deadline
            self._wake_up.set()
            if self._thread is None:
                self._start_thread()

    def end(self, request: CurrentRequest) -> None:
        """Stop watching a request."""
        self._requests.pop(request, None)

    def seconds_left(self, request: CurrentRequest) -> float:
        """The time until the report of a watched request, or else until its deadline; infinity if it has none."""
        watched = self._requests.get(request)
        return _seconds_left(request) if watched is None else _due(watched) - monotonic()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="bridge deadline", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads can be started; the request is answered all the same
            self._requests.clear()
            self._earliest = float("inf")
        else:
            self._thread = thread

    def _run(self) -> None:
        while True:
            self._wake_up.clear()
            # A request that begins from now on compares with infinity, or is among those that are checked here.
            self._earliest = float("inf")
            next_report = self._report_due(monotonic())
            self._earliest = min(self._earliest, next_report)
            self._wake_up.wait(None if next_report == float("inf") else max(0.0, next_report - monotonic()))

    def _report_due(self, now: float) -> float:
        """Report the requests that are due, and return the time of the next report.

        A function of its own, so that the thread keeps no reference to a request while it sleeps.
        """
        next_report = float("inf")
        for request, watched in self._requests.copy().items():
            due = _due(watched)
            if due > now:
                next_report = min(next_report, due)
            elif self._requests.pop(request, None) is not None:
                self._report(request, watched)
        return next_report

    def _report(self, request: Any, watched: Watched) -> None:
        started, _, thread, on_due = watched
        token = current.set(request)  # so that the log records have the request's id
        try:
            logger.error(
                "%s has run for %.1f s and Lambda will end it in %.1f s. Stacks of all threads:\n%s",
                request,
                monotonic() - started,
                _margin(watched),
                _stacks(thread),
            )
            if on_due is not None:
                on_due(request)
        except Exception:
            logger.exception("The report of a request that runs out of time failed.")
        finally:
            current.reset(token)


def _seconds_left(request: CurrentRequest) -> float:
    try:
        left = request.context.get_remaining_time_in_millis()
        return left / 1000 if 0 < left < _LONGEST else _UNKNOWN
    except Exception:  # no context, or a stand-in for one
        return _UNKNOWN


def _due(watched: Watched) -> float:
    """The time of the report."""
    return watched[1] - _margin(watched)


def _margin(watched: Watched) -> float:
    """Seconds between the report and the deadline."""
    started, deadline, _, _ = watched
    time = deadline - started
    return min(_MAX_MARGIN, max(_MIN_MARGIN, time * _MARGIN_SHARE), time / 2)


watcher = DeadlineWatcher()


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
