"""A Runtime API that sends the replies that a test prescribes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
BASE_PATH = "/2018-06-01/runtime"


@dataclass
class ReceivedRequest:
    """A request, with the body without its chunks."""

    line: str
    headers: dict[str, str]
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path after the API's base path."""
        return self.line.split(" ")[1].removeprefix(BASE_PATH)


@dataclass
class ScriptedApi:
    """The server: its address, what it has received over all connections, and their number."""

    address: str
    requests: list[ReceivedRequest] = field(default_factory=list)
    connections: int = 0


def invocation(body: bytes = b"{}", request_id: str = "r-1", deadline: str = "4000000000000", **headers: str) -> bytes:
    """Return the reply to ``next``. *deadline* is in milliseconds since 1970."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:shop\r\n"
        f"{more}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def reply(status: int, text: str = "no") -> bytes:
    """Return a reply of another status."""
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@contextlib.asynccontextmanager
async def scripted(
    *replies: bytes | Callable[[ReceivedRequest], Awaitable[bytes]] | None,
) -> AsyncIterator[ScriptedApi]:
    """Run a server that sends *replies* in this order, then none. None closes the connection without a reply."""
    left = list(replies)
    api = ScriptedApi("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        api.connections += 1
        while True:
            request = await read_head(reader)
            api.requests.append(request)
            await read_body(reader, request)
            if not left:
                await asyncio.Event().wait()
            answer = left.pop(0)
            if answer is None:
                return
            writer.write(answer if isinstance(answer, bytes) else await answer(request))
            await writer.drain()

    async with listening(serve) as api.address:
        yield api


@contextlib.asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], limit: int = 1 << 16
) -> AsyncIterator[str]:
    """Run a server that passes each connection to *serve* and closes it afterwards, and yield its address."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError), contextlib.closing(writer):
            await serve(reader, writer)

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0, limit=limit)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        await asyncio.sleep(0)  # the transports are closed in the next iteration


async def read_head(reader: asyncio.StreamReader) -> ReceivedRequest:
    """Read the head of a request."""
    line, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    return ReceivedRequest(line, _headers(lines))


async def read_body(reader: asyncio.StreamReader, request: ReceivedRequest) -> None:
    """Read body and trailers."""
    if request.headers.get("transfer-encoding") != "chunked":
        request.body = await reader.readexactly(int(request.headers.get("content-length", "0")))
        return
    while (part := await read_chunk(reader)) is not None:
        request.body += part
    request.trailers = await read_trailers(reader)


async def read_chunk(reader: asyncio.StreamReader) -> bytes | None:
    """Read a chunk; None for the last one, which :func:`read_trailers` follow."""
    size = int(await reader.readuntil(b"\r\n"), 16)
    if not size:
        return None
    part = await reader.readexactly(size)
    assert await reader.readexactly(2) == b"\r\n"
    return part


async def read_trailers(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read the lines after the last chunk."""
    lines = []
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        lines.append(line[:-2].decode("latin-1"))
    return _headers(lines)


def _headers(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
