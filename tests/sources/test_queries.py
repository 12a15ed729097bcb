"""Queries: exactly as sent where the source tells, else as close as its event allows."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events import load_event
from tests.sources.seen import asgi_of, environ_of, scope_of


def asking(name: str, query: str) -> Any:
    """The event, had its client sent *query*, for the sources that hand it over as it is."""
    event = load_event(name)
    match name:
        case "http_api" | "function_url":
            event["rawQueryString"] = query
        case "lattice_v1":
            event["raw_path"] = f"/a?{query}"
        case "lattice_v2":
            event["path"] = f"/a?{query}"
        case "express_gateway":
            event["path"] = f"/a?{query}"
        case "edge_viewer_request":
            event["Records"][0]["cf"]["request"]["querystring"] = query
    return event


VERBATIM = ["http_api", "function_url", "lattice_v1", "lattice_v2", "express_gateway", "edge_viewer_request"]


QUERIES = ["a=1&b=2&a=3", "a", "a=", "=", "&", "&&a=1&", "a=b=c", "a=1;b=2", "q=a+b%20c", "a=%2526", "%E9=%ff",
           "a=?&b=/", "ids[]=1&ids%5B%5D=2", "x" * 5000, "q=café"]  # fmt: skip


@pytest.mark.parametrize("name", VERBATIM)
def test_a_query_that_arrives_whole_stays_as_it_is(name: str) -> None:
    for query in QUERIES:
        assert environ_of(asking(name, query))["QUERY_STRING"].encode("latin-1") == query.encode()
        assert asgi_of(asking(name, query)).scope["query_string"] == query.encode()


@given(st.text(st.sampled_from("ab=&+%20?/;[]"), min_size=1, max_size=20))
def test_any_query_that_arrives_whole_stays_as_it_is(query: str) -> None:
    for name in VERBATIM:
        assert scope_of(asking(name, query)).query == query


parameters = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


@given(parameters)
def test_a_decoded_query_decodes_to_the_same_pairs(sent: dict[str, list[str]]) -> None:
    for name in ("rest_api", "http_api_v1", "kong"):
        event = load_event(name)
        event["multiValueQueryStringParameters"] = sent
        event["queryStringParameters"] = {key: values[-1] for key, values in sent.items()}
        pairs = [(key, value) for key, values in sent.items() for value in values]
        assert parse_qsl(scope_of(event).query, keep_blank_values=True) == pairs


@given(parameters)
def test_lattice_s_parameters_stand_in_where_the_path_has_no_query(sent: dict[str, list[str]]) -> None:
    first = load_event("lattice_v1")
    first.update(raw_path="/a", query_string_parameters={key: values[-1] for key, values in sent.items()})
    assert dict(parse_qsl(scope_of(first).query, keep_blank_values=True)) == first["query_string_parameters"]

    second = load_event("lattice_v2")
    second.update(path="/a", queryStringParameters=sent)
    pairs = [(key, value) for key, values in sent.items() for value in values]
    assert parse_qsl(scope_of(second).query, keep_blank_values=True) == pairs


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


encoded = st.text(st.sampled_from("ab+%20%2B%26%3D%E9[]/?"), max_size=8)


@given(st.dictionaries(encoded, st.lists(encoded, min_size=1, max_size=3), min_size=1, max_size=4))
def test_a_balancer_s_parameters_are_not_encoded_twice(sent: dict[str, list[str]]) -> None:
    multi = load_event("alb_multi")
    multi["multiValueQueryStringParameters"] = sent
    assert scope_of(multi).query == "&".join(f"{key}={value}" for key, values in sent.items() for value in values)

    single = load_event("alb")
    single["queryStringParameters"] = {key: values[-1] for key, values in sent.items()}
    assert scope_of(single).query == "&".join(f"{key}={values[-1]}" for key, values in sent.items())


def test_a_rest_api_s_list_counts_for_more_than_its_last_value() -> None:
    event = load_event("rest_api")
    event["queryStringParameters"] = {"tag": "2"}
    event["multiValueQueryStringParameters"] = {"tag": ["1", "2"]}
    assert environ_of(event)["QUERY_STRING"] == "tag=1&tag=2"


def test_kong_s_bare_names_have_no_equals_sign() -> None:
    event = load_event("kong")
    event["multiValueQueryStringParameters"] = {"a": [True], "b": [True, "", "x"]}
    assert environ_of(event)["QUERY_STRING"] == "a&b&b=&b=x"


def test_express_gateway_may_hide_the_path_and_show_the_query_in_fields() -> None:
    event = load_event("express_gateway")
    event["path"] = "/"
    assert environ_of(event)["QUERY_STRING"] == "tag=1&tag=2&x=9&flag="

    event["query"] = event.pop("queryStringParameters")
    assert environ_of(event)["QUERY_STRING"] == "tag=1&tag=2&x=9&flag="
