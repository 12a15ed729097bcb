"""Starting the server again when code changes: a parent that watches, a child that serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.load import say

if TYPE_CHECKING:
    import socket
    from types import FrameType

# Seconds that a child may take to end its requests before it is killed.
_GRACE = 12


def supervise(listener: socket.socket) -> int:
    """Serve in a child process, and in a new one after each change of code.

    A first child that ends by itself ends the whole; a later one that fails (somebody saved half a line) is followed by
    another after the next change.

    Returns:
        The exit status.
    """
    from watchfiles import PythonFilter, watch

    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    child = _start(listener)
    is_first = True
    for changes in watch(
        Path.cwd(),
        watch_filter=PythonFilter(extra_extensions=(".env", ".yml", ".yaml", ".toml")),
        stop_event=stop,
        rust_timeout=200,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        if changes:
            names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
            say(f"{names} changed: starting again")
            _end(child)
            child = _start(listener)
            is_first = False
        elif is_first and child.poll() is not None:
            return child.returncode
        if stop.is_set():
            break
    _end(child)
    return 0


def _start(listener: socket.socket) -> subprocess.Popen[bytes]:
    descriptor = listener.fileno()
    return subprocess.Popen(
        [sys.executable, "-m", "bridge.cli.serving"],
        pass_fds=[descriptor],
        env={**os.environ, "BRIDGE_LISTENER": str(descriptor), "PYTHONPATH": _path()},
    )


def _path() -> str:
    """The child's import path: as if it had been started in the current folder."""
    return os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
