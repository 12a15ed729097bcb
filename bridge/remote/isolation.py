"""Isolate a command from the rest of the process: captured output, restored state, tracked threads."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
import warnings
from contextlib import chdir, contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Self

_POLL_SECONDS = 0.02


class OutputCapture:
    """A context manager that redirects file descriptors 1 and 2 to a file, and 0 to an empty one.

    Redirecting descriptors captures the output of threads, C code and child processes as well, in order.

    Args:
        file: an unbuffered file. A pipe would not do: a background process may keep it open after the command.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> Self:
        self._saved_streams = sys.stdin, sys.stdout, sys.stderr
        self.flush()
        self._saved_descriptors = [os.dup(descriptor) for descriptor in range(3)]
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, target in enumerate((null, self._file.fileno(), self._file.fileno())):
            os.dup2(target, descriptor)
        os.close(null)
        # The streams refer to the descriptors, not to the file: a logger that keeps one writes to the log later.
        sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), _output_stream(1), _output_stream(2)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.flush()
        for descriptor, saved in enumerate(self._saved_descriptors):
            os.dup2(saved, descriptor)
            os.close(saved)
        sys.stdin, sys.stdout, sys.stderr = self._saved_streams

    def write(self, text: str) -> None:
        """Append *text* to the output, even if the command has replaced or closed ``sys.stderr``."""
        self.flush()
        self._file.write(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Flush every output stream that may hold buffered text."""
        for stream in (sys.stdout, sys.stderr, *self._saved_streams[1:], sys.__stdout__, sys.__stderr__):
            with suppress(AttributeError, OSError, ValueError):  # the stream is None, or closed
                stream.flush()  # type: ignore[union-attr]


def read_output(file: IO[bytes], limit: int) -> tuple[str, int]:
    """Return the captured output and its size in bytes; of a large one *limit* bytes from each end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    content = file.read(limit)
    file.seek(max(limit, size - limit))
    return (content + file.read()).decode("utf-8", "replace"), size


@contextmanager
def restored_state() -> Iterator[None]:
    """Restore arguments, import path, ``__main__``, current folder, environment, logging and warnings afterwards.

    Imported modules stay imported, and keep what the command has changed in them. So do new loggers, which are theirs.
    """
    argv, path, main, environment = sys.argv, [*sys.path], sys.modules["__main__"], dict(os.environ)
    manager = logging.root.manager
    loggers = [logging.root, *(each for each in manager.loggerDict.values() if isinstance(each, logging.Logger))]
    states = [{**vars(each), "handlers": [*each.handlers], "filters": [*each.filters]} for each in loggers]
    disabled_level = manager.disable
    try:
        with chdir("."), warnings.catch_warnings():
            yield
    finally:
        sys.argv = argv
        sys.path[:] = path
        sys.modules["__main__"] = main
        # Other threads may read the environment meanwhile, so only what has changed is written.
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment.items() - os.environ.items())
        for each, state in zip(loggers, states, strict=True):
            vars(each).update(state)
        logging.disable(disabled_level)  # also clears the levels that loggers have cached


@contextmanager
def joined_threads(deadline: float) -> Iterator[None]:
    """Wait for the threads that the calling thread starts inside the context, and for those that they start in turn.

    Daemon threads are not waited for, and the threads of a ``ThreadPoolExecutor`` only until they are idle: so does
    Python before it exits. ``Thread.start`` is replaced meanwhile, because ``threading.enumerate()`` has the threads of
    concurrent requests as well. The wait ends at *deadline*, a time of the monotonic clock.
    """
    original_start = threading.Thread.start
    caller = threading.current_thread()
    started: set[threading.Thread] = set()

    def start(thread: threading.Thread) -> None:
        if threading.current_thread() is caller or threading.current_thread() in started:
            started.add(thread)
        original_start(thread)

    threading.Thread.start = start  # type: ignore[method-assign, assignment]
    try:
        yield
        _join(started, deadline)
    finally:
        threading.Thread.start = original_start  # type: ignore[method-assign]


def _join(threads: set[threading.Thread], deadline: float) -> None:
    idle_polls = 0  # a worker that has just received its first task seems idle once
    while time.monotonic() < deadline:
        alive = [thread for thread in [*threads] if thread.is_alive() and not thread.daemon]
        if not alive:
            return
        busy = [thread for thread in alive if not _is_idle_worker(thread)]
        idle_polls = 0 if busy else idle_polls + 1
        if idle_polls == 2:
            return
        (busy or alive)[0].join(_POLL_SECONDS)


def _is_idle_worker(thread: threading.Thread) -> bool:
    """Whether *thread* belongs to a ``ThreadPoolExecutor`` and runs none of the submitted functions."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_globals.get("__name__") == "concurrent.futures.thread"


def _output_stream(descriptor: int) -> io.TextIOWrapper:
    """Return an unbuffered text stream, so that its output and that of child processes are in order."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", newline="", write_through=True)
