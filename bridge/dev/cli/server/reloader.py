"""The reloader of ``bridge serve``: watches the code and runs the server in a child process, a new one per change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import bridge
from bridge.dev.cli.output import print_message

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Sequence
    from types import FrameType

# The environment variable that hands a child its arguments; the child removes it before it imports the application.
ARGUMENTS_VARIABLE = "BRIDGE_SERVE"
# With -P Python does not import the server's own modules from the current folder, which is the application's.
_COMMAND = (
    sys.executable,
    "-P",
    "-c",
    "import sys; sys.path.append(sys.argv.pop()); from bridge.dev.cli.server.process import run_child; run_child()",
    str(Path(bridge.__file__).parents[1]),
)
_WATCHED_EXTENSIONS = (".env", ".yml", ".yaml", ".toml")  # beside Python's own
# Seconds that a child may take to finish its requests after SIGTERM: at the end, and before a restart.
_STOP_SECONDS, _RESTART_SECONDS = 15, 3


def run_with_reloader(listener: socket.socket, options: argparse.Namespace, folders: Sequence[Path]) -> int:
    """Run the server in a child process, and in a new one after each change of code, until Ctrl-C or SIGTERM.

    If the first child exits by itself, so does this process. A later child that cannot serve the application (half a
    line was saved) serves the error until the next change; if it exits, another child serves the error in its place.

    Args:
        listener: a listening socket, which all children inherit.
        options: the options of ``bridge serve``.
        folders: the folders to watch.

    Returns:
        The exit status.
    """
    from watchfiles import PythonFilter, watch

    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's parameters
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    child = ServerProcess(listener, options)
    for changes in watch(
        *folders,
        watch_filter=PythonFilter(extra_extensions=_WATCHED_EXTENSIONS),
        stop_event=stop,
        rust_timeout=200,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        if stop.is_set():
            break
        if changes:
            names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
            print_message(f"{names} changed; restarting")
            child.stop(_RESTART_SECONDS)
            child = ServerProcess(listener, options, is_restart=True)
        elif child.exit_status is not None:
            if not child.is_restart or child.serves_error:
                return child.exit_status
            child = ServerProcess(listener, options, is_restart=True, failed_status=child.exit_status)
    child.stop(_STOP_SECONDS)
    return 0


class ServerProcess:
    """A child process that serves. A pipe to this process, which breaks at its end, stops the child as well.

    Args:
        listener: a listening socket.
        options: the options of ``bridge serve``.
        is_restart: whether another child served before; an application that cannot be served is then reported by an
            error page and not by the exit status.
        failed_status: the status with which the previous child exited by itself; this one serves that as an error.
    """

    def __init__(
        self,
        listener: socket.socket,
        options: argparse.Namespace,
        *,
        is_restart: bool = False,
        failed_status: int | None = None,
    ) -> None:
        self.is_restart = is_restart
        self.serves_error = failed_status is not None
        read_end, self._write_end = os.pipe()
        arguments = {
            "options": vars(options),
            "listener": listener.fileno(),
            "parent": read_end,
            "is_restart": is_restart,
            "failed_status": failed_status,
        }
        environment = os.environ | {ARGUMENTS_VARIABLE: json.dumps(arguments)}
        descriptors = [listener.fileno(), read_end]
        if options.inspector_listener is not None:
            descriptors += [options.inspector_listener, options.inspector_file]
        self._process = subprocess.Popen(_COMMAND, pass_fds=descriptors, env=environment)  # noqa: S603 - a constant
        os.close(read_end)

    @property
    def exit_status(self) -> int | None:
        """The exit status; None while the process runs."""
        return self._process.poll()

    def stop(self, seconds: float) -> None:
        """Send SIGTERM, after *seconds* SIGINT, and two seconds later SIGKILL, until the process has exited."""
        for number, timeout in ((signal.SIGTERM, seconds), (signal.SIGINT, 2), (signal.SIGKILL, None)):
            if self.exit_status is None:
                self._process.send_signal(number)
            try:
                self._process.wait(timeout)
                break
            except subprocess.TimeoutExpired:
                continue
        os.close(self._write_end)
