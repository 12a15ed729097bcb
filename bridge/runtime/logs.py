"""Log records as Lambda expects them: lines of text or JSON with the request ID of the current invocation.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from traceback import format_tb

from bridge.request import current
from bridge.runtime.api_messages import message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LEVELS = {"TRACE": logging.DEBUG, **logging.getLevelNamesMapping()}
# The types of frames that AWS's own client writes to the file descriptor for logs; the severity is added to them.
_JSON_FRAME, _TEXT_FRAME = 0xA55A0002, 0xA55A0003
_SEVERITY = {"DEBUG": 0x08, "INFO": 0x0C, "WARNING": 0x10, "ERROR": 0x14, "CRITICAL": 0x18}
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
_TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_STANDARD_ATTRIBUTES = {"message", "asctime", "taskName", "aws_request_id", "tenant_id"}.union(
    logging.makeLogRecord({}).__dict__
)


def set_up_logging(environ: Mapping[str, str]) -> None:
    """Let the root logger write as the variables ``AWS_LAMBDA_LOG_FORMAT`` and ``AWS_LAMBDA_LOG_LEVEL`` say."""
    is_json = environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    # The defaults are those of AWS's own client.
    default_level = logging.INFO if is_json else logging.WARNING
    descriptor = environ.get("_LAMBDA_TELEMETRY_LOG_FD", "")
    handler = LambdaLoggerHandler(int(descriptor) if descriptor.isdecimal() else None, is_json=is_json)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(_LEVELS.get(environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), default_level))


class LambdaLoggerHandler(logging.Handler):
    """Writes records to standard output, or as frames to the *descriptor* that Lambda provides.

    Each record gets ``aws_request_id`` and ``tenant_id``, which formatters of the function may use. Class and
    attributes have the names that AWS's own client gives them; Datadog's library looks for them.
    """

    def __init__(self, descriptor: int | None, *, is_json: bool) -> None:
        super().__init__()
        self._stream = sys.stdout
        self._descriptor = descriptor
        self._frame_type = _JSON_FRAME if is_json else _TEXT_FRAME
        formatter_class = JsonFormatter if is_json else logging.Formatter
        formatter = formatter_class(_TEXT_FORMAT, _TIME_FORMAT)
        formatter.converter = time.gmtime
        self.setFormatter(formatter)
        self.addFilter(_add_ids)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; a frame is type, length, time in microseconds, and text, the numbers big-endian."""
        try:
            text = self.format(record).removesuffix("\n") + "\n"
            if self._descriptor is None:
                self._stream.write(text)
                self._stream.flush()
                return
            data = text.encode("utf-8", "replace")
            frame_type = self._frame_type + _SEVERITY.get(record.levelname, 0)
            microseconds = time.time_ns() // 1000
            head = frame_type.to_bytes(4, "big") + len(data).to_bytes(4, "big") + microseconds.to_bytes(8, "big")
            os.write(self._descriptor, head + data)
        except Exception:
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with the keys of AWS's own client and those of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; a message that is a dictionary becomes an object."""
        is_object = isinstance(record.msg, dict) and not record.args
        content: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt) + "Z",
            "level": record.levelname,
            "message": record.msg if is_object else record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", None) or None,
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            content["errorType"] = kind.__name__
            content["errorMessage"] = message_of(error)
            content["stackTrace"] = format_tb(trace)
            content["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        content["tenantId"] = getattr(record, "tenant_id", None)
        for key, value in record.__dict__.items():
            if key not in _STANDARD_ATTRIBUTES:
                content.setdefault(key, value)
        present = {key: value for key, value in content.items() if value is not None}
        return json.dumps(present, ensure_ascii=False, default=str)


def _add_ids(record: logging.LogRecord) -> bool:
    """Add the IDs of the current invocation to a record; a filter, which lets every record pass."""
    request = current.get()
    record.aws_request_id = request.request_id if request is not None else ""
    record.tenant_id = getattr(request.context, "tenant_id", None) if request is not None else None
    return True
