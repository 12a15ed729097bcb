"""The recorder: the latest requests of a gateway, and what the processes of its functions did."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.event_parts import header_size
from bridge.handlers import Handler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.context import LocalContext
    from bridge.dev.gateway.gateway import AccessRecord
    from bridge.dev.gateway.lambda_service.sandbox import ProcessEvent

# Limits of what is stored: requests, bytes of all of them, and parts of one stream.
MAX_REQUESTS = 500
MAX_BYTES = 64 * 1024 * 1024
MAX_CHUNKS = 1_000
MAX_CHUNK_BYTES = 256 * 1024
MAX_PROCESS_EVENTS = 2_000
# The estimated size of a request's objects without their texts.
_OBJECTS_SIZE = 5_000


@dataclass(slots=True)
class Chunk:
    """A part of a streamed response.

    Attributes:
        seconds: when it was sent, after the beginning of the request.
        size: its number of bytes.
        data: the bytes; None if the stream has more than the recorder stores.
    """

    seconds: float
    size: int
    data: bytes | None


@dataclass(slots=True)
class Entry:
    """A recorded request.

    Attributes:
        record: the gateway's record.
        began: when the request came, on the performance counter.
        is_over: whether it is answered.
        chunks: the parts of a streamed response.
        chunk_count: how many parts there were, those that are not stored included.
        stored_chunk_bytes: how many bytes of them are stored.
        size: an estimate of the memory that it takes, in bytes.
    """

    record: AccessRecord
    began: float
    is_over: bool = False
    chunks: list[Chunk] = field(default_factory=list)
    chunk_count: int = 0
    stored_chunk_bytes: int = 0
    size: int = 0


class Recorder:
    """Stores the latest requests of a gateway; :class:`bridge.dev.gateway.gateway.RequestRecorder` describes the hook.

    Only references are stored. The oldest requests are removed when there are too many, or when they take too much
    memory; so is a request that is larger than the limit by itself.

    Args:
        max_requests: how many requests are stored.
        max_bytes: how many bytes they take together, estimated.

    Attributes:
        entries: the stored requests by number, the oldest first.
        process_events: what the processes of functions did, the oldest first.
        size: an estimate of the memory of all entries, in bytes.
        session: distinguishes this recorder from that of an earlier process.
    """

    def __init__(self, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES) -> None:
        self.entries: dict[int, Entry] = {}
        self.process_events: deque[ProcessEvent] = deque(maxlen=MAX_PROCESS_EVENTS)
        self.size = 0
        self.session = f"{time.time_ns():x}"
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._last_number = 0
        self._watchers: set[Watcher] = set()

    def watch_functions(self, handlers: Iterable[Any]) -> None:
        """Store what the applications answer, and what the processes of functions do.

        Args:
            handlers: the handlers of a gateway.
        """
        for handler in handlers:
            if isinstance(handler, Handler):
                _store_responses(handler)
            elif hasattr(handler, "observe"):  # a LambdaService
                handler.observe = self.on_process

    def on_request(self, record: AccessRecord) -> None:
        """Store a request that has come."""
        self._last_number = record.number = self._last_number + 1
        self.entries[record.number] = Entry(record, time.perf_counter())
        if len(self.entries) > self._max_requests:
            self._remove_oldest()
        self._notify(record.number)

    def on_chunk(self, record: AccessRecord, chunk: bytes) -> None:
        """Store a chunk of a streamed response."""
        entry = self.entries.get(record.number)
        if entry is None:
            return
        entry.chunk_count += 1
        if len(entry.chunks) < MAX_CHUNKS:
            is_stored = entry.stored_chunk_bytes + len(chunk) <= MAX_CHUNK_BYTES
            seconds = time.perf_counter() - entry.began
            entry.chunks.append(Chunk(seconds, len(chunk), chunk if is_stored else None))
            entry.stored_chunk_bytes += len(chunk) if is_stored else 0
        record.streamed = (record.streamed or 0) + len(chunk)
        self._notify(record.number)

    def on_answer(self, record: AccessRecord) -> None:
        """Measure a request that is answered, and remove the oldest ones that no longer fit."""
        entry = self.entries.get(record.number)
        if entry is not None:
            entry.is_over = True
            entry.size = _size_of(entry)
            self.size += entry.size
            if entry.size > self._max_bytes:
                self.size -= self.entries.pop(record.number).size
            while self.size > self._max_bytes:
                self._remove_oldest()
        self._notify(record.number)

    def on_process(self, event: ProcessEvent) -> None:
        """Store what a process of a function did."""
        self.process_events.append(event)
        self._notify(0)

    def clear(self) -> None:
        """Remove all requests that are answered."""
        self.entries = {number: entry for number, entry in self.entries.items() if not entry.is_over}
        self.size = 0

    def watch(self) -> Watcher:
        """Return a watcher, to be used as a context manager."""
        return Watcher(self._watchers)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Add the requests of an earlier recorder, the oldest first."""
        for entry in entries:
            self._last_number = entry.record.number
            self.entries[entry.record.number] = entry
            self.size += entry.size

    def _remove_oldest(self) -> None:
        number = next(iter(self.entries))
        self.size -= self.entries.pop(number).size

    def _notify(self, number: int) -> None:
        for watcher in self._watchers:
            watcher.notify(number)


class Watcher:
    """Collects the numbers of requests that have changed; number 0 stands for the processes.

    It is used as a context manager, on the event loop of the gateway.
    """

    def __init__(self, watchers: set[Watcher]) -> None:
        self._watchers = watchers
        self._numbers: dict[int, None] = {}
        self._changed = asyncio.Event()

    def __enter__(self) -> Watcher:
        self._watchers.add(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._watchers.discard(self)

    def notify(self, number: int) -> None:
        """Add a number."""
        self._numbers[number] = None
        self._changed.set()

    async def changes(self, timeout: float) -> list[int]:
        """Return the numbers of what has changed since the last call; an empty list after *timeout* seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return []
        self._changed.clear()
        numbers, self._numbers = list(self._numbers), {}
        return numbers


def _store_responses(handler: Handler) -> None:
    """Have *handler* store each response of its application in the context of the invocation."""
    write = handler.write

    def write_and_store(source: Any, scope: Any, response: Any) -> Any:
        if scope.context is not None:
            context: LocalContext = scope.context
            context.response = response
        return write(source, scope, response)

    handler.write = write_and_store  # type: ignore[method-assign]


def _size_of(entry: Entry) -> int:
    """Return an estimate of the memory that the data of a request takes."""
    record = entry.record
    request = record.request
    size = _OBJECTS_SIZE + entry.stored_chunk_bytes + 100 * len(entry.chunks)
    size += len(request.body) + len(record.answer.body) + header_size(request) + len(request.target)
    size += len(record.event_json) + getsizeof(record.payload_json)
    response = None if record.context is None else record.context.response
    return size if response is None else size + len(response.body)
