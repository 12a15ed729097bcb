"""Hiding secrets in what the page shows: credentials and cookies."""

from __future__ import annotations

from typing import Any

# The text in the place of a hidden value; the page shows it as a button.
MASK = "••••••"
_CREDENTIALS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "x-csrftoken",
        "x-xsrf-token",
    }
)
_COOKIES = frozenset({"cookie", "cookies", "set-cookie"})


def is_secret(name: str) -> bool:
    """Return whether the header, or key of an event or payload, called *name* has a secret."""
    return name.lower() in _CREDENTIALS or name.lower() in _COOKIES


def masked_value(name: str, value: str) -> str:
    """Return a header's value with its secrets hidden; the names of cookies, and schemes, stay visible.

    ::

        masked_value("authorization", "Bearer abc")  # "Bearer ••••••"
        masked_value("set-cookie", "id=1; Path=/")   # "id=••••••; Path=/"
    """
    lower = name.lower()
    if lower in _CREDENTIALS:
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {MASK}" if space and scheme.isalpha() else MASK
    if lower not in _COOKIES:
        return value
    first, *rest = value.split(";")
    attributes = rest if lower == "set-cookie" else [_masked_cookie(cookie) for cookie in rest]
    return ";".join([_masked_cookie(first), *attributes])


def masked_json(value: Any, name: str = "") -> Any:
    """Return a copy of an event or a payload with its secrets hidden.

    Args:
        value: the value, as read from JSON.
        name: the key under which it stands.
    """
    if isinstance(value, dict):
        if is_secret(name) and "value" in value:  # CloudFront: {"key": "Cookie", "value": "a=1"}
            return {**value, "value": masked_json(value["value"], name)}
        return {key: masked_json(inner, key if is_secret(key) else name) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked_json(inner, name) for inner in value]
    if isinstance(value, str) and is_secret(name):
        # A payload's list of cookies has values of Set-Cookie, an event's has single cookies.
        return masked_value("set-cookie" if name.lower() == "cookies" else name, value)
    return value


def _masked_cookie(cookie: str) -> str:
    name, equals, _ = cookie.partition("=")
    return f"{name}={MASK}" if equals else MASK
