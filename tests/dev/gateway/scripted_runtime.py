"""A function's process that does what each event says: the event is Python text, run with the names below.

Run as a program; nothing of the bridge is in it, so that it shows what any runtime would see.
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
seen: list[Any] = []


def ask(method: str, path: str, content: Any = None, headers: Any = None) -> tuple[int, Any]:
    """A request, and what it was answered: the status and JSON."""
    global head
    data = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    connection.request(method, BASE + path, data, headers or {})
    answer = connection.getresponse()
    head = answer.headers
    read = answer.read()
    return answer.status, read if path == "/invocation/next" else json.loads(read)


def respond(content: Any, headers: Any = None) -> tuple[int, Any]:
    """Answer this invocation."""
    return ask("POST", f"/invocation/{request_id}/response", content, headers)


def fail(content: Any, headers: Any = None) -> tuple[int, Any]:
    """Answer this invocation with an error."""
    return ask("POST", f"/invocation/{request_id}/error", content, headers)


def dial() -> socket.socket:
    """A connection of its own."""
    return socket.create_connection((HOST, int(PORT)))


def begin(sock: socket.socket, content_type: str = "text/plain") -> None:
    """The head of a streamed answer to this invocation."""
    lines = [
        f"POST {BASE}/invocation/{request_id}/response HTTP/1.1",
        f"Host: {API}",
        f"Content-Type: {content_type}",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Transfer-Encoding: chunked",
    ]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())


def chunk(sock: socket.socket, content: bytes) -> None:
    """A part of it."""
    sock.sendall(b"%x\r\n%b\r\n" % (len(content), content))


def end(sock: socket.socket, trailers: str = "") -> bytes:
    """Its end; what the answer begins with."""
    sock.sendall(b"0\r\n" + trailers.encode() + b"\r\n")
    return sock.recv(65_536)


def wait_for(path: str) -> None:
    """Wait until there is such a file."""
    while not Path(path).exists():
        time.sleep(0.005)


if __name__ == "__main__":
    exec(os.environ.get("INIT", ""))
    while True:
        _, body = ask("GET", "/invocation/next")
        told = head
        request_id = head["Lambda-Runtime-Aws-Request-Id"]
        exec(json.loads(body) if head["Content-Type"] == "application/json" else body)
