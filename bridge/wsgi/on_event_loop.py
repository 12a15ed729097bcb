"""A WSGI application as an ASGI application: asgiref's WsgiToAsgi, with the bridge's own WSGI side.

What it adds: the bridge's environ; ``close()``, ``exc_info`` and ``write()``; headers beyond ASCII; a thread for each
request instead of one for all; nothing cut off by a Content-Length.
"""

from __future__ import annotations

import os

from asgiref.sync import sync_to_async
from asgiref.wsgi import WsgiToAsgi, WsgiToAsgiInstance

from bridge.asgi.cycle import text_of
from bridge.errors import InterfaceError
from bridge.interfaces import IF_A_HANDLER, as_bytes
from bridge.request import Scope
from bridge.sources.text import native, unquote
from bridge.wsgi.call import Start
from bridge.wsgi.environ import environ_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from typing import IO, Any

    from bridge.wsgi.environ import Environ


class WsgiApplication(WsgiToAsgi):
    """An ASGI 3 application that calls a WSGI application, each request in a thread.

    Args:
        wsgi_application: the WSGI application.
        threads: where it runs; None for the loop's own executor.
    """

    def __init__(self, wsgi_application: Any, threads: ThreadPoolExecutor | None = None) -> None:
        super().__init__(wsgi_application)  # type: ignore[no-untyped-call]  # asgiref has no types here
        self._threads = threads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request (ASGI 3, scope type ``http``).

        Raises:
            ValueError: the scope is of another type; a WSGI application has no lifespan.
            BaseException: what the application raises.
        """
        await _Request(self.wsgi_application, self._threads)(scope, receive, send)


class _Request(WsgiToAsgiInstance):
    def __init__(self, wsgi_application: Any, threads: ThreadPoolExecutor | None) -> None:
        super().__init__(wsgi_application)  # type: ignore[no-untyped-call]
        self._threads = threads

    def build_environ(self, scope: Any, body: IO[bytes]) -> Environ:
        environ = environ_of(_scope_of(scope), multithread=True)
        size = body.seek(0, os.SEEK_END)
        body.seek(0)
        environ["CONTENT_LENGTH"] = str(size)
        environ["wsgi.input"] = body
        return environ

    async def run_wsgi_app(self, body: IO[bytes]) -> None:
        await sync_to_async(self._run, thread_sensitive=False, executor=self._threads)(body)

    def _run(self, body: IO[bytes]) -> None:
        start = _SendingStart(self.sync_send)
        try:
            result = self.wsgi_application(self.build_environ(self.scope, body), start)
            try:
                for chunk in result:
                    start.write(chunk)
                start.finish()
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except StopIteration as error:  # which no future takes: the request would wait forever
            raise RuntimeError("The application raised StopIteration.") from error


class _SendingStart(Start):
    """``start_response`` that sends what it is told as ASGI messages."""

    __slots__ = ("_send",)

    def __init__(self, send: Any) -> None:
        super().__init__()
        self._send = send

    def write(self, data: bytes, /) -> None:
        if data:
            self._begin()
            body = data if data.__class__ is bytes else as_bytes(data)
            self._send({"type": "http.response.body", "body": body, "more_body": True})

    def finish(self) -> None:
        self._begin()
        self._send({"type": "http.response.body"})

    def _begin(self) -> None:
        if self.begun:
            return
        if not self.line:
            why = "The application sent a body, or ended, before it called start_response."
            raise InterfaceError(why + IF_A_HANDLER)
        self.begun = True
        headers = [(_bytes_of(name.lower()), _bytes_of(value)) for name, value in self.headers]
        self._send({"type": "http.response.start", "status": self.status, "headers": headers})


def _bytes_of(text: str) -> bytes:
    """The bytes of a native string; of what is none, its UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _scope_of(asgi_scope: dict[str, Any]) -> Scope:
    """The Scope of a request, as what lies between the bridge and the application has left it."""
    scope = scope_of_asgi(asgi_scope)
    read: Scope | None = asgi_scope.get("bridge.request")
    if read is not None:
        scope.event, scope.context = read.event, read.context
        scope.authorizer, scope.user = read.authorizer, read.user
        root_path, path = asgi_scope["root_path"], asgi_scope["path"]
        if path == text_of(read.root_path + read.path) and root_path == text_of(read.root_path):
            # bytes that are no UTF-8 are in these only
            scope.root_path, scope.path, scope.raw_path = read.root_path, read.path, read.raw_path
    return scope


def scope_of_asgi(asgi_scope: dict[str, Any]) -> Scope:
    """The Scope of an ASGI server's connection scope, without the body."""
    scope = Scope("asgi", None, None, 0)
    scope.method = asgi_scope["method"]
    raw_path = asgi_scope.get("raw_path")
    scope.raw_path = raw_path.decode("latin-1") if raw_path else None
    root_path = native(asgi_scope.get("root_path", ""))
    path = native(asgi_scope["path"])
    if scope.raw_path and "\ufffd" in asgi_scope["path"]:
        raw = unquote(scope.raw_path)
        if text_of(raw) == asgi_scope["path"]:  # bytes that are no UTF-8 are in the raw path only
            path = raw
    if root_path and (path == root_path or path.startswith(root_path + "/")):
        path = path[len(root_path) :]
    scope.root_path = root_path
    scope.path = path
    scope.query = asgi_scope.get("query_string", b"").decode("latin-1")
    scope.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in asgi_scope["headers"]]
    scope.body = b""
    scope.scheme = asgi_scope.get("scheme", "http")
    server = asgi_scope.get("server") or ("localhost", None)
    scope.server_name = server[0]
    scope.server_port = str(server[1] or (443 if scope.scheme == "https" else 80))
    client = asgi_scope.get("client")
    scope.client = client[0] if client else ""
    scope.http_version = asgi_scope.get("http_version", "1.1")
    return scope
