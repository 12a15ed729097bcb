"""Log records as Lambda wants them: text or JSON lines with the request id of the request that wrote them.

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
# How awslambdaric marks the frames for the descriptor that Lambda gives it: a type, to which the severity is added.
_JSON_FRAME, _TEXT_FRAME = 0xA55A0002, 0xA55A0003
_SEVERITY = {"DEBUG": 0x08, "INFO": 0x0C, "WARNING": 0x10, "ERROR": 0x14, "CRITICAL": 0x18}
_TIME = "%Y-%m-%dT%H:%M:%S"
_OWN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


def set_up(environ: Mapping[str, str] | None = None) -> None:
    """Have the root logger write as ``AWS_LAMBDA_LOG_FORMAT`` and ``AWS_LAMBDA_LOG_LEVEL`` say.

    Args:
        environ: the environment; the process's if None.
    """
    environ = os.environ if environ is None else environ
    is_json = environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    told = environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    # Without a word from Lambda: INFO in JSON, and Python's own WARNING in text, as AWS's runtime client does.
    level = _LEVELS.get(told, logging.INFO if is_json else logging.WARNING)
    telemetry = environ.get("_LAMBDA_TELEMETRY_LOG_FD", "")
    handler: logging.Handler = logging.StreamHandler(sys.stdout)
    if telemetry.isdigit():
        handler = FrameHandler(int(telemetry), _JSON_FRAME if is_json else _TEXT_FRAME)
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)


class FrameHandler(logging.Handler):
    """Writes each record as a frame on the descriptor that Lambda gives for it, so that its lines stay together.

    Args:
        descriptor: the descriptor.
        kind: the frames' type, to which their severity is added.
    """

    def __init__(self, descriptor: int, kind: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._kind = kind

    def emit(self, record: logging.LogRecord) -> None:
        """Write type, length, time in microseconds, text; numbers are big-endian."""
        try:
            text = (self.format(record) + "\n").encode("utf-8", "replace")
            kind = self._kind + _SEVERITY.get(record.levelname, 0)
            frame = kind.to_bytes(4, "big") + len(text).to_bytes(4, "big") + (time.time_ns() // 1000).to_bytes(8, "big")
            os.write(self._descriptor, frame + text)
        except Exception:
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """``[LEVEL]``, time, request id and message between tabs."""

    def __init__(self) -> None:
        super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", _TIME)
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """One record, over several lines if it has a traceback."""
        record.aws_request_id = _request_id()
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the keys of AWS's runtime client and what ``extra`` adds."""

    def __init__(self) -> None:
        super().__init__(datefmt=_TIME + "Z")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """One record, in one line."""
        plain = record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage()
        content: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": plain,
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
        found = current.get()
        tenant = getattr(found.context, "tenant_id", None) if found is not None else None
        content["tenantId"] = tenant
        content |= {key: value for key, value in record.__dict__.items() if key not in _OWN and key not in content}
        kept = {key: value for key, value in content.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, default=str)


def _request_id() -> str:
    found = current.get()
    return found.request_id if found is not None else ""
