"""What an invocation takes with the bridge's runtime, beside AWS's own client: real processes on one Runtime API.

The API is this process: as little as both clients need, so that what is measured is theirs. The processes take turns,
some hundred invocations each, one after the other; then one process that answers 32 at once, beside as many processes
as AWS's client forks for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import h11

from benchmarks.events import EVENTS
from benchmarks.gateway import serving
from benchmarks.table import table
from bridge.runtime.protocol import take_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROOT = Path(__file__).parents[1]
AWS, US = "awslambdaric", "bridge.runtime"
HANDLERS = {"plain function": "plain", "WSGI application": "wsgi", "ASGI application": "asgi"}
_TURN = 200
AT_ONCE = 32
_EVENT = json.dumps(EVENTS["http-api"]).encode()
_OK = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


def invocation(number: int) -> bytes:
    """The API's answer to who asks for work, with the headers that AWS sends."""
    return (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-{number:012d}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {int(time.time() * 1000) + 30_000}\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:shop\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
        "Date: Fri, 20 Nov 2026 12:37:30 GMT\r\n"
        f"Content-Length: {len(_EVENT)}\r\n\r\n"
    ).encode() + _EVENT


class Connection(asyncio.Protocol):
    """One of a function's connections; it waits for work, or answers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._received = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            size = 0 if head.startswith(b"get") else int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._received) < end + 4 + size:
                return
            if head.startswith(b"get"):
                self._api.wait(self)
            else:
                if b"statusCode" not in self._received:
                    raise ValueError(f"That is no payload: {bytes(self._received[end:])!r}")
                self.transport.write(_OK)
                self._api.take()
            del self._received[: end + 4 + size]


class Api:
    """The Runtime API of one function."""

    def __init__(self) -> None:
        self._waiting: list[Connection] = []
        self._left = 0
        self._given = 0
        self._answered = 0
        self._over: asyncio.Future[None] | None = None
        self._wanted = 0

    def wait(self, connection: Connection) -> None:
        self._waiting.append(connection)
        self._go_on()

    def take(self) -> None:
        self._answered += 1
        if self._over is not None and self._answered == self._given and not self._left and not self._over.done():
            self._over.set_result(None)

    def _go_on(self) -> None:
        if self._over is not None and self._wanted and len(self._waiting) >= self._wanted:
            self._over.set_result(None)
        while self._left and self._waiting:
            self._left -= 1
            self._given += 1
            self._waiting.pop(0).transport.write(invocation(self._given))

    async def idle(self, pollers: int) -> None:
        """Wait until that many ask for work."""
        self._over, self._wanted = asyncio.get_running_loop().create_future(), pollers
        self._go_on()
        await asyncio.wait_for(self._over, 120)
        self._over, self._wanted = None, 0

    async def answer(self, count: int) -> float:
        """The seconds until *count* invocations are answered."""
        self._over = asyncio.get_running_loop().create_future()
        self._left = count
        began = time.perf_counter()
        self._go_on()
        await asyncio.wait_for(self._over, 120)
        self._over = None
        return time.perf_counter() - began


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Microseconds per invocation by handler and client; and what 32 at once take, in milliseconds and megabytes."""
    return {
        "invocation": {name: asyncio.run(_one_by_one(handler, rounds)) for name, handler in HANDLERS.items()},
        "at once": asyncio.run(_at_once(max(3, rounds // 4))),
        "http": _http(),
        "stream": _stream(rounds),
    }


def report(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    rows = []
    for handler, times in found["invocation"].items():
        rows.append([handler, f"{times[AWS]:.0f}", f"{times[US]:.0f}", f"{times[US] / times[AWS]:.2f}"])
    many = [[name, *(f"{at[what]:.0f}" for what in ("processes", "ms", "MB"))] for name, at in found["at once"].items()]
    stream = [[name, f"{at['median']:.1f}", f"{at['worst']:.1f}"] for name, at in found["stream"].items()]
    http = [[name, f"{times['µs']:.0f}"] for name, times in found["http"].items()]
    return [
        "### The runtime: µs per invocation, one after the other",
        table(["", AWS, US, "ratio"], rows),
        f"### The runtime: {AT_ONCE} requests at once that wait 100 ms each",
        table(["", "processes", "ms", "MB"], many),
        "### The HTTP of one invocation: µs",
        table(["", "µs"], http),
        "### A stream through `bridge serve --runtime`: ms from the application's send to the client",
        table(["", "median", "worst"], stream),
    ]


async def _one_by_one(handler: str, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {AWS: [], US: []}
    async with contextlib.AsyncExitStack() as opened:
        order = [(name, (await opened.enter_async_context(_function(name, handler)))[0]) for name in (AWS, US)]
        for number in range(rounds + 1):
            order.append(order.pop(0))
            for name, api in order:
                await api.idle(1)
                seconds = await api.answer(_TURN)
                if number:
                    taken[name].append(seconds / _TURN * 1e6)
    return {name: median(times) for name, times in taken.items()}


async def _at_once(rounds: int) -> dict[str, dict[str, float]]:
    found = {}
    for name in (AWS, US):  # not at the same time: so many processes would be in each other's way
        async with _function(name, "waits", AWS_LAMBDA_MAX_CONCURRENCY=str(AT_ONCE)) as (api, pid):
            times = []
            for _ in range(rounds + 1):
                await api.idle(AT_ONCE)
                times.append(await api.answer(AT_ONCE))
            found[name] = {"ms": median(times[1:]) * 1000, "MB": _megabytes(pid), "processes": len(_tree(pid))}
    return found


@contextlib.asynccontextmanager
async def _function(client: str, handler: str, **variables: str) -> AsyncIterator[tuple[Api, int]]:
    api = Api()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(api), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    process = subprocess.Popen(
        [sys.executable, "-m", client, f"benchmarks.functions.{handler}"],
        cwd=ROOT,
        env={**os.environ, "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}", "LAMBDA_TASK_ROOT": str(ROOT), **variables},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield api, process.pid
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        server.close()


def _tree(pid: int) -> list[int]:
    """A process and all that came of it."""
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    found += _tree(int(entry.name))
    return found


def _megabytes(pid: int) -> float:
    """Their memory; pages that they share are counted once."""
    total = 0
    for each in _tree(pid):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _http() -> dict[str, dict[str, float]]:
    """What the HTTP of one invocation takes, two requests and two answers: written and read by h11, and read by us."""
    answers = [invocation(1), _OK]
    client = h11.Connection(h11.CLIENT)
    path = "/2018-06-01/runtime/invocation"

    def by_h11() -> None:
        bodies = [b"", b"x" * 200]
        for answer, method, body in zip(answers, ("GET", "POST"), bodies, strict=True):
            headers = [("Host", "127.0.0.1:9001"), ("Content-Type", "application/json")]
            length = [("Content-Length", str(len(body)))] if body else []
            client.send(h11.Request(method=method, target=path, headers=[*headers, *length]))
            if body:
                client.send(h11.Data(data=body))
            client.send(h11.EndOfMessage())
            client.receive_data(answer)
            while type(client.next_event()) is not h11.EndOfMessage:
                pass
            client.start_next_cycle()

    def by_us() -> None:
        for answer in answers:
            take_reply(bytearray(answer))

    return {"h11": {"µs": _microseconds(by_h11)}, "bridge.runtime.protocol": {"µs": _microseconds(by_us)}}


def _stream(rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds from the application's ``send`` to the client of ``bridge serve --runtime``."""
    first, later = [], []
    command = ("bridge", "serve", "benchmarks.functions:ticks", "--runtime", "--no-reload", "--port", "0")
    with serving((*command, "--source", "function-url", "--response-mode", "stream")) as port:
        for number in range(rounds + 1):
            with contextlib.closing(HTTPConnection("127.0.0.1", port)) as connection:
                connection.request("GET", "/")
                answer = connection.getresponse()
                times = []
                while line := answer.readline():
                    if line.startswith(b"data: "):
                        times.append((time.time() - float(line[6:])) * 1000)
            if number:
                first.append(times[0])
                later += times[1:]
    return {"first event": _spread(first), "later events": _spread(later)}


def _spread(times: list[float]) -> dict[str, float]:
    return {"median": median(times), "worst": max(times)}


def _microseconds(call: Callable[[], None]) -> float:
    times = []
    for _ in range(200):
        began = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - began) / 1000)
    return median(times)
