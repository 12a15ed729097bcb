"""VPC Lattice."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given

from tests.events import load_event
from tests.sources.received import payload_of, scope_of
from tests.sources.test_queries import parameters


@given(parameters)
def test_the_query_is_read_from_parameters_if_the_path_has_none(expected: dict[str, list[str]]) -> None:
    first = load_event("lattice_v1")
    first.update(raw_path="/a", query_string_parameters={key: values[-1] for key, values in expected.items()})
    assert dict(parse_qsl(scope_of(first).query, keep_blank_values=True)) == first["query_string_parameters"]

    second = load_event("lattice_v2")
    second.update(path="/a", queryStringParameters=expected)
    pairs = [(key, value) for key, values in expected.items() for value in values]
    assert parse_qsl(scope_of(second).query, keep_blank_values=True) == pairs


@pytest.mark.parametrize("name", ["lattice_v1", "lattice_v2"])
def test_the_payload_has_a_list_of_cookies(name: str) -> None:
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert payload_of(load_event(name), "200 OK", headers, b"ok") == {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "cookies": ["a=1", "b=2"],
        "headers": {"Content-Type": "text/plain"},
        "body": "ok",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("name", ["lattice_v1", "lattice_v2"])
def test_a_single_cookie_is_a_header(name: str) -> None:
    payload = payload_of(load_event(name), "200 OK", [("Set-Cookie", "a=1")], b"ok")
    assert payload["headers"] == {"Set-Cookie": "a=1"}
    assert "cookies" not in payload
