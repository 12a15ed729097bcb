"""Values that serverless.yml and SAM templates have in common."""

from __future__ import annotations

import re
from typing import Any

from bridge.dev.errors import UsageError
from bridge.dev.gateway.routes import invalid_template_reason

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY")


class KnownText(str):
    """Text whose value is known, even if it has ``${`` in it."""

    __slots__ = ()


def mapping(value: Any) -> dict[str, Any]:
    """Return *value* if it is a mapping, else an empty mapping."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return *value* if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def variables(*values: Any) -> dict[str, str]:
    """Return the environment variables with known values; later *values* win.

    CloudFormation functions and unresolved references have no known value.
    """
    known = {}
    for value in values:
        for name, text in mapping(value).items():
            if isinstance(text, bool):
                text = "true" if text else "false"
            if isinstance(text, (str, int, float)) and not is_unresolved(text):
                known[str(name)] = str(text)
    return known


def unresolved_variables(*values: Any) -> list[str]:
    """Return the names of the environment variables that a deployment sets; later *values* win."""
    merged = {str(name): text for value in values for name, text in mapping(value).items()}
    return [name for name, text in merged.items() if is_unresolved(text)]


def is_unresolved(value: Any) -> bool:
    """Whether *value* is a CloudFormation function, or a string with a reference that has no value on this machine."""
    if isinstance(value, str):
        return "${" in value and not isinstance(value, KnownText)
    return isinstance(value, dict)


def seconds(value: Any, place: str) -> float | None:
    """Return a timeout; None if there is none, or if a deployment sets it.

    Args:
        value: the value in the file.
        place: the file and the key, for the message.

    Raises:
        UsageError: *value* is not a number above 0.
    """
    if value is None or is_unresolved(value):
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d+(\.\d+)?", str(value)) or not float(value) > 0:
        raise UsageError(f"{place} is {value!r}; it must be a number of seconds above 0.")
    return float(value)


def route_method(value: Any, place: str) -> str:
    """Return the method of a route in upper case; ``ANY`` for all methods.

    Args:
        value: the value in the file.
        place: the file and the key, for the message.

    Raises:
        UsageError: *value* is not an HTTP method.
    """
    method = str(value).upper()
    if method in ("*", "X-AMAZON-APIGATEWAY-ANY-METHOD"):
        return "ANY"
    if method not in _METHODS:
        raise UsageError(f"{place} has the method {value!r}; it must be one of {', '.join(_METHODS)}.")
    return method


def route_template(path: str, place: str) -> str:
    """Return the path of a route with a slash before it.

    Args:
        path: the path in the file.
        place: the file and the key, for the message.

    Raises:
        UsageError: API Gateway refuses to create the route.
    """
    template = "/" + path.strip("/")
    if not is_unresolved(template) and (reason := invalid_template_reason(template)) is not None:
        raise UsageError(f"{place} has the path {path!r}, which API Gateway refuses to create: {reason}.")
    return template


def function_name(value: Any, key: str) -> str:
    """Return a function's name on AWS; its *key* in the file if *value* names none, or a deployment sets it."""
    return value if isinstance(value, str) and value and not is_unresolved(value) else key


def is_python(runtime: Any) -> bool:
    """Whether the runtime of a function is Python, or unknown."""
    return not isinstance(runtime, str) or runtime.startswith("python") or is_unresolved(runtime)
