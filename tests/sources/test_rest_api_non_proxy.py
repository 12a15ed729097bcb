"""REST APIs with the lambda (non-proxy) integration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.errors import FailedIntegrationError
from tests.events import load_event
from tests.sources.received import environ_of, payload_of


@pytest.mark.parametrize(
    ("route", "values", "path"),
    [
        ("/", {}, "/"),
        ("/pets/{id}", {"id": "7"}, "/pets/7"),
        ("/{a}/{b}", {"a": "{b}", "b": "x"}, "/{b}/x"),
        ("/{a}/{b}", {"b": "{a}", "a": "x"}, "/x/{a}"),
        ("/files/{path+}", {"path": "a/b%20c"}, "/files/a/b c"),
        ("/{id}", {"id": 7}, "/7"),
        ("/{id}", {}, "/{id}"),
        ("/{id}", None, "/{id}"),
        ("/caf%C3%A9", {}, "/café"),
    ],
)
def test_the_variables_of_the_route_are_replaced_once(route: str, values: Any, path: str) -> None:
    event = load_event("rest_lambda_integration")
    event.update(requestPath=route, path=values)
    assert environ_of(event)["PATH_INFO"].encode("latin-1").decode() == path


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", {"a": 1, "b": None}, b'{"a": 1, "b": null}'),
        ("application/json", [], b"[]"),
        ("application/json", ["ü"], b'["\\u00fc"]'),
        ("application/json", 0, b"0"),
        ("application/json", False, b"false"),
        ("application/json", 1.5, b"1.5"),
        ("application/json", {}, b""),  # also what the template writes for no body
        ("application/json", None, b""),
        ("text/plain", "grüße", "grüße".encode()),
        ("text/plain", "", b""),
        ("application/x-www-form-urlencoded", {"a b": "1+1", "c": ""}, b"a+b=1%2B1&c="),
        ("Application/X-WWW-Form-URLencoded; charset=UTF-8", {"n": "ü"}, b"n=%C3%BC"),
    ],
)
def test_a_body_that_the_template_has_parsed_is_written_again(content_type: str, body: Any, expected: bytes) -> None:
    event = load_event("rest_lambda_integration")
    event["headers"]["Content-Type"] = content_type
    event["body"] = body
    assert environ_of(event)["body"] == expected


def test_a_status_below_300_is_returned_and_others_are_raised() -> None:
    event = load_event("rest_lambda_integration")
    assert payload_of(event, "299 Fine", [("Content-Type", "text/plain")], b"ok")["statusCode"] == 299

    for status in ("300 Multiple Choices", "302 Found", "404 Not Found", "500 Internal Server Error"):
        with pytest.raises(FailedIntegrationError) as raised:
            payload_of(event, status, [("Location", "/a"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"no")
        assert json.loads(str(raised.value)) == {
            "statusCode": int(status[:3]),
            "headers": {"Location": "/a"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            "body": "no",
            "isBase64Encoded": False,
        }
