"""Calling a WSGI application: PEP 3333, without an event loop."""

from __future__ import annotations

import bridge
from bridge import logger
from bridge.interfaces import IF_A_HANDLER, as_bytes
from bridge.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

    from bridge.wsgi.environ import Environ


_REMEMBER = 256

_codes: dict[str, tuple[int, str]] = {}


class Start(Response):
    """``start_response`` for one request, and the response that comes of it.

    Attributes:
        line: the status line, ``""`` before the first call.
        sent: what :meth:`write` was given; headers count as sent from the first byte on.
        begun: whether a byte of the body has gone out, after which headers cannot be replaced.
    """

    __slots__ = ("begun", "line", "sent")

    def __init__(self) -> None:
        self.line = ""
        self.header_size = 0
        self.sent: list[bytes] = []
        self.begun = False

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """PEP 3333, 'The start_response() Callable'.

        Raises:
            InterfaceError: a second call without *exc_info*, or something that is no status line.
            BaseException: that of *exc_info*, if the body has begun.
        """
        if exc_info:
            try:
                if self.begun:
                    if exc_info[1] is None:
                        raise bridge.InterfaceError(
                            "The application called start_response again after the body had begun."
                        )
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # the traceback refers to this frame
        elif self.line:
            raise bridge.InterfaceError("The application called start_response a second time without exc_info.")
        try:
            self.status, self.reason = _codes[status]
        except (KeyError, TypeError):
            self.status, self.reason = _code_of(status)
        self.line = status
        self.headers = headers if type(headers) is list else list(headers)
        return self.write

    def write(self, data: bytes, /) -> None:
        """Send *data* before what the application returns, as PEP 3333 has it for old applications."""
        if data:
            self.begun = True
            self.sent.append(data if type(data) is bytes else as_bytes(data))


def gather(app: WSGIApplication, environ: Environ) -> Response:
    """Call *app* and gather its answer.

    Raises:
        InterfaceError: the application broke PEP 3333.
        BaseException: whatever the application raises, after ``close()`` was called.
    """
    start = Start()
    result = app(environ, start.__call__)  # the method: an instance is called by way of C, for half a microsecond
    is_whole = False
    try:
        chunks = start.sent
        for chunk in result:
            if chunk:
                if not start.line:
                    raise bridge.InterfaceError(
                        f"The application sent a body before it called start_response.{IF_A_HANDLER}"
                    )
                start.begun = True
                chunks.append(chunk if type(chunk) is bytes else as_bytes(chunk))
        if not start.line:
            raise bridge.InterfaceError(f"The application never called start_response.{IF_A_HANDLER}")
        is_whole = True
    finally:
        # called whatever happened, if the iterable has it
        close = None if type(result) is list else getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                if not is_whole:
                    raise
                logger().exception("The response was complete when its close() failed; the response stands.")
    start.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return start


def _code_of(status: str) -> tuple[int, str]:
    """The number and the reason in a status line, remembered: applications have few."""
    code = status[:3] if isinstance(status, str) else ""
    # A line break in the reason could end the status line.
    is_code = len(code) == 3 and code.isascii() and code.isdigit() and code >= "100"
    if not (is_code and status[3:4] in ("", " ") and status.isprintable()):
        raise bridge.InterfaceError(f"The application's status is {status!r}; PEP 3333 wants '200 OK'.")
    parts = int(code), status[4:]
    if len(_codes) < _REMEMBER:
        _codes[status] = parts
    return parts
