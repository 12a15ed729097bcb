"""A WSGI application on an event loop: each request runs in a thread, and sends its response as ASGI messages."""

from __future__ import annotations

import asyncio

from asgiref.sync import AsyncToSync, sync_to_async

from bridge.errors import InterfaceError
from bridge.wsgi.call import StartResponse, call, environ_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from bridge.wsgi.call import Environ


def asgi_application(app: Any, executor: ThreadPoolExecutor | None = None) -> Any:
    """An ASGI application for handlers that calls a WSGI application in threads of *executor*, or of the loop's own."""

    async def call_with_scope(scope: Any, _receive: Any, send: Any) -> None:
        await call_in_thread(app, environ_of(scope["bridge.scope"]), send, executor)

    return call_with_scope


async def call_in_thread(app: Any, environ: Environ, send: Any, executor: ThreadPoolExecutor | None = None) -> None:
    """Call a WSGI application in a thread, and send each part of its response to an ASGI server as it comes.

    Raises:
        InterfaceError: the application violated PEP 3333.
        BaseException: the application's own, after ``close()`` was called.
    """
    environ["wsgi.multithread"] = True
    start_response = _AsgiStartResponse(AsyncToSync(send))

    def run() -> None:
        try:
            call(app, environ, start_response)
        except (StopIteration, asyncio.CancelledError) as error:  # futures cannot carry them
            raise InterfaceError(f"The application raised {type(error).__name__}.") from error

    await sync_to_async(run, thread_sensitive=False, executor=executor)()


class _AsgiStartResponse(StartResponse):
    """``start_response`` that sends the response as ASGI messages."""

    __slots__ = ("_is_sent", "_send")

    def __init__(self, send: Any) -> None:
        super().__init__()
        self._send = send
        self._is_sent = False

    def send(self, part: bytes) -> None:
        self._send_start()
        self._send({"type": "http.response.body", "body": part, "more_body": True})

    def finish(self) -> None:
        self._send_start()
        self._send({"type": "http.response.body"})

    def _send_start(self) -> None:
        if not self._is_sent:
            self._is_sent = True
            headers = [(_bytes_of(name.lower()), _bytes_of(value)) for name, value in self.headers]
            self._send({"type": "http.response.start", "status": self.status, "headers": headers})


def _bytes_of(text: str) -> bytes:
    """The bytes of a native string; UTF-8 for a text that is not one."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
