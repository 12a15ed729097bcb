"""What uvicorn logs, said so that people know what to do."""

from __future__ import annotations

import logging
import sys

_INVALID = "Invalid HTTP request received."
# Said in other words elsewhere.
_SAID = ("Application startup failed", "Unsupported upgrade request", "No supported WebSocket library")


# Said by the front door, which cuts off what the function has cut off.
_CUT = "ASGI callable returned without completing response"


def make_clear(*, front_door: bool) -> None:
    """Change its messages, once and for all; *front_door* is whether it serves one."""
    log = logging.getLogger("uvicorn.error")
    log.addFilter(_clear)
    if front_door:
        log.addFilter(lambda record: not str(record.msg).startswith(_CUT))


def _clear(record: logging.LogRecord) -> bool:
    message = str(record.msg)
    if message.startswith(_INVALID):
        # Logged where the parser's exception is handled, which knows more.
        record.msg = "A client's request was answered 400: it is no HTTP (%.200s)."
        record.args = (sys.exception() or "no reason given",)
    return not message.startswith(_SAID)
