"""Queries of every source: exactly as sent where the event has them so, else encoded again."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import load_event
from tests.sources.received import asgi_request, environ_of, scope_of


def with_query(name: str, query: str) -> Any:
    """The event of a request with *query*, from a source that passes it unchanged."""
    event = load_event(name)
    match name:
        case "http_api" | "function_url":
            event["rawQueryString"] = query
        case "lattice_v1":
            event["raw_path"] = f"/a?{query}"
        case "lattice_v2" | "express_gateway":
            event["path"] = f"/a?{query}"
        case "edge_viewer_request":
            event["Records"][0]["cf"]["request"]["querystring"] = query
    return event


UNCHANGED = ["http_api", "function_url", "lattice_v1", "lattice_v2", "express_gateway", "edge_viewer_request"]

QUERIES = ["a=1&b=2&a=3", "a", "a=", "=", "&", "&&a=1&", "a=b=c", "a=1;b=2", "q=a+b%20c", "a=%2526", "%E9=%ff",
           "a=?&b=/", "ids[]=1&ids%5B%5D=2", "x" * 5000, "q=café"]  # fmt: skip


@pytest.mark.parametrize("name", UNCHANGED)
def test_a_query_that_the_source_passes_unchanged_is_not_changed(name: str) -> None:
    for query in QUERIES:
        assert environ_of(with_query(name, query))["QUERY_STRING"].encode("latin-1") == query.encode()
        assert asgi_request(with_query(name, query)).scope["query_string"] == query.encode()


@given(st.text(st.sampled_from("ab=&+%20?/;[]"), min_size=1, max_size=20))
def test_any_query_that_the_source_passes_unchanged_is_not_changed(query: str) -> None:
    for name in UNCHANGED:
        assert scope_of(with_query(name, query)).query == query


parameters = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


@given(parameters)
def test_decoded_parameters_are_encoded_again(expected: dict[str, list[str]]) -> None:
    for name in ("rest_api", "http_api_v1", "kong"):
        event = load_event(name)
        event["multiValueQueryStringParameters"] = expected
        event["queryStringParameters"] = {key: values[-1] for key, values in expected.items()}
        pairs = [(key, value) for key, values in expected.items() for value in values]
        assert parse_qsl(scope_of(event).query, keep_blank_values=True) == pairs


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({"a b": "x y", "plus": "1+1"}, "a+b=x+y&plus=1%2B1"),
        ({"n": "ü€"}, "n=%C3%BC%E2%82%AC"),
        ({"already": "%20"}, "already=%2520"),
        ({"empty": ""}, "empty="),
        ({"": ""}, "="),
    ],
)
@pytest.mark.parametrize("name", ["rest_api", "http_api_v1", "scaleway", "rest_lambda_integration"])
def test_decoded_single_values_are_encoded_again(name: str, parameters: dict[str, str], query: str) -> None:
    event = load_event(name)
    event["multiValueQueryStringParameters"] = None
    event["query" if name == "rest_lambda_integration" else "queryStringParameters"] = parameters
    assert environ_of(event)["QUERY_STRING"] == query
