"""The watch over requests that run out of time.

Lambda ends a function at its deadline without a word of where it was. Shortly before, one thread that sleeps until
then logs the stacks. A request costs it an entry in a set: it is woken only for one that has less time than any
before, and looks around by itself before any other can be due.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from time import monotonic

from bridge.current import current
from bridge.errors import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from typing import Any

    from bridge.scope import Scope

_MARGIN = 0.1  # of the time that is left when the request begins …
_LEAST_MARGIN, _MOST_MARGIN = 0.05, 1.0  # … in seconds
_LONGEST = 1e10  # milliseconds, a third of a year: what claims more, or is no number, tells nothing
# By how much a request may have less time than those before and need no waking: what Lambda does before it differs.
_SLACK = 0.8
_LEAST_ENOUGH = 0.5  # seconds; one with hardly any time left is not to have the thread look around all the time


class Watched:
    """One request under watch.

    Attributes:
        scope: the request.
        left: the seconds that it had when it began.
        began: when that was, by the monotonic clock.
        thread: the thread that answers it.
        request: what :func:`bridge.current_request` says there.
        on_due: called, in the watch's thread, after the report.
    """

    __slots__ = ("began", "left", "on_due", "request", "scope", "thread")

    def __init__(self, scope: Scope, left: float, on_due: Callable[[], None] | None) -> None:
        self.scope = scope
        self.left = left
        self.began = monotonic()
        self.thread = get_ident()
        self.request = current.get()
        self.on_due = on_due

    @property
    def due(self) -> float:
        """When it is reported, by the monotonic clock."""
        return self.began + self.left - _margin(self.left)


class Watch:
    """All requests under watch, and the thread, started with the first of them.

    The thread sleeps no longer than a request may run that begins just then with ``_enough`` seconds left: one that
    has as many, and a function's requests all have about the same, needs not wake it.
    """

    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self._enough = float("inf")
        self._alarm: Event | None = None

    def begin(self, scope: Scope, on_due: Callable[[], None] | None = None) -> Watched | None:
        """Watch over a request whose context says how much time is left; None where it does not."""
        remaining: Callable[[], Any] | None = getattr(scope.context, "get_remaining_time_in_millis", None)
        if remaining is None:
            return None
        try:
            left = remaining()
        except Exception:  # somebody's stand-in for a context; the request matters more
            return None
        if not (left.__class__ is int or isinstance(left, (int, float))) or not 0 < left < _LONGEST:
            return None
        watched = Watched(scope, left / 1000, on_due)
        self._watched.add(watched)
        if watched.left < self._enough:
            self._wake(watched.left)
        return watched

    def end(self, watched: Watched) -> None:
        """The request was answered."""
        self._watched.discard(watched)

    def _wake(self, left: float) -> None:
        self._enough = min(self._enough, max(left * _SLACK, _LEAST_ENOUGH))
        if self._alarm is None:
            from threading import Event, Thread

            self._alarm = Event()
            Thread(target=self._run, args=(self._alarm,), name="bridge watch", daemon=True).start()
            os.register_at_fork(after_in_child=self._after_fork)
        self._alarm.set()

    def _after_fork(self) -> None:
        self._alarm = None
        self._enough = float("inf")
        self._watched.clear()

    def _run(self, alarm: Event) -> None:
        while True:
            alarm.clear()  # who begins while this looks around wakes it again, or has enough time
            next_look = self._look()
            alarm.wait(max(0.0, next_look - monotonic()))

    def _look(self) -> float:
        """Report what is due; give the time of the next look. No request is held on to in between."""
        now = monotonic()
        for watched in list(self._watched):
            if watched.due <= now and watched in self._watched:
                self._watched.discard(watched)
                token = current.set(watched.request)  # so that the log's lines have the request's id
                try:
                    _report(watched)
                    if watched.on_due is not None:
                        watched.on_due()
                except Exception:  # the next request is to be watched all the same
                    logger().exception("The watch over a request that ran out of time failed.")
                finally:
                    current.reset(token)
        next_look = now + self._enough - _margin(self._enough)
        return min([next_look, *[watched.due for watched in list(self._watched)]])


watch = Watch()


def _margin(left: float) -> float:
    """The seconds before the deadline at which a request is reported that had *left* seconds when it began."""
    return min(_MOST_MARGIN, max(_LEAST_MARGIN, left * _MARGIN), left / 2)


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
        "%s has run for %.1f s and Lambda will end it in %.1f s. Where it is:\n%s",
        scope,
        monotonic() - watched.began,
        _margin(watched.left),
        stacks,
    )
