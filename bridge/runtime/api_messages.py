"""The messages of the Lambda Runtime API, without I/O: requests and error reports as bytes, replies from bytes.

- https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
- streams: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
- HTTP/1.1: RFC 9112, as much of it as a client needs that sends one request at a time to one server
"""

from __future__ import annotations

import json
import os
from traceback import extract_tb

from bridge.errors import ApplicationNotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from bridge.runtime.invocation import Invocation

    Headers = list[tuple[str, str]]

_ERROR_TYPE, _ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"
# Lambda's side is written in Go, whose HTTP server accepts 4096 bytes of trailers, names included. Base64 makes four
# bytes of three.
_MAX_TRAILER_REPORT, _MAX_ERROR_TYPE = 2_800, 100
_MAX_REPORT = 16_384  # bytes
_MAX_REPLY_HEAD = 1 << 20
# Packages whose frames precede the application's own.
_CALLERS = ("bridge", "importlib", "asyncio", "concurrent")


class Requests:
    """The requests to a *host*: ``next`` waits for an invocation, ``restore`` until a snapshot is restored."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.next = self._head("GET", "/invocation/next", [])
        self.restore = self._head("GET", "/restore/next", [])

    def response(self, invocation: Invocation, payload: bytes, content_type: str) -> bytes:
        """Return the request that posts the payload of an invocation."""
        headers = [("Content-Type", content_type), *_echo(invocation)]
        return self._post(f"/invocation/{invocation.request_id}/response", headers, payload)

    def stream(self, invocation: Invocation) -> bytes:
        """Return the head of a request with a streamed response; :func:`chunk` and :func:`last_chunk` make its body."""
        headers = [
            ("Content-Type", "application/vnd.awslambda.http-integration-response"),
            ("Lambda-Runtime-Function-Response-Mode", "streaming"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", f"{_ERROR_TYPE}, {_ERROR_BODY}"),
            *_echo(invocation),
        ]
        return self._head("POST", f"/invocation/{invocation.request_id}/response", headers)

    def error(self, report: ErrorReport, invocation: Invocation) -> bytes:
        """Return the request that posts the error of an invocation."""
        cause = report.to_xray()
        headers = [("Lambda-Runtime-Function-XRay-Error-Cause", cause)] if cause else []
        return self._error(f"/invocation/{invocation.request_id}/error", report, headers + _echo(invocation))

    def phase_error(self, report: ErrorReport, phase: str) -> bytes:
        """Return the request that posts the error of a phase, ``"init"`` or ``"restore"``."""
        return self._error(f"/{phase}/error", report, [])

    def _error(self, path: str, report: ErrorReport, headers: Headers) -> bytes:
        headers = [("Content-Type", "application/json"), (_ERROR_TYPE, _error_type(report)), *headers]
        return self._post(path, headers, report.to_json())

    def _post(self, path: str, headers: Headers, body: bytes) -> bytes:
        return self._head("POST", path, [*headers, ("Content-Length", str(len(body)))]) + body

    def _head(self, method: str, path: str, headers: Headers) -> bytes:
        line = f"{method} /2018-06-01/runtime{path} HTTP/1.1\r\nHost: {self._host}\r\n"
        return (line + _lines(headers)).encode("latin-1")


def encode(payload: Any) -> tuple[bytes, str]:
    """Return a handler's payload as JSON, or unchanged if it is bytes, and its Content-Type."""
    if isinstance(payload, bytes):
        return payload, "application/unknown"  # the type that AWS's own client sends
    try:
        return _to_json(payload).encode(), "application/json"
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(payload, default=_plain).encode(), "application/json"


def _plain(value: Any) -> Any:
    """Return a Decimal as a number and bytes as text, as AWS's own client does."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        if value.is_nan():
            return float("nan")
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_to_json = json.JSONEncoder(ensure_ascii=False, default=_plain).encode


def chunk(data: bytes) -> bytes:
    """Return a part of a stream's body (RFC 9112, 7.1). Empty *data* would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(report: ErrorReport | None = None) -> bytes:
    """Return the end of a stream's body: with Lambda's error trailers if there is a *report*."""
    trailers = []
    if report is not None:
        from binascii import b2a_base64

        body = b2a_base64(report.to_json(_MAX_TRAILER_REPORT), newline=False).decode()
        trailers = [(_ERROR_TYPE, _error_type(report)), (_ERROR_BODY, body)]
    return f"0\r\n{_lines(trailers)}".encode("latin-1")


