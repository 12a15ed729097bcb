"""The watch over requests that run out of time.

Lambda ends a function at its deadline without a word of where it was. Shortly before, one thread that sleeps until
then logs the stacks. A request costs it an entry in a dict: it is woken only for one that has less time than any
before, and looks around by itself before any other can be due.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident, start_new_thread
from time import monotonic, time

from bridge import logger
from bridge.request import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable
    from typing import Any

    from bridge.request import CurrentRequest

    # The seconds that a request had when it began; when that was, by the monotonic clock; the thread that answers it;
    # what is called, in the watch's thread, after the report, and with what. A tuple, since each request makes one.
    Watched = tuple[float, float, int, Callable[[Any], None] | None, Any]

_MARGIN = 0.1  # of the time that is left when the request begins …
_LEAST_MARGIN, _MOST_MARGIN = 0.05, 1.0  # … in seconds
_LONGEST = 1e7  # seconds, a third of a year: what claims more, or is no number, tells nothing
# By how much a request may have less time than those before and need no waking: what Lambda does before it differs.
_SLACK = 0.8
_AWS = "awslambdaric.lambda_context"  # where AWS's own kind of context is from
_LEAST_ENOUGH = 0.5  # seconds; one with hardly any time left is not to have the thread look around all the time


class Watch:
    """All requests under watch, and the thread, started with the first of them.

    The thread sleeps no longer than a request may run that begins just then with ``_enough`` seconds left: one that
    has as many, and a function's requests all have about the same, needs not wake it.

    The first request pays for its start, so that is not threading's, which waits until the thread has begun: it takes
    four times as long (0.25 ms instead of 0.06).
    """

    def __init__(self) -> None:
        self._watched: dict[CurrentRequest, Watched] = {}
        # end(scope, None) says that the request was answered; a function of C itself, for each request calls it.
        self.end = self._watched.pop
        self._enough = float("inf")
        self._alarm: LockType | None = None  # held while there is nothing to wake the thread for
        # AWS's own kind of context, once one was seen: its arithmetic is done here, since to ask it takes longer.
        self._aws: type | None = None

    def begin(self, scope: CurrentRequest, on_due: Callable[[Any], None] | None = None, argument: Any = None) -> bool:
        """Watch over a request, if its context tells how much time is left; whether it does.

        Args:
            scope: the request.
            on_due: what is called, in the watch's thread, when the request was reported.
            argument: what it is called with.
        """
        context: Any = scope.context
        try:
            is_aws = type(context) is self._aws
            left = context._epoch_deadline_time_in_ms / 1000 - time() if is_aws else self._ask(context)
            if not 0 < left < _LONGEST:
                return False
        except Exception:  # no context, or somebody's stand-in for one; the request matters more
            return False
        self._watched[scope] = left, monotonic(), get_ident(), on_due, argument
        if left < self._enough:
            self._wake(left)
        return True

    def _ask(self, context: Any) -> float:
        """The seconds that are left, by what a context says; 0 if that is no number."""
        if type(context).__module__ == _AWS and hasattr(context, "_epoch_deadline_time_in_ms"):
            self._aws = type(context)
        left = context.get_remaining_time_in_millis()
        return left / 1000 if isinstance(left, (int, float)) else 0

    def _wake(self, left: float) -> None:
        self._enough = min(self._enough, max(left * _SLACK, _LEAST_ENOUGH))
        if self._alarm is None:
            import threading  # noqa: F401 - if the watch's thread were to load it, that would pass for the main thread

            alarm = allocate_lock()
            alarm.acquire()
            self._alarm = alarm  # taken already: another request may come here at the same time
            try:
                start_new_thread(self._run, (alarm,))
            except RuntimeError:  # there are too many, or Python is about to exit; the request matters more
                self._forget()
                return
            os.register_at_fork(after_in_child=self._forget)
        else:
            try:  # noqa: SIM105 - contextlib is nothing that a cold start has
                self._alarm.release()
            except RuntimeError:
                pass  # it is about to wake up anyway

    def _forget(self) -> None:
        self._alarm = None
        self._enough = float("inf")
        self._watched.clear()

    def _run(self, alarm: LockType) -> None:
        while True:
            next_look = self._look()
            # Who has begun meanwhile has let go of it, or has enough time.
            alarm.acquire(timeout=max(0.0, next_look - monotonic()))

    def _look(self) -> float:
        """Report what is due; give the time of the next look. No request is held on to in between."""
        now = monotonic()
        for scope, watched in self._watched.copy().items():
            if _due(watched) <= now and self._watched.pop(scope, None) is not None:
                token = current.set(scope)  # so that the log's lines have the request's id
                try:
                    _report(scope, watched)
                    _, _, _, on_due, argument = watched
                    if on_due is not None:
                        on_due(argument)
                except Exception:  # the next request is to be watched all the same
                    logger().exception("The watch over a request that ran out of time failed.")
                finally:
                    current.reset(token)
        next_look = now + self._enough - _margin(self._enough)
        return min([next_look, *map(_due, self._watched.copy().values())])


watch = Watch()


def _margin(left: float) -> float:
    """The seconds before the deadline at which a request is reported that had *left* seconds when it began."""
    return min(_MOST_MARGIN, max(_LEAST_MARGIN, left * _MARGIN), left / 2)


def _due(watched: Watched) -> float:
    """When a request is reported, by the monotonic clock."""
    left, began, *_ = watched
    return began + left - _margin(left)


def _report(scope: CurrentRequest, watched: Watched) -> None:
    from threading import current_thread
    from traceback import format_stack

    current_thread().name = "bridge watch"  # for logs that tell it
    left, began, answering, *_ = watched
    frames = sys._current_frames()
    own = get_ident()
    order = sorted(frames, key=lambda thread: thread != answering)
    stacks = "\n".join(
        f"Thread {thread}{' (answers the request)' if thread == answering else ''}:\n"
        + "".join(format_stack(frames[thread])).rstrip()
        for thread in order
        if thread != own
    )
    logger().error(
        "%s has run for %.1f s and Lambda will end it in %.1f s. Where it is:\n%s",
        scope,
        monotonic() - began,
        _margin(left),
        stacks,
    )
