"""Exiting the process while a thread of the application never returns.

At exit Python joins the threads of every ``ThreadPoolExecutor``, so one thread that hangs would keep the process alive.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

# The name of the threads in which the gateway and the server run applications begins with this.
APPLICATION_THREADS = "bridge function"


def exit_if_threads_hang(status: int, seconds: float = 1.0) -> None:
    """Exit with *status* at once if a thread of the application still runs after *seconds*; otherwise return."""
    deadline = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(APPLICATION_THREADS) and not _is_idle(thread):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive() and not _is_idle(thread):
                exit_now(status)


def exit_now(status: int) -> NoReturn:
    """Exit with *status* without joining threads or running exit handlers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _is_idle(thread: threading.Thread) -> bool:
    """Return whether an executor's thread waits for work; Python ends such a thread itself."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is None or (
        frame.f_code.co_name == "_worker" and frame.f_globals["__name__"] == "concurrent.futures.thread"
    )
