"""What ends the processes of functions when the process that started them is gone, however it went.

They are no children of a terminal: each leads a group of its own, so that Ctrl-C does not end them in the middle of a
request. A small process reads from a pipe which groups there are; when the pipe breaks, it ends those that are left.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys

_PROGRAM = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class ProcessReaper:
    """Ends process groups when this process is gone, or when it is closed."""

    def __init__(self) -> None:
        command = (sys.executable, "-I", "-S", "-c", _PROGRAM)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - our own words

    def watch(self, group: int) -> None:
        """From now on, *group* is to be ended."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """It has ended."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End those that are left."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody has ended it; then nobody watches
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
