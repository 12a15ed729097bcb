"""Measures a small request behind the local gateway, compared with uvicorn alone running the same ASGI application.

The servers are processes on the loopback interface. The client keeps several connections open and sends a request on
each of them before it reads the first response. The figure is the processor time that the server's process spends.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import TYPE_CHECKING

from benchmarks.applications import BODY, asgi_app
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from typing import Any

_ROOT = Path(__file__).parents[1]
_APP = "benchmarks.gateway:app"
_CONNECTIONS = 16
_REQUESTS = 25  # on each connection in one batch
_REQUEST = (
    b"GET /shop/api/orders?tag=new&tag=paid&page=2 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n"
    b"Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n"
)

UVICORN = "uvicorn alone"
BRIDGE = "bridge serve --source http-api"
WITHOUT_INSPECTOR = "bridge serve --source http-api --no-inspector"
_SERVE = ("bridge", "serve", _APP, "--no-reload", "--no-debugger", "--port", "0")
# All of them use h11, as `bridge serve` does, without a reloader or a debugger.
SERVERS = {
    UVICORN: ("uvicorn", _APP, "--http", "h11", "--no-access-log", "--port", "0"),
    "uvicorn with its access log": ("uvicorn", _APP, "--http", "h11", "--port", "0"),
    "bridge serve --plain": (*_SERVE, "--plain"),
    WITHOUT_INSPECTOR: (*_SERVE, "--source", "http-api", "--no-inspector"),
    BRIDGE: (*_SERVE, "--source", "http-api"),
}


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer ``/cpu-time`` with this process's processor time in nanoseconds, and other paths as ``asgi_app`` does."""
    if scope["type"] != "http" or scope["path"] != "/cpu-time":
        await asgi_app(scope, receive, send)
        return
    body = b"%d" % process_time_ns()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def measure(rounds: int) -> dict[str, float]:
    """Return microseconds per request for each server, the median of interleaved batches."""
    times: dict[str, list[float]] = {name: [] for name in SERVERS}
    with contextlib.ExitStack() as servers:
        order = [(name, servers.enter_context(serving(command))) for name, command in SERVERS.items()]
        for number in range(rounds + 1):
            order.append(order.pop(0))
            for name, port in order:
                time = _batch(port)
                if number:
                    times[name].append(time)
    return {name: median(each) for name, each in times.items()}


def report(results: dict[str, float]) -> list[str]:
    """Return the table."""
    rows = [[name, f"{time:.0f}", f"{time / results[UVICORN]:.2f}"] for name, time in results.items()]
    cost = results[BRIDGE] / results[WITHOUT_INSPECTOR]
    return [
        "### The local gateway: µs of the server's time per request",
        table(["", "µs", "times uvicorn's"], rows),
        f"With the inspector, and no page open: {cost:.2f} times without it.",
    ]


def _batch(port: int) -> float:
    """Send a batch of requests and return the microseconds of one."""
    with contextlib.ExitStack() as opened:
        connections = [opened.enter_context(_connect(port)) for _ in range(_CONNECTIONS)]
        size = len(_checked_response(connections[0]))
        before = _cpu_time(port)
        for _ in range(_REQUESTS):
            for connection in connections:
                connection.sendall(_REQUEST)
            for connection in connections:
                _skip(connection, size)
        return (_cpu_time(port) - before) / (_REQUESTS * _CONNECTIONS) / 1000


@contextlib.contextmanager
def serving(command: tuple[str, ...]) -> Iterator[int]:
    """Run a module as a server, and yield the port in the URL that it prints.

    Args:
        command: the module and its arguments.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if match := re.search(r"http://[\w.]+:(\d+)", line):
                yield int(match[1])
                return
        raise ChildProcessError(f"{' '.join(command)} exited with status {process.wait()} before it served.")
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


@contextlib.contextmanager
def _connect(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def _checked_response(connection: socket.socket) -> bytes:
    """Return the first response, whose length all others have; raise ValueError if it is not the application's."""
    connection.sendall(_REQUEST)
    response = b""
    while not response.endswith(BODY):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(f"The server closed the connection after {response!r}")
        response += data
    if not response.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"This response is not the application's answer: {response!r}")
    return response


def _skip(connection: socket.socket, size: int) -> None:
    while size:
        length = len(connection.recv(size))
        if not length:
            raise ConnectionError("The server closed the connection.")
        size -= length


def _cpu_time(port: int) -> int:
    """Return the processor time of the server's process in nanoseconds."""
    with contextlib.closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/cpu-time")
        return int(connection.getresponse().read())
