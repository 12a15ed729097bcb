"""A Runtime API that does what a test says, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

OK = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


@dataclass
class Asked:
    """A request as it came: head and body, the body without its chunks."""

    line: str
    headers: dict[str, str]
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """A server; *asked* is what came, in order, over all connections."""

    address: str
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0


def invocation(
    body: bytes = b"{}", request_id: str = "r-1", deadline: int = 4_000_000_000_000, **headers: str
) -> bytes:
    """The answer to ``next``."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:shop\r\n"
        f"{more}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def refusal(status: int, text: str = "no") -> bytes:
    """An answer of another kind."""
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@contextlib.asynccontextmanager
async def scripted(*answers: bytes | Callable[[Asked], Awaitable[bytes | None]] | None) -> AsyncIterator[Scripted]:
    """A server that gives *answers* in order, one for each request; None hangs up, and no more answers is silence."""
    left = list(answers)
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        api.connections += 1
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError), contextlib.closing(writer):
            while True:
                asked = await read_head(reader)
                api.asked.append(asked)
                await read_body(reader, asked)
                if not left:
                    await asyncio.Event().wait()
                answer = left.pop(0)
                if answer is None:
                    return
                if not isinstance(answer, bytes):
                    found = await answer(asked)
                    if found is None:
                        return
                    answer = found
                writer.write(answer)
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    api = Scripted(f"{host}:{port}")
    try:
        yield api
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


@contextlib.asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], limit: int = 1 << 16
) -> AsyncIterator[str]:
    """A server whose every connection is *serve*'s; its address."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=limit)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def read_head(reader: asyncio.StreamReader) -> Asked:
    """The head of a request."""
    line, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    return Asked(line, _pairs(lines))


async def read_body(reader: asyncio.StreamReader, asked: Asked) -> None:
    """The body that follows, and trailers."""
    if asked.headers.get("transfer-encoding") != "chunked":
        asked.body = await reader.readexactly(int(asked.headers.get("content-length", "0")))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        asked.body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    lines = []
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        lines.append(line[:-2].decode("latin-1"))
    asked.trailers = _pairs(lines)


def _pairs(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
