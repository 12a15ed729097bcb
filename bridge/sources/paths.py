"""Paths of events: percent-decoding, and the part before the application (stage, base path of a domain, option).

A prefix is removed on whole segments only: ``/prod`` is no prefix of ``/production``, nor of ``/prod%2Fx``. So
prefixes are compared with paths as they arrived, before they are decoded.
"""

from __future__ import annotations

from urllib.parse import quote_from_bytes, unquote_to_bytes

from bridge.sources.event_fields import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PATH_MARKS = "/:@!$&'()*+,;="
_PATH = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~" + _PATH_MARKS)


def unquote(text: str) -> str:
    """*text* percent-decoded exactly once, as a native string; a ``%`` without two hex digits stays."""
    return unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode("latin-1")


def encode_path(path: str) -> str:
    """A native string percent-encoded as a path (RFC 3986, 3.3)."""
    return path if _PATH.issuperset(path) else quote_from_bytes(path.encode("latin-1"), _PATH_MARKS)


def split_path(root: str, path: str, base_path: str = "") -> tuple[str, str, str]:
    """The whole path as it arrived, the decoded root path, and the decoded path.

    Args:
        root: the prefix that the source put before the path, as it arrived.
        path: the rest, as it arrived.
        base_path: the option ``base_path``, which may lengthen *root*.
    """
    whole = root + path
    if base_path:
        length = _length_of(base_path, whole) or len(root) + _length_of(base_path, path)
        root, path = whole[:length], whole[length:]
    if path[:1] != "/" and (path or not root):
        path = "/" + path
        whole = root + path
    if "%" in whole or not whole.isascii():
        return native(whole), unquote(root), unquote(path) or "/"
    return whole, root, path or "/"


def starts_with(path: str, prefix: str) -> bool:
    """Whether *path* starts with the whole segments of *prefix*."""
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")


def prefix_before_route(path: str, template: str, parameters: Mapping[str, Any] | None) -> str | None:
    """The prefix of *path* before the part that a route matched: the base path of a custom domain, a stage, or ``""``.

    None if the route's template, such as ``/dogs/{id}`` or ``/{proxy+}``, does not fit the path. The value of a greedy
    variable has lost its trailing slash.
    """
    if not template.startswith("/"):
        return None
    segments = []
    for segment in template.strip("/").split("/"):
        if segment.startswith("{") and segment.endswith("}"):
            value = (parameters or {}).get(segment[1:-1].rstrip("+"))
            if not isinstance(value, str):
                return None
            segments.append(value.strip("/"))
        else:
            segments.append(segment)
    tail = "/".join(["", *segments]).rstrip("/")
    trimmed = path.rstrip("/")
    if not trimmed.endswith(tail):
        # One of the two may be decoded and the other not. Base paths and stages have nothing to decode.
        tail, trimmed = unquote(tail), unquote(trimmed)
        if not trimmed.endswith(tail):
            return None
    root = trimmed[: len(trimmed) - len(tail)].rstrip("/")
    return root if starts_with(path, root) else None


def _length_of(prefix: str, path: str) -> int:
    """The number of characters of *path*, perhaps percent-encoded, that spell the segments of *prefix*; 0 if none."""
    if starts_with(path, prefix):
        return len(prefix)
    segments = path.split("/")
    count = prefix.count("/") + 1
    start = "/".join(segments[:count])
    return len(start) if len(segments) >= count and "%" in start and unquote(start) == native(prefix) else 0
