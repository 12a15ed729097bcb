"""The work of a request grows linearly with its size, and the memory of a process does not grow with its requests.

These tests count, so they do not depend on how busy the machine is; ``scripts/bench --only growth`` measures times.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from benchmarks.applications import asgi_app, wsgi_app
from benchmarks.events import EVENTS
from benchmarks.growth import GROWING, event_of_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge import Handler


@pytest.fixture(params=["wsgi", "asgi"])
def handler(request: pytest.FixtureRequest) -> Iterator[Handler]:
    handler = bridge.wsgi_handler(wsgi_app) if request.param == "wsgi" else bridge.asgi_handler(asgi_app)
    yield handler
    handler.close()


def calls_of(handler: Handler, event: dict[str, Any]) -> int:
    """The number of Python and C functions that an answer calls once all caches are filled."""
    handler(event)
    handler(event)
    count = 0

    def profile(_frame: object, kind: str, _argument: object) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    gc.disable()  # it calls weak references' callbacks
    sys.setprofile(profile)
    try:
        handler(event)
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.usefixtures("empty_caches")
@pytest.mark.parametrize("part", ["headers", "cookies", "query pairs"])
@pytest.mark.parametrize("source", EVENTS)
def test_calls_grow_linearly_with_the_number_of_parts(handler: Handler, source: str, part: str) -> None:
    few, more, most = [calls_of(handler, GROWING[part](EVENTS[source], number)) for number in (50, 100, 200)]
    assert most - more <= 2 * (more - few) + 2


@pytest.mark.usefixtures("empty_caches")
@pytest.mark.parametrize("source", EVENTS)
def test_calls_do_not_grow_with_the_length_of_the_body(handler: Handler, source: str) -> None:
    short, long = [calls_of(handler, GROWING["body"](EVENTS[source], size)) for size in (1_000, 1_000_000)]
    assert long == short


@pytest.mark.usefixtures("empty_caches")  # they are emptied when they are full, at the same number of clients each time
def test_memory_does_not_grow_with_clients_that_send_their_own_names_and_values(handler: Handler) -> None:
    numbers = iter(range(sys.maxsize))

    def blocks_after(clients: int) -> int:
        """The number of memory blocks in use after that many more clients."""
        for _ in range(clients):
            payload = handler(event_of_client(EVENTS["http-api"], next(numbers)))
            assert payload["statusCode"] == 200
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(1_500)  # more than any cache holds
    assert blocks_after(3_000) - before < 300


def with_long_names(number: int, source: str) -> dict[str, Any]:
    """An event whose header names, host and port are long and its own."""
    event = EVENTS[source]
    text = f"{number}{'x' * 6_000}"
    headers = {"host": text, "Host": text, f"x-{text}": "1", "x-forwarded-port": text, "accept": text, "name": text}
    key = "multiValueHeaders" if "multiValueHeaders" in event else "headers"
    values = {name: [value] for name, value in headers.items()} if key == "multiValueHeaders" else headers
    return {**event, key: {**(event[key] or {}), **values}}


@pytest.mark.usefixtures("empty_caches")
@pytest.mark.parametrize("source", ["http-api", "rest-api", "alb-multi"])
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_memory_does_not_grow_with_long_names_of_clients(interface: str, source: str) -> None:
    """Applications that repeat a client's text in a header's name and in the Content-Type included."""

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        text = environ["HTTP_NAME"]
        start_response("200 OK", [("Content-Type", f"text/{text}"), (f"x-{text}", "1")])
        return [b"x"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        text = dict(scope["headers"])[b"name"]
        headers = [(b"content-type", b"text/" + text), (b"x-" + text, b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    handler = bridge.wsgi_handler(wsgi) if interface == "wsgi" else bridge.asgi_handler(asgi, lifespan="off")
    tracemalloc.start()
    try:
        for number in range(300):
            if number == 20:
                gc.collect()
                before = tracemalloc.get_traced_memory()[0]
            handler(with_long_names(number, source))
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 1_000_000
    finally:
        tracemalloc.stop()
        handler.close()


@pytest.mark.usefixtures("empty_caches")
def test_requests_are_answered_as_before_once_clients_have_filled_the_caches(handler: Handler) -> None:
    before = calls_of(handler, EVENTS["http-api"])
    for number in range(3_000):
        handler(event_of_client(EVENTS["http-api"], number))
    assert calls_of(handler, EVENTS["http-api"]) <= before


def seconds_of(handler: Handler, event: dict[str, Any]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        handler(event)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("part", ["request", "response"])
def test_time_grows_linearly_with_repeated_headers(handler: Handler, part: str) -> None:
    """Of a request one header many times, of a response many headers twice."""

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        count = int(environ["QUERY_STRING"])
        start_response("200 OK", [(f"x-{number // 2}", "1") for number in range(count)])
        return []

    if part == "response":
        handler = bridge.wsgi_handler(wsgi)

    def event(count: int) -> dict[str, Any]:
        if part == "response":
            return {**EVENTS["http-api"], "rawQueryString": str(count)}
        headers = {**EVENTS["alb-multi"]["multiValueHeaders"], "x-tag": ["1"] * count * 5}
        return {**EVENTS["alb-multi"], "multiValueHeaders": headers}

    assert seconds_of(handler, event(40_000)) < 30 * seconds_of(handler, event(4_000)) + 0.05


class Resource:
    """Something that an application holds while it answers."""


@pytest.mark.parametrize("way", ["wsgi", "asgi", "awaited"])
@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
def test_a_request_that_fails_is_freed_at_once_and_not_by_the_cyclic_collector(
    way: str, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.handlers.logger.exception", lambda *_: None)  # pytest keeps the records of logs
    resources: list[weakref.ref[Resource]] = []

    def fail() -> None:
        resource = Resource()
        resources.append(weakref.ref(resource))
        raise error

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        fail()
        return []

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        fail()

    handler = bridge.wsgi_handler(wsgi) if way == "wsgi" else bridge.asgi_handler(asgi, lifespan="off")
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            if way == "awaited":
                with contextlib.suppress(asyncio.CancelledError):
                    asyncio.run(bridge.asgi_handler(asgi, lifespan="off").answer(EVENTS["http-api"]))
            else:
                assert handler(EVENTS["http-api"])["statusCode"] == 500
        assert [resource() for resource in resources] == [None] * 3
    finally:
        gc.enable()
        handler.close()
