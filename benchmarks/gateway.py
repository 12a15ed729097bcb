"""What a small request takes behind the local gateway, beside uvicorn alone with the same ASGI application.

Real processes on loopback. The client keeps some connections open and asks on all of them before it reads the first
answer. What is counted is the processor time that the server's process spends: a request's time on a server that is
busy, whatever else the machine does.
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
from typing import TYPE_CHECKING

from benchmarks.applications import BODY
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[1]
_APP = "benchmarks.timed:app"
_CONNECTIONS = 16
_PASSES = 25  # over all connections, in one turn
_REQUEST = (
    b"GET /shop/api/orders?tag=new&tag=paid&page=2 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n"
    b"Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n"
)

FLOOR = "uvicorn alone"
US = "bridge serve --source http-api"
# All with h11, as `bridge serve` has it, and without reloader, debugger, or anybody who reads the access lines, which
# `bridge serve` always prints.
SERVERS = {
    FLOOR: ("uvicorn", _APP, "--http", "h11", "--no-access-log", "--port", "0"),
    "uvicorn with its access log": ("uvicorn", _APP, "--http", "h11", "--port", "0"),
    "bridge serve --plain": ("bridge", "serve", _APP, "--plain", "--no-reload", "--no-debugger", "--port", "0"),
    US: ("bridge", "serve", _APP, "--source", "http-api", "--no-reload", "--no-debugger", "--port", "0"),
}


def measure(rounds: int) -> dict[str, float]:
    """Microseconds per request for each server: the median of the turns, which they take by rounds."""
    taken: dict[str, list[float]] = {name: [] for name in SERVERS}
    with contextlib.ExitStack() as open_until_here:
        order = [(name, open_until_here.enter_context(serving(command))) for name, command in SERVERS.items()]
        for number in range(rounds + 1):
            order.append(order.pop(0))
            for name, port in order:
                time = _turn(port)
                if number:
                    taken[name].append(time)
    return {name: median(times) for name, times in taken.items()}


def report(found: dict[str, float]) -> list[str]:
    rows = [[name, f"{time:.0f}", f"{time / found[FLOOR]:.2f}"] for name, time in found.items()]
    return [
        "### The local gateway: µs of the server's time per request",
        table(["", "µs", "times uvicorn's"], rows),
    ]


def _turn(port: int) -> float:
    """Microseconds per request."""
    with contextlib.ExitStack() as open_until_here:
        connections = [open_until_here.enter_context(_connection(port)) for _ in range(_CONNECTIONS)]
        size = len(_first_answer(connections[0]))
        before = _spent(port)
        for _ in range(_PASSES):
            for connection in connections:
                connection.sendall(_REQUEST)
            for connection in connections:
                _skip(connection, size)
        return (_spent(port) - before) / (_PASSES * _CONNECTIONS) / 1000


@contextlib.contextmanager
def serving(command: tuple[str, ...]) -> Iterator[int]:
    """A server of this Python's modules, and the port that its greeting names."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://[\w.]+:(\d+)", line):
                yield int(found[1])
                return
        raise ChildProcessError(f"{' '.join(command)} ended before it served: {process.wait()}")
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


@contextlib.contextmanager
def _connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def _first_answer(connection: socket.socket) -> bytes:
    """An answer, checked: whoever does less work must not look fast. All others are as long."""
    connection.sendall(_REQUEST)
    answer = b""
    while not answer.endswith(BODY):
        part = connection.recv(65536)
        if not part:
            raise ConnectionError(f"The server hung up: {answer!r}")
        answer += part
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"That is not the application's answer: {answer!r}")
    return answer


def _skip(connection: socket.socket, size: int) -> None:
    while size:
        part = len(connection.recv(size))
        if not part:
            raise ConnectionError("The server hung up.")
        size -= part


def _spent(port: int) -> int:
    """The processor time of the server's process, in nanoseconds."""
    with contextlib.closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/spent")
        return int(connection.getresponse().read())
