"""Null or nothing in any place of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from bridge import asgi_handler, wsgi_handler
from bridge.errors import EventError
from bridge.sources import recognise
from tests.events import load_event
from tests.sources.seen import CONTEXT, check_scope
from tests.sources.shapes import FORMS
from tests.sources.test_requests import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Place = tuple[str | int, ...]


class Reach:
    """Whether an event reaches an application, of either interface, as a request that is valid."""

    def __init__(self) -> None:
        self.reached: list[bytes] = []

        def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            self.reached.append(environ["wsgi.input"].read(-1))
            start_response("204 No Content", [])
            return []

        async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            check_scope(scope)
            self.reached.append((await receive())["body"])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        self._handlers = (wsgi_handler(validator(wsgi_app)), asgi_handler(asgi_app, lifespan="off"))

    def bodies(self, event: Any) -> list[bytes]:
        self.reached.clear()
        for handler in self._handlers:
            handler(event, CONTEXT)
        return [*self.reached]

    def close(self) -> None:
        self._handlers[1].close()


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    made = Reach()
    yield made
    made.close()


def places_in(value: Any, place: Place = ()) -> Iterator[Place]:
    """The way to every value inside an event."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*place, key)
        yield from places_in(inner, (*place, key))


def put_null(holder: Any, key: Any) -> None:
    holder[key] = None


def take_away(holder: Any, key: Any) -> None:
    del holder[key]


@pytest.mark.parametrize("change", [put_null, take_away])
@pytest.mark.parametrize("name", REQUESTS)
def test_any_single_place_may_be_null_or_missing(reach: Reach, name: str, change: Callable[[Any, Any], None]) -> None:
    """The request arrives all the same, or is no request any more, or the error says what is wrong with the event."""
    for place in places_in(load_event(name)):
        event = load_event(name)
        holder = event
        for key in place[:-1]:
            holder = holder[key]
        change(holder, place[-1])
        if recognise(event) is None:
            continue
        try:
            bodies = reach.bodies(event)
        except EventError as error:
            assert "event" in str(error)  # noqa: PT017
        else:
            assert len(bodies) == 2, place


SECTIONS = ["headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "cookies",
            "pathParameters", "stageVariables", "body", "query_string_parameters", "query", "identity", "querystring",
            "enhancedAuthContext", "rawQueryString", "authorizer", "authentication"]  # fmt: skip


@pytest.mark.parametrize("empty", [None, {}], ids=["null", "empty"])
@pytest.mark.parametrize("name", REQUESTS)
def test_all_optional_sections_may_be_empty_at_once(reach: Reach, name: str, empty: Any) -> None:
    event = load_event(name)
    request = event["Records"][0]["cf"]["request"] if "Records" in event else event
    for holder in (request, request.get("requestContext") or {}):
        for section in SECTIONS:
            if section in holder:
                holder[section] = empty

    assert reach.bodies(event) == [b"", b""]


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "http_api_nulls"])
def test_null_for_the_whole_request_context_is_no_reason_to_crash(reach: Reach, name: str) -> None:
    event = load_event(name)
    if "requestContext" in event:
        event["requestContext"] = None
        if recognise(event) is not None:
            assert len(reach.bodies(event)) == 2
        else:
            with pytest.raises(EventError, match="requestContext"):
                reach.bodies(event)


@pytest.mark.parametrize("wrong", [7, "text", ["x"]], ids=repr)
@pytest.mark.parametrize("name", [*FORMS, "rest_api_custom_domain", "http_api_custom_domain", "kong"])
def test_a_value_of_a_wrong_type_never_reaches_an_application_as_a_request_that_is_not_valid(
    reach: Reach, name: str, wrong: Any
) -> None:
    for place in places_in(load_event(name)):
        if place[-1] in ("method", "httpMethod", "inputTruncated"):
            continue
        event = load_event(name)
        holder = event
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = wrong
        if recognise(event) is None:
            continue
        try:
            bodies = reach.bodies(event)
        except (EventError, AttributeError, TypeError):
            continue  # no front door sends it
        assert len(bodies) == 2, place
