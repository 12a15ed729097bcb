"""A client of the Runtime API that executes each event as Python, with the names of this module.

It runs as a program, and uses the standard library alone, so that tests observe what any runtime observes. The variable
``INIT`` is Python that it executes first.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"
HOST, PORT = API.split(":")
STREAMING = {"Lambda-Runtime-Function-Response-Mode": "streaming"}

connection = http.client.HTTPConnection(API)
request_id = ""
head: Any = {}
body = b""
result: list[Any] = []  # for events that read what an earlier event has stored


def call(method: str, path: str, content: Any = None, headers: Any = None) -> tuple[int, Any]:
    """Send a request, and return the status and the JSON of the response."""
    global head
    data = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    connection.request(method, BASE + path, data, headers or {})
    response = connection.getresponse()
    head = response.headers
    read = response.read()
    return response.status, read if path == "/invocation/next" else json.loads(read)


def respond(content: Any, headers: Any = None) -> tuple[int, Any]:
    """Answer this invocation."""
    return call("POST", f"/invocation/{request_id}/response", content, headers)


def fail(content: Any, headers: Any = None) -> tuple[int, Any]:
    """Answer this invocation with an error."""
    return call("POST", f"/invocation/{request_id}/error", content, headers)


def connect() -> socket.socket:
    """Open another connection."""
    return socket.create_connection((HOST, int(PORT)))


def begin(sock: socket.socket, content_type: str = "text/plain") -> None:
    """Send the head of a streamed response to this invocation."""
    lines = [
        f"POST {BASE}/invocation/{request_id}/response HTTP/1.1",
        f"Host: {API}",
        f"Content-Type: {content_type}",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Transfer-Encoding: chunked",
    ]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())


def chunk(sock: socket.socket, content: bytes) -> None:
    """Send a chunk of the body."""
    sock.sendall(b"%x\r\n%b\r\n" % (len(content), content))


def end(sock: socket.socket, trailers: str = "") -> bytes:
    """End the body, and return the beginning of the answer."""
    sock.sendall(b"0\r\n" + trailers.encode() + b"\r\n")
    return sock.recv(65_536)


def wait_for(path: str) -> None:
    """Wait until the file exists."""
    while not Path(path).exists():
        time.sleep(0.005)


if __name__ == "__main__":
    exec(os.environ.get("INIT", ""))
    while True:
        _, body = call("GET", "/invocation/next")
        request_id = head["Lambda-Runtime-Aws-Request-Id"]
        exec(json.loads(body) if head["Content-Type"] == "application/json" else body)
