"""A WebSocket API for tests: events as API Gateway sends them, and its ``@connections`` endpoint."""

from __future__ import annotations

import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.limits import WEBSOCKET_MESSAGE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

DOMAIN = "w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com"


def event(kind: str, connection_id: str = "c0=", **fields: Any) -> dict[str, Any]:
    """An event of a WebSocket API; *fields* replace or add fields, ``context`` those of ``requestContext``."""
    routes = {"CONNECT": "$connect", "MESSAGE": "$default", "DISCONNECT": "$disconnect"}
    context = {
        "routeKey": routes[kind],
        "eventType": kind,
        "messageDirection": "IN",
        "stage": "prod",
        "connectedAt": 1794910532123,
        "identity": {"userAgent": "test", "sourceIp": "203.0.113.7"},
        "requestId": "UBM0aH5cDoEF0XQ=",
        "domainName": DOMAIN,
        "connectionId": connection_id,
        "apiId": "w1x2y3z4a5",
        **fields.pop("context", {}),
    }
    return {"requestContext": context, "isBase64Encoded": False, **fields}


class FakeApi:
    """A WebSocket API in front of a handler.

    Attributes:
        received: what each connection has received; None where it was closed.
        requests: method, connection and body of all requests to the endpoint.
        failures: statuses to answer in place of handling a request, the first one first.
    """

    def __init__(self) -> None:
        self.received: dict[str, list[str | None]] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.failures: list[int] = []
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._ids = count()
        api = self

        class Endpoint(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                connection_id = unquote(self.path.rpartition("/@connections/")[2])
                api.headers.append(dict(self.headers.items()))
                with api._lock:
                    status = api.failures.pop(0) if api.failures else api._request(self.command, connection_id, body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_DELETE(self) -> None:
                self.do_POST()

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Endpoint)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/prod"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def open(self, connection_id: str) -> None:
        """Open a connection without an event."""
        self._open.add(connection_id)
        self.received.setdefault(connection_id, [])

    def drop(self, connection_id: str) -> None:
        """Let a connection be gone without an event."""
        self._open.discard(connection_id)

    def connect(self, handler: Callable[..., Any], lambda_context: Any = None, **fields: Any) -> tuple[str, Any]:
        """Connect a client; returns the connection's ID and the payload."""
        connection_id = f"c{next(self._ids)}="
        payload = handler(event("CONNECT", connection_id, **fields), lambda_context)
        if 200 <= payload["statusCode"] < 300:
            self.open(connection_id)
        return connection_id, payload

    def message(
        self,
        handler: Callable[..., Any],
        connection_id: str,
        data: str | bytes,
        lambda_context: Any = None,
        **fields: Any,
    ) -> Any:
        """Send a message of a client; returns the payload."""
        if isinstance(data, bytes):
            fields = {"body": b64encode(data).decode(), "isBase64Encoded": True, **fields}
        else:
            fields = {"body": data, **fields}
        return handler(event("MESSAGE", connection_id, **fields), lambda_context)

    def disconnect(self, handler: Callable[..., Any], connection_id: str, code: int = 1001, reason: str = "") -> Any:
        """Close a client's connection; returns the payload."""
        self.drop(connection_id)
        fields = {"disconnectStatusCode": code, "disconnectReason": reason}
        return handler(event("DISCONNECT", connection_id, context=fields), None)

    def _request(self, method: str, connection_id: str, body: bytes) -> int:
        self.requests.append((method, connection_id, body))
        if connection_id not in self._open:
            return 410
        if len(body) > WEBSOCKET_MESSAGE_LIMIT:
            return 413
        if method == "DELETE":
            self._open.discard(connection_id)
            self.received[connection_id].append(None)
            return 204
        self.received[connection_id].append(body.decode("utf-8", "replace"))
        return 200
