"""The report of an error to the Runtime API: type, message and stack."""

from __future__ import annotations

import json
import os
from traceback import extract_tb

from bridge.errors import ApplicationNotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_MAX_SIZE = 16_384  # bytes
# Packages whose frames precede the application's own.
_CALLERS = ("bridge", "importlib", "asyncio", "concurrent")


class ErrorReport:
    """An error as the Runtime API receives it; *kind* is its type, such as ``"Runtime.ImportModuleError"``."""

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

    def to_json(self, max_size: int = _MAX_SIZE) -> bytes:
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
        return text if len(text) <= _MAX_SIZE else ""


def message_of(error: BaseException) -> str:
    """Return the message of an exception, also of one whose ``__str__`` raises."""
    try:
        return str(error)
    except BaseException:  # CancelledError as well
        return f"<{type(error).__name__}.__str__() failed>"


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
