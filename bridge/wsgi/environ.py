"""The WSGI environ of a Scope: PEP 3333, 'environ Variables', and RFC 3875, section 4.1."""

from __future__ import annotations

import sys
from io import BytesIO

from bridge.response import TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any, Protocol

    from bridge.request import Scope

    Environ = dict[str, Any]

    class Readable(Protocol):
        """What ``wsgi.file_wrapper`` takes."""

        def read(self, size: int, /) -> bytes:
            """At most *size* bytes, ``b""`` at the end."""


_REMEMBER = 1024

# Header name to environ key; None for what must not be in the environ:
# - Content-Length: the body is here and its length is known, whatever a client or a front door says;
# - Transfer-Encoding: the body has arrived whole, PEP 3333 leaves no room for a second truth;
# - Proxy: would be HTTP_PROXY, which HTTP clients take for a setting (https://httpoxy.org);
# - names with `_`, which would pass for the same name with `-`, and names that are no token: upper-casing maps
#   letters such as the long s (U+017F) onto ASCII ones.
keys: dict[str, str | None] = {}
_FIXED: dict[str, str | None] = {
    "content-type": "CONTENT_TYPE",
    "content-length": None,
    "transfer-encoding": None,
    "proxy": None,
}


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable over a file's blocks that closes the file."""

    def __init__(self, file: Readable, block_size: int = 262_144) -> None:
        self._file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_size), b"")

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()


# Each environ begins as a copy of this: memory is taken once, with room for the headers of a browser.
BLANK: Environ = {
    "REQUEST_METHOD": "",
    "SCRIPT_NAME": "",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "CONTENT_LENGTH": "0",
    "SERVER_NAME": "",
    "SERVER_PORT": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "",
    "wsgi.input": None,
    "wsgi.input_terminated": True,
    "wsgi.errors": None,
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.file_wrapper": FileWrapper,
    "serverless.event": None,
    "serverless.context": None,
    "serverless.authorizer": None,
}
SIZE = len(BLANK)
# A dict grows by leaps, and a copy is as large as what it is copied from: with this one out, there is room for 20 more.
BLANK["room"] = None
del BLANK["room"]


def answer_in_threads() -> None:
    """Say from now on that several threads answer requests. Lambda has one; what plays Lambda may have more."""
    BLANK["wsgi.multithread"] = True


def environ_of(scope: Scope, *, multithread: bool = False) -> Environ:
    """A new environ for one call of a WSGI application.

    Beside PEP 3333's keys: ``REMOTE_ADDR``; ``REMOTE_USER`` if an authorizer named one; ``RAW_URI`` and
    ``REQUEST_URI`` where the source kept the client's spelling; ``wsgi.file_wrapper``; ``wsgi.input_terminated``;
    ``serverless.event``, ``serverless.context``, ``serverless.authorizer``.
    """
    environ: dict[Any, Any] = BLANK.copy()
    sent, cookies, known = scope.sent, scope.cookies, keys
    try:
        # Usual headers are taken from the event's own map, in one pass: one value for each name, known names, plain
        # ASCII. It is what most of an environ's time goes into; with pairs in between it took twice as long.
        if scope.are_lists:
            for name, (value,) in sent.items():  # type: ignore[union-attr]  # None raises
                if not value.isascii():
                    raise ValueError
                environ[known[name]] = value
        else:
            for name, value in sent.items():  # type: ignore[union-attr]
                if not value.isascii():
                    raise ValueError
                environ[known[name]] = value
        if len(environ) != SIZE + len(sent):  # type: ignore[arg-type]
            raise ValueError
        if cookies:
            environ["HTTP_COOKIE"] = cookie = "; ".join(cookies)
            if not cookie.isascii():
                raise ValueError
        environ.pop(None, None)
        if "CONTENT_TYPE" not in environ:
            environ["CONTENT_TYPE"] = ""
    except (AttributeError, KeyError, TypeError, ValueError):  # a null, a list, a number; a new name
        environ = _begin_with(scope.headers)
    # What most requests have as it is in BLANK costs them a question, not an entry.
    environ["REQUEST_METHOD"] = scope.method
    environ["PATH_INFO"] = scope.path
    environ["QUERY_STRING"] = query = scope.query
    environ["SERVER_NAME"] = name = scope.server_name
    environ["SERVER_PORT"] = scope.server_port
    environ["REMOTE_ADDR"] = scope.client
    environ["wsgi.url_scheme"] = scope.scheme
    environ["wsgi.errors"] = sys.stderr
    environ["serverless.event"] = scope.event
    environ["serverless.context"] = scope.context
    body = scope.body
    environ["wsgi.input"] = BytesIO(body)
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    if scope.root_path:
        environ["SCRIPT_NAME"] = scope.root_path
    if ":" in name:
        environ["SERVER_NAME"] = f"[{name}]"
    if scope.http_version != "1.1":
        environ["SERVER_PROTOCOL"] = f"HTTP/{scope.http_version}"
    if scope.authorizer is not None:
        environ["serverless.authorizer"] = scope.authorizer
    if scope.user:
        environ["REMOTE_USER"] = scope.user
    if multithread:
        environ["wsgi.multithread"] = True
    raw_path = scope.raw_path
    if raw_path is not None:
        environ["RAW_URI"] = environ["REQUEST_URI"] = f"{raw_path}?{query}" if query else raw_path
    return environ


def _begin_with(headers: Collection[tuple[str, str]]) -> Environ:
    """An environ with *headers*, whatever they are."""
    fields: dict[str | None, str] = {}
    for name, value in headers:
        key = _learn(name)
        if key in fields and key not in ("HTTP_HOST", "CONTENT_TYPE"):
            # RFC 9110, 5.3, and RFC 6265, 5.4
            value = fields[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        fields[key] = value
    fields.pop(None, None)
    environ: dict[Any, Any] = {**BLANK, "CONTENT_TYPE": "", **fields}
    return environ


def _learn(name: str) -> str | None:
    """The key of a header name, remembered; clients choose names, so only so many."""
    try:
        return keys[name]
    except KeyError:
        lower = name.lower()
        if lower in _FIXED:
            key = _FIXED[lower]
        else:
            key = (
                f"HTTP_{name.upper().replace('-', '_')}"
                if name and "_" not in name and TOKEN.issuperset(name)
                else None
            )
        if len(keys) < _REMEMBER:
            keys[name] = key
        return key
