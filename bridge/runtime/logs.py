"""Log records as Lambda wants them: text or JSON lines with the request id of the request that wrote them.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time

from bridge.current import current

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
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)


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
