"""A Lambda service that sends events to a runtime in this process, and sees each part of the responses as it comes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway import Request, compose
from bridge.handlers import handler as make_handler
from bridge.runtime.client import ApiError
from bridge.runtime.concurrent_runtime import ConcurrentRuntime
from bridge.runtime.runtime import Runtime
from tests.runtime.scripted import (
    ACCEPTED,
    ReceivedRequest,
    invocation,
    listening,
    read_body,
    read_chunk,
    read_head,
    read_trailers,
    reply,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT = 30.0  # seconds


class Gate:
    """An event that the test and a function in another thread, or on another loop, can wait for and set."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def open(self) -> None:
        self._event.set()

    def close(self) -> None:
        self._event.clear()

    @property
    def is_open(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not self._event.is_set():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.002)

    def wait_in_thread(self) -> None:
        assert self._event.wait(TIMEOUT)


class Outcome:
    """What the service has received for one event.

    Attributes:
        kind: ``"response"`` or ``"error"``; ``""`` before the request has come.
        request: the request, with the body when it is complete.
        is_complete: whether the body has ended, and was not cut off.
        is_reading: cleared while the service does not read the stream.
    """

    def __init__(self) -> None:
        self.kind = ""
        self.request: ReceivedRequest
        self.is_complete = False
        self.started = asyncio.Event()
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._writer: asyncio.StreamWriter

    async def receive(
        self, kind: str, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Read the request of which the head has come."""
        self.kind, self.request, self._writer = kind, request, writer
        self.started.set()
        try:
            if request.headers.get("transfer-encoding") == "chunked":
                while (part := await read_chunk(reader)) is not None:
                    await self.is_reading.wait()
                    request.body += part
                    self._parts.put_nowait(part)
                request.trailers = await read_trailers(reader)
            else:
                await read_body(reader, request)
            self.is_complete = True
        finally:
            self._parts.put_nowait(None)
            self._ended.set()

    def disconnect(self) -> None:
        """Close the connection in the middle of a stream."""
        self._writer.transport.abort()

    async def body(self) -> bytes:
        """Return the complete body."""
        await asyncio.wait_for(self._ended.wait(), TIMEOUT)
        assert self.is_complete
        return self.request.body

    async def payload(self) -> Any:
        """Return the payload."""
        body = await self.body()
        assert self.kind == "response", body
        return json.loads(body)

    async def error(self) -> Any:
        """Return the reported error."""
        body = await self.body()
        assert self.kind == "error", body
        return json.loads(body)

    async def prelude(self) -> Any:
        """Return the prelude, which has to be a part by itself."""
        part = await self.part()
        assert part is not None
        assert part.endswith(b"\0" * 8)
        return json.loads(part[:-8])

    async def part(self) -> bytes | None:
        """Return the next part of a stream; None at its end, also if it is cut off."""
        return await asyncio.wait_for(self._parts.get(), TIMEOUT)

    async def rest(self) -> bytes:
        """Return all other parts of a stream."""
        parts = []
        while (part := await self.part()) is not None:
            parts.append(part)
        return b"".join(parts)

    async def trailers(self) -> tuple[str, Any]:
        """Return type and report of the error at the end of a stream; None without one."""
        await self.body()
        trailers = self.request.trailers
        report = json.loads(base64.b64decode(trailers.get("lambda-runtime-function-error-body", "bnVsbA==")))
        return trailers.get("lambda-runtime-function-error-type", ""), report


class Service:
    """The service.

    Attributes:
        address: the Runtime API's.
        seconds: how long an invocation may take.
        headers: of the invocations, beside the usual ones.
        most_polling: how many requests for the next invocation there were at once, at most.
        is_broken: whether the API replies to every response with an error of its own.
        runtime: the runtime.
        thread: the identifier of its thread.
        running: its exit status.
    """

    def __init__(self) -> None:
        self.address = ""
        self.seconds = 60.0
        self.headers: dict[str, str] = {}
        self.most_polling = 0
        self.is_broken = False
        self.runtime: Runtime
        self.thread = 0
        self.running: asyncio.Task[int]
        self._events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._outcomes: dict[str, Outcome] = {}
        self._polling = 0
        self._count = 0
        self._writers: list[asyncio.StreamWriter] = []

    def invoke(self, event: Any) -> Outcome:
        """Send an event: bytes as they are, or else as JSON."""
        request_id = f"r-{self._count}"
        self._count += 1
        outcome = self._outcomes[request_id] = Outcome()
        self._events.put_nowait((request_id, event if isinstance(event, bytes) else json.dumps(event).encode()))
        return outcome

    def request(self, path: str = "/", source: str = "http-api", method: str = "GET", body: bytes = b"") -> Outcome:
        """Send an HTTP request."""
        headers = [("host", "shop.example"), ("content-type", "text/plain")]
        return self.invoke(compose(Request(method, path, headers=headers, body=body), source))

    def close_connections(self) -> None:
        """Close all connections of the runtime."""
        for writer in self._writers:
            writer.transport.abort()

    def forget(self) -> None:
        """Drop the outcomes so far."""
        self._outcomes.clear()

    async def exit_status(self) -> int:
        """Wait until the runtime ends."""
        return await asyncio.wait_for(asyncio.shield(self.running), TIMEOUT)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        self._writers.append(writer)
        while True:
            request = await read_head(reader)
            _, _, request_id, *kind = request.path.split("/")
            if request_id == "next":
                writer.write(await self._next())
                continue
            outcome = self._outcomes[request_id]
            if outcome.kind:
                writer.write(reply(400, "answered twice"))
            elif self.is_broken:
                writer.write(reply(500, "State.Broken"))
            else:
                await outcome.receive(kind[0], request, reader, writer)
                writer.write(ACCEPTED)

    async def _next(self) -> bytes:
        self._polling += 1
        self.most_polling = max(self.most_polling, self._polling)
        try:
            request_id, event = await self._events.get()
        finally:
            self._polling -= 1
        headers = {
            "deadline": str(int((time.time() + self.seconds) * 1000)),
            "Lambda_Runtime_Trace_Id": f"Root={request_id}",
            **self.headers,
        }
        return invocation(event, request_id, **headers)


@contextlib.asynccontextmanager
async def running(
    target: Any, *, concurrency: int = 0, stream: bool = False, is_handler: bool = False, **options: Any
) -> AsyncIterator[Service]:
    """Run a function under the runtime, in a thread.

    Args:
        target: an application, or a Lambda handler if *is_handler*.
        concurrency: the number of invocations at once on an event loop; 0 for one in the thread.
        stream: whether responses are streamed.
        is_handler: whether *target* is a Lambda handler.
        options: of the application's handler.
    """
    service = Service()
    handler = target if is_handler else make_handler(target, **options)

    def run() -> int:
        service.thread = threading.get_ident()
        runtime = service.runtime = (
            ConcurrentRuntime(handler, service.address, stream=stream, concurrency=concurrency)
            if concurrency
            else Runtime(handler, service.address, stream=stream)
        )
        try:
            runtime.start()
            started.open()
            return runtime.run()
        finally:
            started.open()
            runtime.close()

    started = Gate()
    async with listening(service.serve) as service.address:
        service.running = asyncio.create_task(asyncio.to_thread(run))
        await started.wait()
        try:
            yield service
        finally:
            service.runtime.stop()
            with contextlib.suppress(ApiError):
                await asyncio.wait_for(service.running, TIMEOUT)
