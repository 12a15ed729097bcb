"""Log records for a terminal: each once, and in tracebacks the application's own lines first."""

from __future__ import annotations

import logging
import re
import sys
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import bridge

if TYPE_CHECKING:
    from types import TracebackType

    ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_FORMAT = "%(levelname)s %(name)s: %(message)s"

# Characters with which a client could control a terminal, or start lines of a log; without tab and line feed.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def set_up_logging(level: int = logging.INFO, *, full_tracebacks: bool = False) -> None:
    """Let the root logger print to standard error, unless it has a handler already.

    Args:
        level: the lowest level that is printed.
        full_tracebacks: whether tracebacks keep the lines of libraries.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    root.addHandler(handler)
    root.setLevel(level)
    adapt_handler(handler, full_tracebacks=full_tracebacks)


def adapt_handler(handler: logging.Handler, *, full_tracebacks: bool = False) -> None:
    """Let *handler* skip records that another handler prints, and format exceptions with :func:`format_exception`.

    Args:
        handler: a handler of the root logger that has a formatter.
        full_tracebacks: whether tracebacks keep the lines of libraries.
    """
    handler.addFilter(lambda record: not _is_printed_elsewhere(record, handler))
    if handler.formatter is not None:
        whole = handler.formatter.formatException
        formatted = (lambda info: _escape(whole(info))) if full_tracebacks else format_exception
        handler.formatter.formatException = formatted  # type: ignore[method-assign, assignment]


def format_exception(info: ExceptionInfo) -> str:
    """Return the traceback without the lines of libraries that come before the application's own.

    The lines after the last one of the application stay: they show what it called. A traceback without a line of the
    application stays whole.
    """
    if info[1] is None:
        return "None"
    report = traceback.TracebackException(*info)
    count, seen, reports = 0, set(), [report]
    while reports:
        each = reports.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        reports += [other for other in (each.__cause__, each.__context__, *(each.exceptions or ())) if other]
        count += _remove_library_frames(each.stack)
    text = _escape("".join(report.format()).rstrip())
    calls = "call in a library is" if count == 1 else "calls in libraries are"
    return f"{text}\n({count} {calls} not shown.)" if count else text


def _escape(text: str) -> str:
    return CONTROL_CHARACTERS.sub(lambda match: ascii(match[0])[1:-1], text)


def _remove_library_frames(stack: traceback.StackSummary) -> int:
    """Remove the frames of libraries before the last one of the application, and return how many."""
    own = [index for index, frame in enumerate(stack) if _is_application_file(frame.filename)]
    if not own:
        return 0
    kept = [frame for index, frame in enumerate(stack) if index in own or index > own[-1]]
    count = len(stack) - len(kept)
    stack[:] = kept
    return count


@lru_cache(maxsize=1024)
def _is_application_file(name: str) -> bool:
    """Return whether a file is neither the standard library's, nor an installed package's, nor the bridge's."""
    if name.startswith("<"):
        return False
    path = Path(name).resolve()
    folders = {Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    is_library = "site-packages" in path.parts or "dist-packages" in path.parts
    return not is_library and not any(path.is_relative_to(each) for each in {*folders, Path(bridge.__file__).parent})


def _is_printed_elsewhere(record: logging.LogRecord, handler: logging.Handler) -> bool:
    """Return whether a handler other than *handler* prints *record* to the terminal, as Django's own one does."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None:
        for other in logger.handlers:
            stream = getattr(other, "stream", None)
            if (
                other is not handler
                and stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
                and record.levelno >= other.level
                and other.filter(record)
            ):
                return True
        logger = logger.parent if logger.propagate else None
    return False
