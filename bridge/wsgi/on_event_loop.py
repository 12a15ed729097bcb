"""A WSGI application as an ASGI application: asgiref's WsgiToAsgi with the bridge's own WSGI side.

The differences from asgiref's: the bridge's environ; ``close()``, ``exc_info`` and ``write()``; headers beyond ASCII; a
thread for each request instead of one for all; a Content-Length does not cut the body off.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from asgiref.sync import sync_to_async
from asgiref.wsgi import WsgiToAsgi, WsgiToAsgiInstance

from bridge.asgi.request_cycle import text_of
from bridge.bodies import as_bytes
from bridge.errors import InterfaceError
from bridge.request import Scope
from bridge.sources.event_fields import native
from bridge.sources.paths import unquote
from bridge.wsgi.call import LAMBDA_HANDLER_HINT, StartResponse
from bridge.wsgi.environ import environ_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from typing import IO, Any

    from bridge.wsgi.environ import Environ


class WsgiOnEventLoop(WsgiToAsgi):
    """An ASGI 3 application that calls a WSGI application, each request in a thread.

    Args:
        wsgi_application: the WSGI application.
        executor: runs the application; None for the loop's own.
    """

    def __init__(self, wsgi_application: Any, executor: ThreadPoolExecutor | None = None) -> None:
        super().__init__(wsgi_application)  # type: ignore[no-untyped-call]  # asgiref has no types here
        self._executor = executor

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request (ASGI 3, scope type ``http``).

        Raises:
            ValueError: the scope is of another type; a WSGI application has no lifespan.
            BaseException: the application's own.
        """

        async def receive_body() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _DisconnectedError
            return message

        with suppress(_DisconnectedError):  # the client has left in the middle of its body
            await _Request(self.wsgi_application, self._executor)(scope, receive_body, send)


class _DisconnectedError(Exception):
    pass


class _Request(WsgiToAsgiInstance):
    def __init__(self, wsgi_application: Any, executor: ThreadPoolExecutor | None) -> None:
        super().__init__(wsgi_application)  # type: ignore[no-untyped-call]
        self._executor = executor

    def build_environ(self, scope: Any, body: IO[bytes]) -> Environ:
        environ = environ_of(_scope_of(scope))
        size = body.seek(0, os.SEEK_END)
        body.seek(0)
        environ["CONTENT_LENGTH"] = str(size)
        environ["wsgi.input"] = body
        environ["wsgi.multithread"] = True
        return environ

    async def run_wsgi_app(self, body: IO[bytes]) -> None:
        await sync_to_async(self._run, thread_sensitive=False, executor=self._executor)(body)

    def _run(self, body: IO[bytes]) -> None:
        start_response = _SendingStartResponse(self.sync_send)
        try:
            result = self.wsgi_application(self.build_environ(self.scope, body), start_response)
            try:
                for chunk in result:
                    start_response.write(chunk)
                start_response.finish()
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except (StopIteration, asyncio.CancelledError) as error:  # futures cannot carry them
            raise InterfaceError(f"The application raised {type(error).__name__}.") from error


class _SendingStartResponse(StartResponse):
    """``start_response`` that sends the response as ASGI messages."""

    __slots__ = ("_is_sent", "_send")

    def __init__(self, send: Any) -> None:
        super().__init__()
        self._send = send
        self._is_sent = False

    def write(self, data: bytes, /) -> None:
        if data:
            self._send_start()
            body = data if type(data) is bytes else as_bytes(data)
            self._send({"type": "http.response.body", "body": body, "more_body": True})

    def finish(self) -> None:
        self._send_start()
        self._send({"type": "http.response.body"})

    def _send_start(self) -> None:
        if self._is_sent:
            return
        if not self.status_text:
            raise InterfaceError(
                f"The application sent a body, or ended, before it called start_response.{LAMBDA_HANDLER_HINT}"
            )
        self._is_sent = self.is_body_started = True
        headers = [(_bytes_of(name.lower()), _bytes_of(value)) for name, value in self.headers]
        self._send({"type": "http.response.start", "status": self.status, "headers": headers})


def _bytes_of(text: str) -> bytes:
    """The bytes of a native string; UTF-8 for a text that is not one."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _scope_of(connection: dict[str, Any]) -> Scope:
    """The Scope of a connection scope of the bridge, which middleware may have changed."""
    scope = scope_of_connection(connection)
    original: Scope | None = connection.get("bridge.scope")
    if original is not None:
        scope.event, scope.context = original.event, original.context
        scope.authorizer, scope.user = original.authorizer, original.user
        root_path, path = connection["root_path"], connection["path"]
        if path == text_of(original.root_path + original.path) and root_path == text_of(original.root_path):
            # Only these contain bytes that are not UTF-8.
            scope.root_path, scope.path, scope.raw_path = original.root_path, original.path, original.raw_path
    return scope


def scope_of_connection(connection: dict[str, Any]) -> Scope:
    """The Scope, without body, of an ASGI server's connection scope."""
    scope = Scope("asgi", None, None, 0)
    scope.method = connection["method"]
    raw_path = connection.get("raw_path")
    scope.raw_path = raw_path.decode("latin-1") if raw_path else None
    root_path = native(connection.get("root_path", ""))
    path = native(connection["path"])
    if scope.raw_path and "\ufffd" in connection["path"]:
        decoded = unquote(scope.raw_path)
        if text_of(decoded) == connection["path"]:  # only the raw path contains bytes that are not UTF-8
            path = decoded
    if root_path and (path == root_path or path.startswith(root_path + "/")):
        path = path[len(root_path) :]
    scope.root_path = root_path
    scope.path = path
    scope.query = connection.get("query_string", b"").decode("latin-1")
    scope.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in connection["headers"]]
    scope.body = b""
    scope.scheme = connection.get("scheme", "http")
    server = connection.get("server") or ("localhost", None)
    scope.server_name = server[0]
    scope.server_port = str(server[1] or (443 if scope.scheme == "https" else 80))
    client = connection.get("client")
    scope.client = client[0] if client else ""
    scope.http_version = connection.get("http_version", "1.1")
    return scope
