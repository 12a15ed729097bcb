"""A server that records what telemetry libraries send: HTTP and, on another port, UDP."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.observability.http_bodies import read_body
from tests.observability.lambda_service import QuietServer

if TYPE_CHECKING:
    from typing import Self

# A response waits for what has been sent only if a library waits for this.
_SECONDS_TO_RECORD = 0.1
_MARK = b"the end so far"


class Received(NamedTuple):
    """A request, with its decompressed body; or a datagram, with an empty path."""

    path: str
    body: bytes


class Backend:
    """The server, as a context manager.

    Attributes:
        url: of the HTTP server.
        datagram_address: ``host:port`` for UDP.
        received: what has been recorded, in order.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._have_read = threading.Event()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = read_body(self)
                time.sleep(_SECONDS_TO_RECORD)
                backend.received.append(Received(self.path, body))
                self._reply(b"{}")

            do_PUT = do_POST  # noqa: N815

            def do_GET(self) -> None:
                # What a Datadog agent says of itself.
                self._reply(json.dumps({"version": "7.60.0", "endpoints": ["/v0.4/traces", "/v0.5/traces"]}).encode())

            def _reply(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.datagram_address = "{}:{}".format(*self._datagrams.getsockname())
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,)),
            threading.Thread(target=self._receive_datagrams),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._send(b"")
        for thread in self._threads:
            thread.join()
        self._datagrams.close()

    def bodies(self, path: str) -> list[bytes]:
        """Return the bodies of the requests so far whose path ends with *path*."""
        return [each.body for each in list(self.received) if each.path and each.path.endswith(path)]

    def datagrams(self) -> list[bytes]:
        """Return the datagrams so far, also those that have not been read yet."""
        self._have_read.clear()
        self._send(_MARK)
        self._have_read.wait()
        return [each.body for each in list(self.received) if not each.path]

    def _send(self, datagram: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, self._datagrams.getsockname())

    def _receive_datagrams(self) -> None:
        while datagram := self._datagrams.recv(1 << 16):
            if datagram == _MARK:
                self._have_read.set()
            else:
                self.received.append(Received("", datagram))
