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
        if thread.name.startswith(THREADS):
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                leave(status)


def leave(status: int) -> NoReturn:
    """End the process, whatever still runs in it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
