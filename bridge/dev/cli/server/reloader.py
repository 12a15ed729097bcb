"""Starting the server again when code changes: a parent that watches, a child that serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import bridge
from bridge.dev.cli.function_loader import say

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from types import FrameType

# Python's -P: the current folder is the application's; nothing that the server itself imports is looked for there.
_CHILD = (
    sys.executable,
    "-P",
    "-c",
    "import sys; sys.path.append(sys.argv.pop()); from bridge.dev.cli.server.process import child; child()",
    str(Path(bridge.__file__).parents[1]),
)
# Seconds that a child may take to end its requests: after Ctrl-C more than it gives them itself, before it starts again
# as long as somebody who has just saved a change likes to wait.
_GRACE, _SHORT_GRACE = 15, 3


def supervise(listener: socket.socket, folders: Sequence[Path]) -> int:
    """Serve in a child process, and in a new one after each change of code.

    A first child that ends by itself ends the whole. A later one that fails (somebody saved half a line) answers with
    what is wrong until the next change; if it is gone altogether, another one does so.

    Args:
        listener: a socket that listens.
        folders: where the code lies.

    Returns:
        The exit status.
    """
    from watchfiles import PythonFilter, watch

    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    child = _Child(listener)
    is_first = True
    for changes in watch(
        *folders,
        watch_filter=PythonFilter(extra_extensions=(".env", ".yml", ".yaml", ".toml")),
        stop_event=stop,
        rust_timeout=200,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        if stop.is_set():
            break
        if changes:
            names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
            say(f"{names} changed: starting again")
            child.end(_SHORT_GRACE)
            child = _Child(listener, before="changed")
            is_first = False
        elif child.status is not None:
            if is_first or child.is_broken:
                return child.status
            child = _Child(listener, before=str(child.status))
    child.end(_GRACE)
    return 0


class _Child:
    """A serving process. It ends, too, when this one is gone: the pipe between them breaks.

    Args:
        listener: a socket that listens.
        before: what became of the child before: ``""`` if there was none, ``"changed"`` if it was ended since code
            changed, or the status with which it ended by itself.
    """

    def __init__(self, listener: socket.socket, before: str = "") -> None:
        self.is_broken = before not in ("", "changed")
        theirs, self._ours = os.pipe()
        descriptors = (listener.fileno(), theirs)
        told = {"BRIDGE_DESCRIPTORS": "{} {}".format(*descriptors), "BRIDGE_CHILD_BEFORE": before}
        environment = os.environ | told
        self._process = subprocess.Popen(_CHILD, pass_fds=descriptors, env=environment)  # noqa: S603 - our own words
        os.close(theirs)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it lives."""
        return self._process.poll()

    def end(self, grace: float) -> None:
        """End it: kindly, after *grace* seconds at once."""
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGINT, 2), (signal.SIGKILL, None)):
            if self.status is None:
                self._process.send_signal(number)
            try:
                self._process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        os.close(self._ours)
