"""Ending the processes of functions when the process that started them is gone.

Each process of a function leads a new process group, so that Ctrl-C does not end it in the middle of a request.
A small process reads the groups from a pipe; when the pipe closes, it kills those that are left.
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
    """Kills process groups when this process ends, however it ends, or when the reaper is closed."""

    def __init__(self) -> None:
        command = (sys.executable, "-I", "-S", "-c", _PROGRAM)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - no input

    def add(self, group: int) -> None:
        """Add a process group."""
        self._write(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Remove a process group that has ended."""
        self._write(f"-{group}\n")

    def close(self) -> None:
        """Kill the groups that are left."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the reaper itself was killed
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
