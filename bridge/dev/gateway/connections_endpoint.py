"""The ``@connections`` endpoint of a WebSocket API: an HTTP server on the loopback interface.

It has threads of its own, so that code that blocks the event loop of the gateway can send to a connection: an
application that runs in the gateway's process may call :func:`bridge.websocket.send` in a coroutine.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

# More of a body is not read: the answer is 413 in any case.
_LARGEST_BODY = 1_048_576


class EndpointAnswer(NamedTuple):
    """An answer of the endpoint.

    Attributes:
        status: the status code.
        error: the name of the error, as AWS's clients read it; ``""`` for none.
        body: JSON.
    """

    status: int
    error: str = ""
    body: bytes = b""


class ConnectionsEndpoint:
    """Serves the endpoint from :meth:`start` to :meth:`close`.

    Args:
        stage: the stage of the API.

    Attributes:
        url: the URL of the stage, as ``BRIDGE_WEBSOCKET_ENDPOINT`` has it.
        answer: called in a thread with the method, the ID of the connection, and the body of each request.
    """

    answer: Callable[[str, str, bytes], EndpointAnswer]

    def __init__(self, stage: str) -> None:
        prefix, endpoint = f"/{stage}/@connections/", self

        class RequestHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # otherwise a body waits for the acknowledgement of the headers

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(min(length, _LARGEST_BODY))
                path = urlsplit(self.path).path
                # A web page cannot send what a function sends: browsers name its origin.
                if not path.startswith(prefix) or "origin" in self.headers:
                    found = EndpointAnswer(403, "ForbiddenException")
                else:
                    found = endpoint.answer(self.command, unquote(path.removeprefix(prefix)), body)
                self.send_response(found.status)
                if found.error:
                    self.send_header("x-amzn-errortype", found.error)
                self.send_header("content-type", "application/json")
                if length > _LARGEST_BODY:
                    self.send_header("connection", "close")
                if found.status != 204:
                    self.send_header("content-length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

            do_GET = do_DELETE = do_POST  # noqa: N815 - names of the base class

            def log_message(self, *args: Any) -> None:
                """Log nothing: the gateway logs each request."""

        self._server = _Server(("127.0.0.1", 0), RequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{stage}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Close the endpoint."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have gone."""
