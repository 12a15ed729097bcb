"""What went wrong with a function, as its process tells it, or as what becomes of it."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPE, _BODY = "lambda-runtime-function-error-type", "lambda-runtime-function-error-body"


class FunctionError(BridgeError):
    """The function failed: it said so, its process ended, or it took too long.

    Args:
        kind: the error's type, such as ``"ValueError"`` or ``"Runtime.ExitError"``.
        message: for people.
        stack: the lines of its stack.

    Attributes:
        kind, message, stack: as given.
    """

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.stack = stack or []


def error_of(body: bytes, headers: Mapping[str, str]) -> FunctionError:
    """An error as a runtime posts it: an object, more or less, and a type in the headers."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = {"errorMessage": body[:1000].decode("utf-8", "replace")}
    told = told if isinstance(told, dict) else {}
    stack = told.get("stackTrace") or told.get("trace")  # Node's name for it
    lines = [str(line) for line in stack] if isinstance(stack, list) else []
    kind = str(told.get("errorType") or headers.get(_TYPE) or "Unknown")
    return FunctionError(kind, str(told.get("errorMessage") or ""), lines)


def error_in(trailers: Mapping[str, str]) -> FunctionError | None:
    """The error that ends a stream; None if it ended as it should."""
    if _TYPE not in trailers and _BODY not in trailers:
        return None
    try:
        body = base64.b64decode(trailers.get(_BODY, ""), validate=True)
    except binascii.Error:
        body = trailers[_BODY].encode()
    return error_of(body, trailers)
