"""The threads that a command starts: its output is theirs, too."""

from __future__ import annotations

import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class Threads:
    """A context manager that takes note of the threads that this one starts, and of those that they start.

    Others that begin meanwhile answer requests, or wait for their turn to run a command. There is one at a time.
    """

    def __enter__(self) -> Self:
        self._start: Callable[[threading.Thread], None] = threading.Thread.start
        family = {threading.current_thread()}

        def start(thread: threading.Thread) -> None:
            if threading.current_thread() in family:
                family.add(thread)
            self._start(thread)

        self._family = family
        threading.Thread.start = start  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *exc_info: object) -> None:
        threading.Thread.start = self._start  # type: ignore[method-assign, assignment]

    def wait(self, until: float) -> None:
        """Wait for their ends, as Python does at its own, but no longer than *until*, by the monotonic clock."""
        waiting = True
        while waiting and time.monotonic() < until:
            waiting = False
            for thread in self._family - {threading.current_thread()}:
                if thread.is_alive() and not thread.daemon and not _is_idle(thread):
                    waiting = True
                    thread.join(0.02)


def _is_idle(thread: threading.Thread) -> bool:
    """Whether a thread of an executor waits for work."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and (
        frame.f_code.co_name == "_worker" and frame.f_globals.get("__name__") == "concurrent.futures.thread"
    )
