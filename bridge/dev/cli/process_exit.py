"""Ending the process though a thread hangs in the application: Python would wait for it for ever."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

# What the threads are called in which the gateway, and the server, run applications.
THREADS = "bridge function"


def leave_if_stuck(status: int, seconds: float = 1.0) -> None:
    """Give the application's threads *seconds* to end; if they do not, end the process with *status* now."""
    until = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(THREADS) and not _is_idle(thread):
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive() and not _is_idle(thread):
                leave(status)


def _is_idle(thread: threading.Thread) -> bool:
    """Whether a thread of an executor waits for work, in C; Python ends such threads by itself."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is None or (
        frame.f_code.co_name == "_worker" and frame.f_globals["__name__"] == "concurrent.futures.thread"
    )


def leave(status: int) -> NoReturn:
    """End the process, whatever still runs in it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
