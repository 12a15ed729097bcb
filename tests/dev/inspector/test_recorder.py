"""The recorder stores the latest requests, within its limits."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway.gateway import AccessRecord
from bridge.dev.gateway.models import Answer, Request
from bridge.dev.inspector.recorder import MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_PROCESS_EVENTS, MAX_REQUESTS, Recorder
from tests.dev.inspector.inspected import Inspected


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def record(recorder: Recorder, size: int = 0) -> AccessRecord:
    """Record a request with a response of *size* bytes."""
    recorded = AccessRecord(Request())
    recorder.on_request(recorded)
    recorded.answer = Answer(200, body=bytes(size))
    recorder.on_answer(recorded)
    return recorded


def test_the_latest_500_requests_are_stored() -> None:
    recorder = Recorder()
    for _ in range(MAX_REQUESTS + 20):
        record(recorder)
    assert list(recorder.entries) == list(range(21, MAX_REQUESTS + 21))
    assert recorder.size == sum(entry.size for entry in recorder.entries.values())


def test_the_oldest_requests_are_removed_when_all_take_too_much_memory() -> None:
    recorder = Recorder(max_bytes=100_000)
    for _ in range(10):
        record(recorder, 20_000)
    assert list(recorder.entries) == [8, 9, 10]
    assert recorder.size <= 100_000


def test_a_request_that_is_larger_than_the_limit_is_not_stored_and_removes_no_other() -> None:
    recorder = Recorder(max_bytes=100_000)
    record(recorder)
    record(recorder, 200_000)
    assert list(recorder.entries) == [1]


@pytest.mark.parametrize("part", ["request", "response"])
def test_the_size_counts_all_parts_of_a_request(part: str) -> None:
    def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [bytes(100_000) if part == "response" else b""]

    inspected = Inspected(echo)
    entry = inspected.send(method="POST", body=bytes(100_000) if part == "request" else b"")
    copies = 2 if part == "request" else 3  # request, event; response of the application, payload, response
    assert 100_000 * copies <= entry.size < 500_000


def test_chunks_of_a_stream_are_limited_in_number_and_bytes() -> None:
    recorder = Recorder()
    recorded = AccessRecord(Request())
    recorder.on_request(recorded)
    recorder.on_chunk(recorded, bytes(MAX_CHUNK_BYTES))
    for _ in range(MAX_CHUNKS + 10):
        recorder.on_chunk(recorded, b"x")
    entry = recorder.entries[1]
    assert (entry.chunk_count, len(entry.chunks)) == (MAX_CHUNKS + 11, MAX_CHUNKS)
    assert entry.stored_chunk_bytes == MAX_CHUNK_BYTES
    assert recorded.streamed == MAX_CHUNK_BYTES + MAX_CHUNKS + 10
    assert entry.chunks[1].data is None


def test_a_request_that_is_removed_while_it_is_answered_is_ignored() -> None:
    recorder = Recorder(max_requests=1)
    first = AccessRecord(Request())
    recorder.on_request(first)
    record(recorder)
    recorder.on_chunk(first, b"x")
    recorder.on_answer(first)
    assert list(recorder.entries) == [2]


def test_clearing_leaves_requests_in_flight() -> None:
    recorder = Recorder()
    record(recorder)
    recorder.on_request(AccessRecord(Request()))
    recorder.clear()
    assert list(recorder.entries) == [2]
    assert recorder.size == 0


async def test_a_watcher_gets_each_change_once() -> None:
    recorder = Recorder()
    with recorder.watch() as watcher:
        record(recorder)
        record(recorder)
        assert await watcher.changes(1) == [1, 2]
        assert await watcher.changes(0.01) == []
    record(recorder)
    assert await watcher.changes(0.01) == []


def test_process_events_are_limited() -> None:
    recorder = Recorder()
    event: Any = object()
    for _ in range(MAX_PROCESS_EVENTS + 5):
        recorder.on_process(event)
    assert len(recorder.process_events) == MAX_PROCESS_EVENTS


def test_times_are_split_into_compose_handler_and_interpret() -> None:
    entry = Inspected(app).send()
    parts = entry.record.compose_seconds, entry.record.handler_seconds, entry.record.interpret_seconds
    assert all(part > 0 for part in parts)
    assert sum(parts) <= entry.record.seconds
