"""What a request costs grows with what is in it and not faster; what a process holds does not grow with requests.

Told by counting, so that a busy machine changes nothing; the times are in ``scripts/bench --only growth``.
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
    made = bridge.wsgi_handler(wsgi_app) if request.param == "wsgi" else bridge.asgi_handler(asgi_app)
    yield made
    made.close()


def calls_of(handler: Handler, event: dict[str, Any]) -> int:
    """How many functions, Python's or C's, an answer calls."""
    handler(event)
    handler(event)  # all that is remembered is by now
    count = 0

    def see(_frame: object, what: str, _argument: object) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    gc.disable()  # what it finds has a word to say, too
    sys.setprofile(see)
    try:
        handler(event)
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.usefixtures("nothing_remembered")
@pytest.mark.parametrize("what", ["headers", "cookies", "query pairs"])
@pytest.mark.parametrize("source", EVENTS)
def test_each_more_of_something_takes_as_many_calls_as_the_last(handler: Handler, source: str, what: str) -> None:
    few, more, most = [calls_of(handler, GROWING[what](EVENTS[source], number)) for number in (50, 100, 200)]
    assert most - more <= 2 * (more - few) + 2


@pytest.mark.usefixtures("nothing_remembered")
@pytest.mark.parametrize("source", EVENTS)
def test_a_body_takes_as_many_calls_however_long_it_is(handler: Handler, source: str) -> None:
    short, long = [calls_of(handler, GROWING["body"](EVENTS[source], size)) for size in (1_000, 1_000_000)]
    assert long == short


def test_clients_with_names_and_values_of_their_own_fill_no_memory(handler: Handler) -> None:
    numbers = iter(range(sys.maxsize))

    def answer(count: int) -> int:
        """How many pieces of memory are in use after so many more clients."""
        for _ in range(count):
            payload = handler(event_of_client(EVENTS["http-api"], next(numbers)))
            assert payload["statusCode"] == 200
        gc.collect()
        return sys.getallocatedblocks()

    before = answer(1_500)  # more than is remembered of anything
    assert answer(3_000) - before < 300
