"""A response of a WSGI application that is streamed while its iterable yields it."""

from __future__ import annotations

from threading import Lock

from bridge.deadline import watcher
from bridge.response import Response
from bridge.runtime.client import run
from bridge.wsgi.call import StartResponse, call, environ_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from bridge.runtime.sent_response import SentResponse


def stream(app: WSGIApplication, sent: SentResponse) -> Response:
    """Call *app* and stream its response; shortly before Lambda's deadline it is ended without the application.

    Raises:
        BaseException: the application's own, after ``close()`` was called; OSError if the client has disconnected.
    """
    start_response = _StreamingStartResponse(sent)
    watcher.begin(sent.scope, start_response.time_out)
    try:
        return call(app, environ_of(sent.scope), start_response)
    finally:
        watcher.end(sent.scope)


class _StreamingStartResponse(StartResponse):
    """``start_response`` that sends the response: the headers with the first byte of the body, or with its end."""

    __slots__ = ("_lock", "_sent")

    def __init__(self, sent: SentResponse) -> None:
        super().__init__()
        self._sent = sent
        self._lock = Lock()

    def time_out(self, _: object) -> None:
        """End the response, unless a part of it is just being sent. Called in the deadline watcher's thread."""
        if self._lock.acquire(blocking=False):
            try:
                run(self._sent.conclude(Response.plain(504, "Gateway Timeout")))
            finally:
                self._lock.release()

    def send(self, part: bytes) -> None:
        with self._lock:
            run(self._sent.write(self, part, is_complete=False))

    def finish(self) -> None:
        with self._lock:
            run(self._sent.write(self, b"", is_complete=True))
