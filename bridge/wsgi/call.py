"""Calling a WSGI application without an event loop (PEP 3333)."""

from __future__ import annotations

from functools import lru_cache

from bridge.bodies import as_bytes
from bridge.errors import InterfaceError
from bridge.logs import logger
from bridge.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

    from bridge.wsgi.environ import Environ


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
        except TypeError:  # not hashable
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
