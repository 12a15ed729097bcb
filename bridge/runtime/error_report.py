"""What went wrong, as the Runtime API takes it: type, message and stack."""

from __future__ import annotations

import json
import os
from traceback import extract_tb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_LONGEST = 16_384  # bytes
_NOT_THE_APPLICATIONS = ("bridge", "importlib", "asyncio", "concurrent")


class Fault:
    """An error for the Runtime API.

    Args:
        kind: its type, such as ``"ValueError"`` or ``"Runtime.ImportModuleError"``.
        message: for people.
        trace: the traceback, or None.
    """

    def __init__(self, kind: str, message: str, trace: TracebackType | None = None) -> None:
        self.kind = kind
        self.message = message
        self._stack = extract_tb(trace)

    @classmethod
    def of(cls, error: BaseException, kind: str = "") -> Fault:
        """That of an exception; without the frames of the bridge above the application's."""
        return cls(kind or type(error).__name__, str(error), _own_part(error.__traceback__))

    def to_xray(self) -> str:
        """As X-Ray's cause of a failed invocation, ``""`` if it is too long for a header."""
        frames = [{"label": frame.name, "path": frame.filename, "line": frame.lineno} for frame in self._stack]
        content = {
            "working_directory": os.getcwd(),
            "exceptions": [{"message": self.message, "type": self.kind, "stack": frames}],
            "paths": sorted({frame.filename for frame in self._stack}),
        }
        text = json.dumps(content)
        return text if len(text) <= _LONGEST else ""

    def to_json(self, longest: int = _LONGEST) -> bytes:
        """As the body of an error, of so many bytes at most: the frames nearest to the error count most."""
        stack: list[str] = []
        message, kind = _cut(self.message, longest // 2), _cut(self.kind, longest // 8)
        whole = json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": stack})
        room = longest - len(whole)
        for line in reversed(self._stack.format()):
            room -= len(json.dumps(line)) + len(", ")
            if room < 0:
                break
            stack.insert(0, line)
        return json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": stack}).encode()


def _cut(text: str, room: int) -> str:
    """As much of a text as is certain to fit as JSON, which makes up to twelve bytes of a character."""
    return text if len(json.dumps(text)) <= room else text[: room // 12]


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame on that is neither the bridge's nor Python's import; all, if there is none."""
    part = trace
    while part is not None:
        names = part.tb_frame.f_globals
        package = names.get("__package__") or names.get("__name__") or ""  # this process's own module is "__main__"
        if package.partition(".")[0] not in _NOT_THE_APPLICATIONS:
            return part
        part = part.tb_next
    return trace
