"""Measures an invocation under the bridge's runtime, compared with AWS's own client.

Both clients are processes that poll a Runtime API, which this process serves with as little code as they need. They are
measured in turns: the processor time of a few hundred invocations one after the other; then 32 invocations at once, in
one process of the bridge and in as many processes as AWS's client forks. Two further parts measure the HTTP of one
invocation, and the delay of a streamed response.
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
from bridge.runtime.api_messages import take_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROOT = Path(__file__).parents[1]
AWS, BRIDGE = "awslambdaric", "bridge.runtime"
HANDLERS = {"plain function": "plain", "WSGI application": "wsgi", "ASGI application": "asgi"}
_BATCH = 200
AT_ONCE = 32
_TIMEOUT = 120  # seconds
_EVENT = json.dumps(EVENTS["http-api"]).encode()
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


def next_invocation(number: int) -> bytes:
    """Return the Runtime API's response to ``/invocation/next``, with the headers that AWS sends."""
    return (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-{number:012d}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {int(time.time() * 1000) + 30_000}\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:shop\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
        "Date: Fri, 20 Nov 2026 12:37:30 GMT\r\n"
        f"Content-Length: {len(_EVENT)}\r\n\r\n"
    ).encode() + _EVENT


class ClientConnection(asyncio.Protocol):
    """One of a client's connections, which waits for the next invocation or sends a response."""

    def __init__(self, api: InvocationQueue) -> None:
        self._api = api
        self._buffer = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            is_poll = head.startswith(b"get")
            size = 0 if is_poll else int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + size:
                return
            if is_poll:
                self._api.add_poller(self)
            else:
                if b"statusCode" not in self._buffer:
                    raise ValueError(f"This response is not a payload: {bytes(self._buffer[end:])!r}")
                self.transport.write(_ACCEPTED)
                self._api.count_response()
            del self._buffer[: end + 4 + size]


class InvocationQueue:
    """The Runtime API of one function: hands invocations to the connections that poll, and counts the responses."""

    def __init__(self) -> None:
        self._pollers: list[ClientConnection] = []
        self._wanted_pollers = 0
        self._queued = 0
        self._started = 0
        self._finished = 0
        self._done: asyncio.Future[None] | None = None

    def add_poller(self, connection: ClientConnection) -> None:
        """Hand the next invocation to *connection*, now or when there is one."""
        self._pollers.append(connection)
        self._dispatch()

    def count_response(self) -> None:
        """Count a response; the last one ends :meth:`run`."""
        self._finished += 1
        if self._done is not None and self._finished == self._started and not self._queued and not self._done.done():
            self._done.set_result(None)

    async def wait_for_pollers(self, count: int) -> None:
        """Wait until *count* connections poll."""
        self._wanted_pollers = count
        await self._wait()
        self._wanted_pollers = 0

    async def run(self, count: int) -> float:
        """Run *count* invocations and return the seconds that they take."""
        self._queued = count
        start = time.perf_counter()
        await self._wait()
        return time.perf_counter() - start

    async def _wait(self) -> None:
        self._done = asyncio.get_running_loop().create_future()
        self._dispatch()
        await asyncio.wait_for(self._done, _TIMEOUT)
        self._done = None

    def _dispatch(self) -> None:
        if self._done is not None and 0 < self._wanted_pollers <= len(self._pollers) and not self._done.done():
            self._done.set_result(None)
        while self._queued and self._pollers:
            self._queued -= 1
            self._started += 1
            self._pollers.pop(0).transport.write(next_invocation(self._started))


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures of the four parts."""
    return {
        "invocation": {name: asyncio.run(_one_by_one(handler, rounds)) for name, handler in HANDLERS.items()},
        "at once": asyncio.run(_at_once(max(3, rounds // 4))),
        "http": _http(),
        "stream": _stream(rounds),
    }


def report(results: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Return a table for each part."""
    invocations = [
        [handler, f"{times[AWS]:.0f}", f"{times[BRIDGE]:.0f}", f"{times[BRIDGE] / times[AWS]:.2f}"]
        for handler, times in results["invocation"].items()
    ]
    at_once = [
        [name, *(f"{figures[what]:.0f}" for what in ("processes", "ms", "MB"))]
        for name, figures in results["at once"].items()
    ]
    http = [[name, f"{times['µs']:.0f}"] for name, times in results["http"].items()]
    stream = [[name, f"{times['median']:.1f}", f"{times['worst']:.1f}"] for name, times in results["stream"].items()]
    return [
        "### The runtime: µs of processor time per invocation, one after the other",
        table(["", AWS, BRIDGE, "ratio"], invocations),
        f"### The runtime: {AT_ONCE} requests at once that wait 100 ms each",
        table(["", "processes", "ms", "MB"], at_once),
        "### The HTTP of one invocation: µs",
        table(["", "µs"], http),
        "### A stream through `bridge serve --runtime`: ms from the application's send to the client",
        table(["", "median", "worst"], stream),
    ]


