"""Measures a broadcast to a thousand WebSocket connections, compared with as many bare signed requests.

The endpoint is a process on the loopback interface that answers each request at once. The bare requests are made by the
same number of threads, over the same pool of connections, and signed in the same way.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.table import table
from bridge.dev.gateway import websocket_memory_store
from bridge.websocket import broadcast, connections, join
from bridge.websocket.aws_client import AwsClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_ROOT = Path(__file__).parents[1]
_CONNECTIONS = 1_000
_MESSAGE = b'{"room": "lobby", "from": "ann", "text": "good morning"}'

BARE = "bare signed requests"
BROADCAST = "bridge.websocket.broadcast"
BOTO3 = "boto3's post_to_connection"


def measure(rounds: int) -> dict[str, float]:
    """Return milliseconds for each way, the median of interleaved rounds."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="nothing",
        BRIDGE_WEBSOCKET_STORE="bridge.dev.gateway.websocket_memory_store:STORE",
    )
    times: dict[str, list[float]] = {}
    with _endpoint() as port:
        endpoint = os.environ["BRIDGE_WEBSOCKET_ENDPOINT"] = f"http://127.0.0.1:{port}/prod"
        ways = _ways(endpoint)
        for number in range(rounds + 1):
            for name, send_all in ways.items():
                start = perf_counter()
                send_all()
                if number:
                    times.setdefault(name, []).append((perf_counter() - start) * 1e3)
    return {name: median(each) for name, each in times.items()}


def report(results: dict[str, float]) -> list[str]:
    """Return the table."""
    rows = [[name, f"{time:.0f}", f"{time / results[BARE]:.2f}"] for name, time in results.items()]
    return [f"### WebSocket APIs: ms for a message to {_CONNECTIONS:,} connections", table(["", "ms", "ratio"], rows)]


def _ways(endpoint: str) -> dict[str, Callable[[], Any]]:
    import boto3
    from botocore.config import Config

    client = connections.client_for(endpoint)
    client._client = AwsClient(endpoint, "execute-api", "eu-west-1")  # requests to a local endpoint are not signed
    ids = [f"UBM0afLKjoE{number:04}=" for number in range(_CONNECTIONS)]
    websocket_memory_store.STORE._groups.clear()
    for connection_id in ids:
        join("lobby", connection_id)

    def bare() -> None:
        urls = [f"{endpoint}/@connections/{connection_id[:-1]}%3D" for connection_id in ids]
        assert {status for status, _ in threads.map(partial(client._client.request, "POST", body=_MESSAGE), urls)} == {
            200
        }

    def bridge() -> None:
        assert broadcast("lobby", _MESSAGE) == _CONNECTIONS

    config = Config(max_pool_connections=connections._CONCURRENCY)
    boto = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, region_name="eu-west-1", config=config)
    threads = connections.threads()

    def boto_post(connection_id: str) -> None:
        boto.post_to_connection(ConnectionId=connection_id, Data=_MESSAGE)

    return {BARE: bare, BROADCAST: bridge, BOTO3: lambda: list(threads.map(boto_post, ids))}


@contextmanager
def _endpoint() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.websocket"], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


async def _serve() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r")[0]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
