"""The work of a request grows linearly with its size, and the memory of a process does not grow with its requests.

These tests count, so they do not depend on how busy the machine is; ``scripts/bench --only growth`` measures times.
"""

from __future__ import annotations

import gc
import sys
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
