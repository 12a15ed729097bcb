"""Calling a WSGI application without an event loop (PEP 3333): its environ, and its response."""

from __future__ import annotations

import sys
from functools import lru_cache
from io import BytesIO

from bridge.bodies import as_bytes
from bridge.errors import InterfaceError
from bridge.logs import logger
from bridge.response import TOKEN, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import Any

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

    from bridge.request import Scope

    Environ = dict[str, Any]


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable over a file's blocks; its ``close``, if the file has one, closes the file."""

    def __init__(self, file: Any, block_size: int = 262_144) -> None:
        self._blocks = iter(lambda: file.read(block_size), b"")
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks


# What most environs have in common. A server that calls handlers in several threads sets wsgi.multithread.
ENVIRON_DEFAULTS: dict[Any, Any] = {
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

    Beside PEP 3333's keys: ``REMOTE_ADDR``; ``REMOTE_USER`` if an authorizer or IAM named a user; ``RAW_URI`` and
    ``REQUEST_URI`` where the source kept the client's spelling; ``wsgi.file_wrapper``; ``wsgi.input_terminated``;
    ``serverless.event``, ``serverless.context``, ``serverless.authorizer``.
    """
    environ = ENVIRON_DEFAULTS.copy()
    headers = scope.headers
    try:
        for name, value in headers:
            environ[_keys[name]] = value
        is_repeated = len(environ) < len(ENVIRON_DEFAULTS) + len(headers)
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
    """The variables of request headers.

    Repeated headers are joined (RFC 9110, 5.3, and RFC 6265, 5.4); of Host and Content-Type the last one counts.
    """
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


class StartResponse(Response):
    """``start_response`` for one request, and the response that results.

    Attributes:
        status_text: the status line, ``""`` before the first call.
        chunks: the body so far.
        is_body_started: whether a byte of the body was sent, after which headers cannot be replaced.
    """

    __slots__ = ("chunks", "is_body_started", "status_text")

    def __init__(self) -> None:
        self.header_size = 0
        self.status_text = ""
        self.chunks: list[bytes] = []
        self.is_body_started = False

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Start the response (PEP 3333, 'The start_response() Callable').

        Raises:
            InterfaceError: a second call without *exc_info*, or *status* is no status line.
            BaseException: that of *exc_info*, if the body has started.
        """
        if exc_info:
            try:
                if self.is_body_started:
                    if exc_info[1] is None:
                        raise InterfaceError("The application called start_response again after the body had started.")
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # the traceback refers to this frame
        elif self.status_text:
            raise InterfaceError("The application called start_response a second time without exc_info.")
        try:
            self.status, self.reason = _parse_status(status)
        except TypeError:  # the status is not hashable, or not valid
            raise _invalid_status(status) from None
        self.status_text = status
        self.headers = headers if isinstance(headers, list) else list(headers)
        return self.write

    def write(self, data: bytes, /) -> None:
        """Take a part of the body; PEP 3333 has it for old applications, before what they return."""
        if data:
            if not self.status_text:
                raise _too_early()
            self.is_body_started = True
            self.send(data if type(data) is bytes else as_bytes(data))

    def send(self, part: bytes) -> None:
        """Collect a part of the body; subclasses send it."""
        self.chunks.append(part)

    def finish(self) -> None:
        """End the response; subclasses send its end."""
        self.body = b"".join(self.chunks)


def call(app: WSGIApplication, environ: Environ, start_response: StartResponse | None = None) -> Response:
    """Call *app*, and collect its response, or send it by a *start_response* of a subclass.

    Raises:
        InterfaceError: the application violated PEP 3333.
        BaseException: the application's own, after ``close()`` was called.
    """
    start_response = start_response or StartResponse()
    result = app(environ, start_response)
    is_complete = False
    try:
        for chunk in result:
            start_response.write(chunk)
        if not start_response.status_text:
            raise _too_early()
        start_response.finish()
        is_complete = True
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                if not is_complete:
                    raise
                logger.exception("The response was complete when its close() failed; the response stands.")
    return start_response


def _too_early() -> InterfaceError:
    return InterfaceError(
        "The application sent a body, or ended, before it called start_response. (A Lambda handler is recognised by "
        "the names of its parameters, event and context. Otherwise name it as the function's handler in "
        "serverless.yml, or in the environment variable _HANDLER.)"
    )


@lru_cache(256)
def _parse_status(status: str) -> tuple[int, str]:
    """Code and reason phrase of a status line."""
    code = status[:3] if isinstance(status, str) else ""
    is_code = len(code) == 3 and code.isascii() and code.isdigit() and code >= "100"
    # A line break in the reason phrase could end the status line.
    if not (is_code and status[3:4] in ("", " ") and status.isprintable()):
        raise _invalid_status(status)
    return int(code), status[4:]


def _invalid_status(status: object) -> InterfaceError:
    return InterfaceError(f"The application's status is {status!r}; PEP 3333 requires a text such as '200 OK'.")