class ErrorReport:
    """An error as the Runtime API takes it; *kind* is its type, such as ``"Runtime.ImportModuleError"``."""

    def __init__(self, kind: str, message: str, trace: TracebackType | None = None) -> None:
        self.kind = kind
        self.message = message
        self._stack = extract_tb(trace)

    @classmethod
    def of(cls, error: BaseException, kind: str = "") -> ErrorReport:
        """Return the report of an exception, without the frames that precede the application's."""
        return cls(kind or type(error).__name__, message_of(error), _application_frames(error.__traceback__))

    @classmethod
    def of_init(cls, error: BaseException) -> ErrorReport:
        """Return the report of an exception that ends the init phase, with the type that AWS's own client reports."""
        if isinstance(error, ApplicationNotFoundError) and not isinstance(error.__cause__, ImportError):
            return cls.of(error, "Runtime.HandlerNotFound")
        if isinstance(error, ImportError):
            return cls.of(error, "Runtime.ImportModuleError")
        return cls.of(error, "Runtime.UserCodeSyntaxError" if isinstance(error, SyntaxError) else "")

    def to_json(self, max_size: int = _MAX_REPORT) -> bytes:
        """Return the report in at most *max_size* bytes: of a longer stack the frames nearest to the error remain."""
        message, kind = _shorten(self.message, max_size // 2), _shorten(self.kind, max_size // 8)
        content = {"errorMessage": message, "errorType": kind, "stackTrace": [""]}
        room = max_size - len(json.dumps(content))
        lines: list[str] = []
        for line in reversed(self._stack.format()):
            room -= len(json.dumps(line)) + len(", ")
            if room < 0:
                break
            lines.insert(0, line)
        return json.dumps({**content, "stackTrace": lines}).encode()

    def to_xray(self) -> str:
        """Return the report as X-Ray's cause of a failed invocation; ``""`` if it is too long for a header."""
        frames = [{"label": frame.name, "path": frame.filename, "line": frame.lineno} for frame in self._stack]
        content = {
            "working_directory": os.environ.get("LAMBDA_TASK_ROOT", ""),  # the current folder may be removed
            "exceptions": [{"message": self.message, "type": self.kind, "stack": frames}],
            "paths": sorted({frame.filename for frame in self._stack}),
        }
        text = json.dumps(content)
        return text if len(text) <= _MAX_REPORT else ""


def message_of(error: BaseException) -> str:
    """Return the message of an exception, also of one whose ``__str__`` raises."""
    try:
        return str(error)
    except BaseException:  # CancelledError as well
        return f"<{type(error).__name__}.__str__() failed>"


class Reply:
    """A reply: its status, its headers by lower-case name, its body, and whether the connection ends with it."""

    __slots__ = ("body", "closes_connection", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes, *, closes_connection: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.closes_connection = closes_connection

    def __str__(self) -> str:
        return f"{self.status}: {self.body[:500].decode('utf-8', 'replace')}"


def take_reply(received: bytearray, *, is_closed: bool = False) -> Reply | None:
    """Remove a reply from the beginning of *received* and return it; None if it is not complete.

    *is_closed* says whether the connection is closed, which ends a reply without a length. Raises ValueError if the
    bytes are not HTTP.
    """
    start = received.find(b"\r\n\r\n") + 4
    if start < 4:
        if len(received) > _MAX_REPLY_HEAD:
            raise ValueError("the head has no end")
        return None
    status_line, *lines = received[: start - 4].decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(repr(status_line))
    if status < "200":  # an interim response, such as 100 Continue, precedes the final one
        del received[:start]
        return take_reply(received, is_closed=is_closed)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    closes_connection = version == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        slices, end = _chunks(received, start)
    else:
        length = headers.get("content-length") or ("0" if status == "204" else "")
        if not length:  # the body ends with the connection
            closes_connection = True
        end = start + _size(length) if length else len(received) if is_closed else -1
        slices = [slice(start, end)]
    if not 0 <= end <= len(received):
        return None
    body = b"".join(map(received.__getitem__, slices))
    del received[:end]
    return Reply(int(status), headers, body, closes_connection=closes_connection)


def _chunks(received: bytearray, position: int) -> tuple[list[slice], int]:
    """Return the slices of a body's chunks, and the position after the trailers; -1 if the body is not complete."""
    slices: list[slice] = []
    while (line_end := received.find(b"\r\n", position)) >= 0:
        size = _size(received[position:line_end].partition(b";")[0], 16)
        if size == 0:
            end = received.find(b"\r\n\r\n", line_end)
            return slices, end + 4 if end >= 0 else -1
        slices.append(slice(line_end + 2, line_end + 2 + size))
        position = line_end + 2 + size + 2
    return slices, -1


def _size(digits: str | bytearray, base: int = 10) -> int:
    size = int(digits, base)
    if size < 0:
        raise ValueError(f"the size {size}")
    return size


def _lines(headers: Headers) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]) + "\r\n"


def _echo(invocation: Invocation) -> Headers:
    return [("Lambda-Runtime-Invocation-Id", invocation.invocation_id)] if invocation.invocation_id else []


def _error_type(report: ErrorReport) -> str:
    """Return the error type as a header: AWS reports one without the prefix as an unknown error of the runtime."""
    kind = "".join(character if " " <= character <= "~" else "?" for character in report.kind[:_MAX_ERROR_TYPE])
    return kind if kind.startswith(("Function.", "Runtime.")) else f"Function.{kind}"


def _shorten(text: str, room: int) -> str:
    """Return as much of *text* as certainly fits in *room* bytes of JSON, where a character takes up to twelve."""
    return text if len(json.dumps(text)) <= room else text[: room // 12]


def _application_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return *trace* from the application's first frame on; the whole of it if it has none."""
    frames = trace
    while frames is not None:
        names = frames.tb_frame.f_globals
        package = names.get("__package__") or names.get("__name__") or ""  # bridge.runtime.__main__ is "__main__"
        if package.partition(".")[0] not in _CALLERS:
            return frames
        frames = frames.tb_next
    return trace
