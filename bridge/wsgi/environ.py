"""The WSGI environ of a Scope: PEP 3333, 'environ Variables', and RFC 3875, section 4.1."""

from __future__ import annotations

import sys
from io import BytesIO

from bridge.response import TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from bridge.request import Scope

    Environ = dict[str, Any]


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable over a file's blocks that closes the file."""

    def __init__(self, file: Any, block_size: int = 262_144) -> None:
        self._file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_size), b"")

    def close(self) -> None:
        """Close the file, if it has a ``close``."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()


# What most environs have in common. A server that calls handlers in several threads sets wsgi.multithread.
DEFAULTS: dict[Any, Any] = {
    "CONTENT_LENGTH": "0",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.file_wrapper": FileWrapper,
    "serverless.authorizer": None,
}


def environ_of(scope: Scope) -> Environ:
    """A new environ for one call of a WSGI application.

    Beside PEP 3333's keys: ``REMOTE_ADDR``; ``REMOTE_USER`` if an authorizer named a user; ``RAW_URI`` and
    ``REQUEST_URI`` where the source kept the client's spelling; ``wsgi.file_wrapper``; ``wsgi.input_terminated``;
    ``serverless.event``, ``serverless.context``, ``serverless.authorizer``.
    """
    environ = DEFAULTS.copy()
    headers = scope.headers
    try:
        for name, value in headers:
            environ[_keys[name]] = value
        is_repeated = len(environ) < len(DEFAULTS) + len(headers)
    except KeyError:  # the name is not in the cache
        is_repeated = True
    if is_repeated:
        environ.update(_header_variables(headers))
    environ.pop(None, None)  # headers that have no variable
    if "CONTENT_TYPE" not in environ:
        environ["CONTENT_TYPE"] = ""
    environ["REQUEST_METHOD"] = scope.method
    environ["SCRIPT_NAME"] = scope.root_path
    environ["PATH_INFO"] = scope.path
    environ["QUERY_STRING"] = query = scope.query
    environ["SERVER_NAME"] = f"[{host}]" if ":" in (host := scope.server_name) else host
    environ["SERVER_PORT"] = scope.server_port
    environ["REMOTE_ADDR"] = scope.client
    environ["wsgi.url_scheme"] = scope.scheme
    environ["wsgi.input"] = BytesIO(scope.body)
    environ["wsgi.errors"] = sys.stderr
    environ["serverless.event"] = scope.event
    environ["serverless.context"] = scope.context
    if scope.body:
        environ["CONTENT_LENGTH"] = str(len(scope.body))
    if scope.http_version != "1.1":
        environ["SERVER_PROTOCOL"] = f"HTTP/{scope.http_version}"
    if scope.raw_path is not None:
        environ["RAW_URI"] = environ["REQUEST_URI"] = f"{scope.raw_path}?{query}" if query else scope.raw_path
    if scope.authorizer is not None:
        environ["serverless.authorizer"] = scope.authorizer
    if scope.user:
        environ["REMOTE_USER"] = scope.user
    return environ


def _header_variables(headers: Collection[tuple[str, str]]) -> dict[str | None, str]:
    """The variables of request headers; repeated headers are joined (RFC 9110, 5.3, and RFC 6265, 5.4)."""
    values: dict[str | None, list[str]] = {}
    for name, value in headers:
        key = environ_key(name)
        if len(name) <= _LONGEST_KEY:
            if len(_keys) >= _MOST_KEYS:
                _keys.clear()
            _keys[name] = key
        values.setdefault(key, []).append(value)
    return {
        key: several[-1]
        if key in ("HTTP_HOST", "CONTENT_TYPE")
        else ("; " if key == "HTTP_COOKIE" else ",").join(several)
        for key, several in values.items()
    }


# environ_key() of header names. Clients choose names, so their number and length are limited.
_keys: dict[str, str | None] = {}
_MOST_KEYS = 1024
_LONGEST_KEY = 64


_SPECIAL_KEYS: dict[str, str | None] = {
    "content-type": "CONTENT_TYPE",
    # The body is here and its length is known, whatever a client or a front door sends.
    "content-length": None,
    # The body has arrived whole; PEP 3333 has no place for another framing.
    "transfer-encoding": None,
    # HTTP_PROXY, which HTTP clients take for a setting (https://httpoxy.org).
    "proxy": None,
}


def environ_key(name: str) -> str | None:
    """The environ key of a header name; None for a header that must not be in the environ.

    Those are names with ``_``, which would pass for the same name with ``-``, and names that are no token: upper-casing
    maps letters such as the long s (U+017F) onto ASCII ones.
    """
    lower = name.lower()
    if lower in _SPECIAL_KEYS:
        return _SPECIAL_KEYS[lower]
    if not name or "_" in name or not TOKEN.issuperset(name):
        return None
    return f"HTTP_{name.upper().replace('-', '_')}"
