"""The Lambda service as a test needs it: hands out events, sees every chunk of every answer as it comes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway import Request, compose
from bridge.handlers import handler as handler_of
from bridge.runtime.function import Function
from bridge.runtime.runtime import Runtime
from bridge.wsgi.on_event_loop import WsgiOnEventLoop
from tests.runtime.scripted import OK, Asked, invocation, read_body, read_head, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SECONDS = 30.0


class Answer:
    """What came back for one event.

    Attributes:
        kind: ``"response"`` or ``"error"``; ``""`` as long as nothing came.
        asked: the head of the request that brought it, and the body once it is whole.
        chunks: the parts of a streamed body as they come; None is their end, cut or not.
    """

    def __init__(self) -> None:
        self.kind = ""
        self.asked: Asked
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.is_whole = False
        self.is_read = asyncio.Event()  # who reads slowly clears it for a while
        self.is_read.set()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def body(self) -> bytes:
        """The whole body."""
        await asyncio.wait_for(self.over.wait(), _SECONDS)
        assert self.is_whole
        return self.asked.body

    async def payload(self) -> Any:
        """The payload, from JSON."""
        body = await self.body()
        assert self.kind == "response", body
        return json.loads(body)

    async def error(self) -> Any:
        """The error, from JSON."""
        body = await self.body()
        assert self.kind == "error", body
        return json.loads(body)

    async def prelude(self) -> Any:
        """What a stream begins with."""
        chunk = await asyncio.wait_for(self.chunks.get(), _SECONDS)
        assert chunk is not None
        assert chunk.endswith(b"\0" * 8)
        return json.loads(chunk[:-8])

    async def chunk(self) -> bytes | None:
        """The next part of a stream."""
        return await asyncio.wait_for(self.chunks.get(), _SECONDS)

    async def rest(self) -> bytes:
        """All that is left of a stream."""
        found = []
        while (chunk := await self.chunk()) is not None:
            found.append(chunk)
        return b"".join(found)

    def trailer(self) -> tuple[str, Any]:
        """Type and JSON of the error at the end of a stream."""
        kind = self.asked.trailers["lambda-runtime-function-error-type"]
        return kind, json.loads(base64.b64decode(self.asked.trailers["lambda-runtime-function-error-body"]))


class Service:
    """The service.

    Attributes:
        address: where the Runtime API is.
        most_waiting: how many asked for work at the same time, at most.
        seconds: how long an invocation may take.
        breaks: whether the API answers every response with its own failure.
    """

    def __init__(self) -> None:
        self.address = ""
        self.seconds = 60.0
        self.most_waiting = 0
        self.init_error: Any = None
        self.breaks = False
        self.runtime: Runtime
        self.running: asyncio.Task[int]
        self._events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._answers: dict[str, Answer] = {}
        self._waiting = 0
        self._count = 0
        self._writers: list[asyncio.StreamWriter] = []

    def invoke(self, event: Any) -> Answer:
        """Hand *event* out to whoever asks next."""
        request_id = f"r-{self._count}"
        self._count += 1
        answer = self._answers[request_id] = Answer()
        self._events.put_nowait((request_id, event if isinstance(event, bytes) else json.dumps(event).encode()))
        return answer

    def ask(self, path: str = "/", source: str = "http-api", method: str = "GET", body: bytes = b"") -> Answer:
        """Hand an HTTP request out."""
        headers = [("host", "shop.example"), ("content-type", "text/plain")]
        return self.invoke(compose(Request(method, path, headers=headers, body=body), source))

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def forget(self) -> None:
        """Keep no answers of before."""
        self._answers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.append(writer)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError), contextlib.closing(writer):
            while True:
                asked = await read_head(reader)
                path = asked.line.split(" ")[1].removeprefix("/2018-06-01/runtime/")
                if path == "invocation/next":
                    writer.write(await self._next())
                elif path == "init/error":
                    await read_body(reader, asked)
                    self.init_error = json.loads(asked.body)
                    writer.write(OK)
                else:
                    _, request_id, kind = path.split("/")
                    writer.write(await self._take(self._answers[request_id], kind, asked, reader, writer))

    async def _next(self) -> bytes:
        self._waiting += 1
        self.most_waiting = max(self.most_waiting, self._waiting)
        try:
            request_id, event = await self._events.get()
        finally:
            self._waiting -= 1
        deadline = int((time.time() + self.seconds) * 1000)
        return invocation(event, request_id, deadline, Lambda_Runtime_Trace_Id=f"Root={request_id}")

    async def _take(
        self, answer: Answer, kind: str, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        if answer.kind:
            return refusal(400, "answered twice")
        if self.breaks:
            return refusal(500, "State.Broken")
        answer.kind, answer.asked, answer.reader, answer.writer = kind, asked, reader, writer
        answer.begun.set()
        try:
            if asked.headers.get("transfer-encoding") == "chunked":
                await self._take_chunks(answer, reader)
            else:
                await read_body(reader, asked)
            answer.is_whole = True
        finally:
            answer.chunks.put_nowait(None)
            answer.over.set()
        return OK

    async def _take_chunks(self, answer: Answer, reader: asyncio.StreamReader) -> None:
        chunks = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await answer.is_read.wait()
            chunk = await reader.readexactly(size)
            await reader.readexactly(2)
            chunks.append(chunk)
            answer.chunks.put_nowait(chunk)
        answer.asked.body = b"".join(chunks)
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").strip().partition(": ")
            answer.asked.trailers[name.lower()] = value


@contextlib.asynccontextmanager
async def running(
    target: Any, *, concurrency: int = 1, stream: bool = False, is_handler: bool = False, **options: Any
) -> AsyncIterator[Service]:
    """A function under the runtime, in this process: an application, or a handler if *is_handler*."""
    service = Service()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        tasks.add(task)
        await service.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 16)
    host, port = server.sockets[0].getsockname()
    service.address = f"{host}:{port}"
    if not is_handler:
        made = handler_of(target, **options)
        target = handler_of(WsgiOnEventLoop(target), lifespan="off", **options) if stream and not made.asgi else made
    runtime = Runtime(Function(target, concurrency, stream=stream), service.address, concurrency)
    running = asyncio.create_task(runtime.run())
    service.runtime, service.running = runtime, running
    try:
        yield service
    finally:
        runtime.stop()
        await asyncio.wait_for(running, _SECONDS)
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
