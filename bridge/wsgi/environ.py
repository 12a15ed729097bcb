"""The WSGI environ of a Scope: PEP 3333, 'environ Variables', and RFC 3875, section 4.1."""

from __future__ import annotations

import sys
from functools import lru_cache
from io import BytesIO

from bridge.response import TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any, Protocol

    from bridge.request import Scope

    Environ = dict[str, Any]

    class Readable(Protocol):
        """The argument of ``wsgi.file_wrapper``."""

        def read(self, size: int, /) -> bytes:
            """At most *size* bytes; ``b""`` at the end."""


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable over a file's blocks that closes the file.

    Args:
        file: the file.
        block_size: bytes.
    """

    def __init__(self, file: Readable, block_size: int = 262_144) -> None:
        self._file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_size), b"")

    def close(self) -> None:
        """Close the file, if it has a ``close``."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()


# Lambda calls a handler in one thread. A server that calls it in several sets this to True.
multithread = False


def environ_of(scope: Scope) -> Environ:
    """A new environ for one call of a WSGI application.

    Beside PEP 3333's keys: ``REMOTE_ADDR``; ``REMOTE_USER`` if an authorizer named a user; ``RAW_URI`` and
    ``REQUEST_URI`` where the source kept the client's spelling; ``wsgi.file_wrapper``; ``wsgi.input_terminated``;
    ``serverless.event``, ``serverless.context``, ``serverless.authorizer``.
    """
    query = scope.query
    body = scope.body
    name = scope.server_name
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": scope.root_path,
        "PATH_INFO": scope.path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": f"[{name}]" if ":" in name else name,
        "SERVER_PORT": scope.server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "serverless.event": scope.event,
        "serverless.context": scope.context,
        "serverless.authorizer": scope.authorizer,
    }
    if scope.user:
        environ["REMOTE_USER"] = scope.user
    if scope.raw_path is not None:
        environ["RAW_URI"] = environ["REQUEST_URI"] = f"{scope.raw_path}?{query}" if query else scope.raw_path
    fields: dict[str | None, str] = {environ_key(name): value for name, value in scope.headers}
    if len(fields) < len(scope.headers):
        fields = _joined(scope.headers)
    environ.update(fields)  # type: ignore[arg-type]  # None is removed
    environ.pop(None, None)  # type: ignore[call-overload]
    return environ


def _joined(headers: Collection[tuple[str, str]]) -> dict[str | None, str]:
    """The environ's values of headers of which some are repeated (RFC 9110, 5.3, and RFC 6265, 5.4)."""
    lists: dict[str | None, list[str]] = {}
    for name, value in headers:
        lists.setdefault(environ_key(name), []).append(value)
    return {
        key: values[-1]
        if key in ("HTTP_HOST", "CONTENT_TYPE")
        else ("; " if key == "HTTP_COOKIE" else ",").join(values)
        for key, values in lists.items()
    }


_SPECIAL_KEYS: dict[str, str | None] = {
    "content-type": "CONTENT_TYPE",
    # The body is here and its length is known, whatever a client or a front door sends.
    "content-length": None,
    # The body has arrived whole; PEP 3333 has no place for another framing.
    "transfer-encoding": None,
    # HTTP_PROXY, which HTTP clients take for a setting (https://httpoxy.org).
    "proxy": None,
}


@lru_cache(1024)
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
