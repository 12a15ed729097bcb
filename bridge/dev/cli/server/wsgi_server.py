"""A WSGI application behind an ASGI server, for ``bridge serve --plain``."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Any

from bridge.asgi.request_cycle import text_of
from bridge.request import Scope
from bridge.sources.parse import native, unquote
from bridge.wsgi.call import environ_of
from bridge.wsgi.on_event_loop import call_in_thread

_MAX_BYTES_IN_MEMORY = 65_536


class WsgiServer:
    """An ASGI 3 application that calls a WSGI application, each request in a thread.

    Unlike asgiref's ``WsgiToAsgi`` it has the bridge's environ, calls ``close()``, accepts ``exc_info``, ``write()``
    and headers beyond ASCII, and does not cut the body off at its Content-Length.

    Args:
        wsgi_application: the WSGI application.
    """

    def __init__(self, wsgi_application: Any) -> None:
        self._wsgi_application = wsgi_application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; raises ValueError for another type of scope, and the application's exceptions."""
        if scope["type"] != "http":
            raise ValueError(f"A WSGI application has no connections of the type {scope['type']}")
        with SpooledTemporaryFile(_MAX_BYTES_IN_MEMORY) as body:
            is_complete = False
            while not is_complete:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body.write(message.get("body", b""))
                is_complete = not message.get("more_body")
            environ = environ_of(_scope_of(scope))
            environ["CONTENT_LENGTH"] = str(body.tell())
            body.seek(0)
            environ["wsgi.input"] = body
            await call_in_thread(self._wsgi_application, environ, send)


def _scope_of(connection: dict[str, Any]) -> Scope:
    """Return the Scope, without body, of an ASGI server's connection scope."""
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
