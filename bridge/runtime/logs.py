"""Log records as Lambda expects them: lines of text or JSON with the request ID of the current invocation.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time

from bridge.request import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
# The types of frames that AWS's own client writes to the file descriptor for logs; the severity is added to them.
_JSON_FRAME, _TEXT_FRAME = 0xA55A0002, 0xA55A0003
_SEVERITY = {"DEBUG": 0x08, "INFO": 0x0C, "WARNING": 0x10, "ERROR": 0x14, "CRITICAL": 0x18}
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
_STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_up_logging(environ: Mapping[str, str]) -> None:
    """Let the root logger write as the variables ``AWS_LAMBDA_LOG_FORMAT`` and ``AWS_LAMBDA_LOG_LEVEL`` say."""
    is_json = environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    # The defaults are those of AWS's own client.
    default_level = logging.INFO if is_json else logging.WARNING
    level = _LEVELS.get(environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), default_level)
    descriptor = environ.get("_LAMBDA_TELEMETRY_LOG_FD", "")
    handler: logging.Handler = logging.StreamHandler(sys.stdout)
    if descriptor.isdigit():
        handler = FrameHandler(int(descriptor), _JSON_FRAME if is_json else _TEXT_FRAME)
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)


class FrameHandler(logging.Handler):
    """Writes each record as a frame to the file descriptor that Lambda provides, so that its lines stay together."""

    def __init__(self, descriptor: int, frame_type: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._frame_type = frame_type

    def emit(self, record: logging.LogRecord) -> None:
        """Write type, length, time in microseconds, and text; the numbers are big-endian."""
        try:
            text = (self.format(record) + "\n").encode("utf-8", "replace")
            frame_type = self._frame_type + _SEVERITY.get(record.levelname, 0)
            microseconds = time.time_ns() // 1000
            head = frame_type.to_bytes(4, "big") + len(text).to_bytes(4, "big") + microseconds.to_bytes(8, "big")
            os.write(self._descriptor, head + text)
        except Exception:
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """Level, time, request ID and message between tabs."""

    def __init__(self) -> None:
        super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", _TIME_FORMAT)
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; a traceback takes more lines."""
        record.aws_request_id = _request_id()
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with the keys of AWS's own client and those of ``extra``."""

    def __init__(self) -> None:
        super().__init__(datefmt=_TIME_FORMAT + "Z")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; a message that is a dictionary becomes an object."""
        is_object = isinstance(record.msg, dict) and not record.args
        content: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": record.msg if is_object else record.getMessage(),
            "logger": record.name,
            "requestId": _request_id() or None,
        }
        if record.exc_info and record.exc_info[0] is not None:
            from traceback import format_tb

            kind, error, trace = record.exc_info
            content["errorType"] = kind.__name__
            content["errorMessage"] = str(error)
            content["stackTrace"] = format_tb(trace)
            content["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        request = current.get()
        content["tenantId"] = getattr(request.context, "tenant_id", None) if request is not None else None
        for key, value in record.__dict__.items():
            if key not in _STANDARD_ATTRIBUTES:
                content.setdefault(key, value)
        present = {key: value for key, value in content.items() if value is not None}
        return json.dumps(present, ensure_ascii=False, default=str)


def _request_id() -> str:
    request = current.get()
    return request.request_id if request is not None else ""
