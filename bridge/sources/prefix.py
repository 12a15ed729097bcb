"""The part of a path that lies before the application: the stage, a custom domain's base path, an option.

A prefix is taken off on whole segments only: ``/prod`` is no prefix of ``/production``, nor of ``/prod%2Fx``, so
all of this works on paths as they arrived, before they are decoded.
"""

from __future__ import annotations

from bridge.sources.text import native, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bridge.request import Scope
    from bridge.settings import Settings


def set_path(scope: Scope, root: str, path: str, settings: Settings, *, raw: bool) -> None:
    """As :meth:`Scope.set_path`, whatever they are."""
    if base := settings.base_path:
        whole = root + path
        length = _length_of(base, whole) or len(root) + _length_of(base, path)
        root, path = whole[:length], whole[length:]
    if path[:1] != "/" and (path or not root):
        path = "/" + path
    whole = root + path
    if "%" in whole or not whole.isascii():
        whole, root, path = native(whole), unquote(root), unquote(path)
    scope.raw_path = whole if raw else None
    scope.root_path = root
    scope.path = path or "/"


def starts_with(path: str, prefix: str) -> bool:
    """Whether the whole segments of *prefix* begin *path*."""
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")


def _length_of(prefix: str, path: str) -> int:
    """How many characters of *path*, perhaps percent-encoded, spell the whole segments of *prefix*; 0 if none do."""
    if starts_with(path, prefix):
        return len(prefix)
    segments = path.split("/")
    count = prefix.count("/") + 1
    begin = "/".join(segments[:count])
    return len(begin) if len(segments) >= count and "%" in begin and unquote(begin) == native(prefix) else 0


def before_route(path: str, template: str, parameters: Mapping[str, Any] | None) -> str | None:
    """What precedes the route's own part of *path*: the base path of a custom domain, or a stage.

    Args:
        path: the whole path.
        template: the route that matched, such as ``/dogs/{id}`` or ``/{proxy+}``.
        parameters: what its variables matched. A greedy one comes without its trailing slash.

    Returns:
        The prefix, ``""`` if there is none, None if the template does not explain the path.
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
        # One of them may be decoded and the other not. Base paths and stages have nothing to decode.
        tail, trimmed = unquote(tail), unquote(trimmed)
        if not trimmed.endswith(tail):
            return None
    root = trimmed[: len(trimmed) - len(tail)].rstrip("/")
    return root if starts_with(path, root) else None
