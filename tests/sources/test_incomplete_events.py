"""Events with a field that is null, missing or of a wrong type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from bridge import asgi_handler, wsgi_handler
from bridge.errors import EventError
from bridge.sources import recognise
from tests.events import load_event
from tests.sources.payload_checks import EVENTS
from tests.sources.received import CONTEXT, check_connection_scope
from tests.sources.test_requests import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Place = tuple[str | int, ...]


class Applications:
    """A WSGI and an ASGI application that check the requests they receive."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []

        def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            self._bodies.append(environ["wsgi.input"].read(-1))
            start_response("204 No Content", [])
            return []

        async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            check_connection_scope(scope)
            self._bodies.append((await receive())["body"])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        self._handlers = (wsgi_handler(validator(wsgi_app)), asgi_handler(asgi_app, lifespan="off"))

    def bodies_of(self, event: Any) -> list[bytes]:
        """The request bodies that the applications receive from an event."""
        self._bodies.clear()
        for handler in self._handlers:
            handler(event, CONTEXT)
        return [*self._bodies]

    def close(self) -> None:
        self._handlers[1].close()


@pytest.fixture(scope="module")
def applications() -> Iterator[Applications]:
    applications = Applications()
    yield applications
    applications.close()


def places_in(value: Any, place: Place = ()) -> Iterator[Place]:
    """The keys that lead to each value inside an event."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*place, key)
        yield from places_in(inner, (*place, key))


def variants_of(name: str, change: Callable[[Any, Any], None]) -> Iterator[tuple[Place, Any]]:
    """The event with each value changed in turn, where it is still a request."""
    for place in places_in(load_event(name)):
        event = load_event(name)
        holder = event
        for key in place[:-1]:
            holder = holder[key]
        change(holder, place[-1])
        if recognise(event) is not None:
            yield place, event


def set_null(holder: Any, key: Any) -> None:
    holder[key] = None


def remove(holder: Any, key: Any) -> None:
    del holder[key]


@pytest.mark.parametrize("change", [set_null, remove])
@pytest.mark.parametrize("name", REQUESTS)
def test_with_any_field_null_or_missing_the_request_arrives_or_the_error_names_the_event(
    applications: Applications, name: str, change: Callable[[Any, Any], None]
) -> None:
    for place, event in variants_of(name, change):
        try:
            bodies = applications.bodies_of(event)
        except EventError as error:
            assert "event" in str(error)  # noqa: PT017
        else:
            assert len(bodies) == 2, place


OPTIONAL_FIELDS = [
    "headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "cookies",
    "pathParameters", "stageVariables", "body", "query_string_parameters", "query", "identity", "querystring",
    "enhancedAuthContext", "rawQueryString", "authorizer", "authentication",
]  # fmt: skip


@pytest.mark.parametrize("empty", [None, {}], ids=["null", "empty"])
@pytest.mark.parametrize("name", REQUESTS)
def test_all_optional_fields_may_be_empty_at_once(applications: Applications, name: str, empty: Any) -> None:
    event = load_event(name)
    request = event["Records"][0]["cf"]["request"] if "Records" in event else event
    for holder in (request, request.get("requestContext") or {}):
        for field in OPTIONAL_FIELDS:
            if field in holder:
                holder[field] = empty

    assert applications.bodies_of(event) == [b"", b""]


@pytest.mark.parametrize("name", [name for name in REQUESTS if "requestContext" in load_event(name)])
def test_the_request_context_may_be_null(applications: Applications, name: str) -> None:
    event = load_event(name) | {"requestContext": None}
    if recognise(event) is not None:
        assert len(applications.bodies_of(event)) == 2
    else:
        with pytest.raises(EventError, match="requestContext"):
            applications.bodies_of(event)


@pytest.mark.parametrize("wrong", [7, "text", ["x"]], ids=repr)
@pytest.mark.parametrize("name", [*EVENTS, "rest_api_custom_domain", "http_api_custom_domain", "kong"])
def test_a_value_of_a_wrong_type_never_becomes_an_invalid_request(
    applications: Applications, name: str, wrong: Any
) -> None:
    for place, event in variants_of(name, lambda holder, key: holder.__setitem__(key, wrong)):
        if place[-1] in ("method", "httpMethod", "inputTruncated"):
            continue
        try:
            bodies = applications.bodies_of(event)
        except EventError:
            continue
        assert len(bodies) == 2, place