async def _one_by_one(handler: str, rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {AWS: [], BRIDGE: []}
    async with contextlib.AsyncExitStack() as functions:
        order = [(name, *await functions.enter_async_context(_function(name, handler))) for name in (AWS, BRIDGE)]
        for number in range(rounds + 1):
            order.append(order.pop(0))
            for name, api, pid in order:
                await api.wait_for_pollers(1)
                before = _processor_seconds(pid)
                await api.run(_BATCH)
                await api.wait_for_pollers(1)
                if number:
                    times[name].append((_processor_seconds(pid) - before) / _BATCH * 1e6)
    return {name: median(each) for name, each in times.items()}


async def _at_once(rounds: int) -> dict[str, dict[str, float]]:
    results = {}
    for name in (AWS, BRIDGE):  # one after the other, because so many processes would slow each other
        async with _function(name, "waits", AWS_LAMBDA_MAX_CONCURRENCY=str(AT_ONCE)) as (api, pid):
            times = []
            for _ in range(rounds + 1):
                await api.wait_for_pollers(AT_ONCE)
                times.append(await api.run(AT_ONCE))
            results[name] = {
                "ms": median(times[1:]) * 1000,
                "MB": _megabytes(pid),
                "processes": len(_process_tree(pid)),
            }
    return results


@contextlib.asynccontextmanager
async def _function(client: str, handler: str, **variables: str) -> AsyncIterator[tuple[InvocationQueue, int]]:
    """Run a function under *client*, and yield its Runtime API and its process id."""
    api = InvocationQueue()
    server = await asyncio.get_running_loop().create_server(lambda: ClientConnection(api), "127.0.0.1", 0)
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


def _process_tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    pids = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    pids += _process_tree(int(entry.name))
    return pids


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process, which the kernel counts in nanoseconds for each thread."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _megabytes(pid: int) -> float:
    """Return the memory of a process and its descendants, in which each shared page counts once."""
    kilobytes = 0
    for each in _process_tree(pid):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def _http() -> dict[str, dict[str, float]]:
    """Measure the two requests and responses of one invocation: written and read by h11, and read by the bridge."""
    responses = [next_invocation(1), _ACCEPTED]
    client = h11.Connection(h11.CLIENT)
    path = "/2018-06-01/runtime/invocation"

    def with_h11() -> None:
        bodies = [b"", b"x" * 200]
        for response, method, body in zip(responses, ("GET", "POST"), bodies, strict=True):
            headers = [("Host", "127.0.0.1:9001"), ("Content-Type", "application/json")]
            length = [("Content-Length", str(len(body)))] if body else []
            client.send(h11.Request(method=method, target=path, headers=[*headers, *length]))
            if body:
                client.send(h11.Data(data=body))
            client.send(h11.EndOfMessage())
            client.receive_data(response)
            while type(client.next_event()) is not h11.EndOfMessage:
                pass
            client.start_next_cycle()

    def with_bridge() -> None:
        for response in responses:
            take_reply(bytearray(response))

    return {"h11": {"µs": _microseconds(with_h11)}, "bridge.runtime.api_messages": {"µs": _microseconds(with_bridge)}}


def _stream(rounds: int) -> dict[str, dict[str, float]]:
    """Measure the milliseconds from the application's ``send`` to the client of ``bridge serve --runtime``."""
    first, later = [], []
    command = ("bridge", "serve", "benchmarks.functions:ticks", "--runtime", "--no-reload", "--port", "0")
    with serving((*command, "--source", "function-url", "--response-mode", "stream")) as port:
        for number in range(rounds + 1):
            with contextlib.closing(HTTPConnection("127.0.0.1", port)) as connection:
                connection.request("GET", "/")
                response = connection.getresponse()
                times = []
                while line := response.readline():
                    if line.startswith(b"data: "):
                        times.append((time.time() - float(line[6:])) * 1000)
            if number:
                first.append(times[0])
                later += times[1:]
    return {
        name: {"median": median(times), "worst": max(times)}
        for name, times in (("first event", first), ("later events", later))
    }


def _microseconds(function: Callable[[], None]) -> float:
    times = []
    for _ in range(200):
        start = time.perf_counter_ns()
        function()
        times.append((time.perf_counter_ns() - start) / 1000)
    return median(times)
