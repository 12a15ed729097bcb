"""All that a command writes, in order: by this process, its threads, C code in it, and the processes it starts."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Self


class Capture:
    """A context manager: inside it the file descriptors 1 and 2 are a file, and 0 is empty.

    Args:
        file: the file, unbuffered. Not a pipe: what a command leaves running in the background may hold it open for as
            long as it likes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> Self:
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self.flush()
        self._kept = [_copy(number) for number in range(3)]
        null = os.open(os.devnull, os.O_RDONLY)
        for number, target in enumerate((null, self._file.fileno(), self._file.fileno())):
            os.dup2(target, number)
        if null > 2:
            os.close(null)
        # They name the descriptors and not the file: a thread or a logger that keeps one writes to the log later.
        sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), _stream(1), _stream(2)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.flush()
        for number, kept in enumerate(self._kept):
            if kept is None:
                os.close(number)
            else:
                os.dup2(kept, number)
                os.close(kept)
        sys.stdin, sys.stdout, sys.stderr = self._streams

    def write(self, text: str) -> None:
        """Add something of our own, whatever the code has made of ``sys.stderr``."""
        self.flush()
        self._file.write(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Have everything written that is in a buffer."""
        for stream in (sys.stdout, sys.stderr, *self._streams[1:], sys.__stdout__, sys.__stderr__):
            with suppress(AttributeError, OSError, ValueError):  # None, or closed
                stream.flush()  # type: ignore[union-attr]


def read(file: IO[bytes], limit: int) -> tuple[str, int]:
    """What was written, and how many bytes it was; of more than twice *limit* bytes the first and the last."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= 2 * limit:
        content = file.read()
    else:
        content = file.read(limit)
        file.seek(size - limit)
        content += file.read()
    return content.decode("utf-8", "replace"), size


def _copy(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:  # it is closed
        return None


def _stream(number: int) -> io.TextIOWrapper:
    """Unbuffered, as ``python -u`` has it: else what child processes write would come before it."""
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", newline="", write_through=True)
