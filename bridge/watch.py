"""The watch over requests that run out of time.

Lambda ends a function at its deadline without a word of where it was. Shortly before, one thread that sleeps until
then logs the stacks. A request costs it two entries in a dictionary; it is woken only when it has to.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from time import monotonic

from bridge.errors import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from typing import Any

    from bridge.scope import Scope

_MARGIN = 0.1  # of the time that is left when the request begins …
_LEAST_MARGIN, _MOST_MARGIN = 0.05, 1.0  # … in seconds


class Watched:
    """One request under watch.

    Attributes:
        scope: the request.
        began, due: when it began and when it is reported, by the monotonic clock, in seconds.
        margin: the seconds left when it is reported.
        thread: the thread that answers it.
        on_due: called, in the watch's thread, after the report.
    """

    __slots__ = ("began", "due", "margin", "on_due", "scope", "thread")

    def __init__(self, scope: Scope, left: float, on_due: Callable[[], None] | None) -> None:
        self.scope = scope
        self.margin = min(_MOST_MARGIN, max(_LEAST_MARGIN, left * _MARGIN), left / 2)
        self.began = monotonic()
        self.due = self.began + left - self.margin
        self.thread = get_ident()
        self.on_due = on_due


class Watch:
    """All requests under watch, and the thread, started with the first of them."""

    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._wakes_at = 0.0
        self._shortest = 3600.0
        self._alarm: Event | None = None

    def begin(self, scope: Scope, on_due: Callable[[], None] | None = None) -> Watched | None:
        """Watch over a request whose context says how much time is left; None where it does not."""
        remaining: Callable[[], Any] | None = getattr(scope.context, "get_remaining_time_in_millis", None)
        if remaining is None:
            return None
        left = remaining()
        if not isinstance(left, (int, float)) or left <= 0:
            return None
        watched = Watched(scope, left / 1000, on_due)
        self._watched[id(watched)] = watched
        if watched.due < self._wakes_at or self._alarm is None:
            self._wake()
        return watched

    def end(self, watched: Watched) -> None:
        """The request was answered."""
        self._watched.pop(id(watched), None)
        # Timeouts do not change while a process lives, so no later request is due sooner than this after it began.
        self._shortest = min(self._shortest, watched.due - watched.began)

    def _wake(self) -> None:
        if self._alarm is None:
            from threading import Event, Thread

            self._alarm = Event()
            Thread(target=self._run, args=(self._alarm,), name="bridge watch", daemon=True).start()
            os.register_at_fork(after_in_child=self._after_fork)
        self._alarm.set()

    def _after_fork(self) -> None:
        self._alarm = None
        self._watched.clear()

    def _run(self, alarm: Event) -> None:
        while True:
            alarm.clear()
            self._wakes_at = float("inf")  # who begins while this looks around wakes it again
            now = monotonic()
            for watched in list(self._watched.values()):
                if watched.due <= now and self._watched.pop(id(watched), None) is not None:
                    try:
                        _report(watched)
                        if watched.on_due is not None:
                            watched.on_due()
                    except Exception:  # the next request is to be watched all the same
                        logger().exception("The watch over a request that ran out of time failed.")
            dues = [watched.due for watched in list(self._watched.values())]
            self._wakes_at = wakes_at = min(dues, default=now + self._shortest)
            alarm.wait(max(0.0, wakes_at - monotonic()))


watch = Watch()


def _report(watched: Watched) -> None:
    from traceback import format_stack

    frames = sys._current_frames()
    own = get_ident()
    order = sorted(frames, key=lambda thread: thread != watched.thread)
    stacks = "\n".join(
        f"Thread {thread}{' (answers the request)' if thread == watched.thread else ''}:\n"
        + "".join(format_stack(frames[thread])).rstrip()
        for thread in order
        if thread != own
    )
    scope = watched.scope
    logger().error(
        "%s %s has run for %.1f s and Lambda will end it in %.1f s. Where it is:\n%s",
        scope.method,
        scope.root_path + scope.path,
        monotonic() - watched.began,
        watched.margin,
        stacks,
    )
