"""VPC Lattice's side of a Lambda target."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway import Request, interpret
from tests.dev.gateway.helpers import event_of, refused_payload, refused_request, values

BOTH = ("lattice", "lattice-v1")


def test_version_2_has_lists_and_the_query_in_the_path() -> None:
    request = Request(path="/a%2Fb", query="x=%20&x=2", headers=[("X-Y", "1"), ("x-y", "2")])
    event = event_of(request, "lattice")
    assert event["path"] == "/a%2Fb?x=%20&x=2"
    assert event["queryStringParameters"] == {"x": [" ", "2"]}
    assert event["headers"]["x-y"] == ["1", "2"]
    assert event["requestContext"]["serviceArn"].startswith("arn:aws:vpc-lattice:us-east-1:123456789012:")
    assert len(event["requestContext"]["timeEpoch"]) == 16  # microseconds
    assert "body" not in event


def test_version_1_has_text_and_the_query_in_the_path() -> None:
    request = Request(path="/a%2Fb", query="x=%20&x=2", headers=[("X-Y", "1"), ("x-y", "2")])
    event = event_of(request, "lattice-v1")
    assert event["raw_path"] == "/a%2Fb?x=%20&x=2"
    assert event["query_string_parameters"] == {"x": "2"}
    assert event["headers"]["x-y"] == "1,2"
    assert (event["body"], event["is_base64_encoded"]) == ("", False)


def test_cookies_are_never_joined_by_commas() -> None:
    request = Request(headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    assert event_of(request, "lattice-v1")["headers"]["cookie"] == "a=1; b=2"


@pytest.mark.parametrize(("source", "flag"), [("lattice", "isBase64Encoded"), ("lattice-v1", "is_base64_encoded")])
def test_bodies_are_text_or_base64(source: str, flag: str) -> None:
    text = event_of(Request(headers=[("Content-Type", "text/plain")], body=b"hello"), source)
    assert (text["body"], text[flag]) == ("hello", False)
    binary = event_of(Request(body=b"hello"), source)
    assert (binary["body"], binary[flag]) == ("aGVsbG8=", True)


@pytest.mark.parametrize("source", BOTH)
def test_requests_that_are_too_large_are_refused(source: str) -> None:
    for request in (Request(body=b"a" * 4_720_000), Request(body=b"a", sent=6_291_457)):
        answer = refused_request(request, source)
        assert (answer.status, answer.body) == (413, b"Content Too Large")
        assert "Lambda takes 6291456; send less, or upload to S3" in answer.why


@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("hello", "a JSON string, no object; return"),
        ({"body": "hello"}, "statusCode is None; it must be a number from 200 to 599"),
        ({"statusCode": 200, "headers": "a"}, "headers is a JSON string; it must be an object"),
        ({"statusCode": 200, "headers": {"a": ["b"]}}, "the header 'a' is ['b']; it must be text"),
        ({"statusCode": 200, "cookies": "a=1"}, "cookies must be a list of texts"),
        ({"statusCode": 200, "body": []}, "body is a JSON array; it must be text"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "not base64"),
    ],
)
def test_malformed_payloads_are_500(source: str, payload: Any, why: str) -> None:
    answer = refused_payload(payload, source)
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert why in answer.why


@pytest.mark.parametrize("source", BOTH)
def test_a_payload_is_the_answer(source: str) -> None:
    payload = {
        "statusCode": 201,
        "statusDescription": "201 Created",
        "headers": {"X-A": "1"},
        "cookies": ["a=1", "b=2"],
        "body": "/w==",
        "isBase64Encoded": True,
    }
    answer = interpret(payload, source)
    assert (answer.status, answer.body) == (201, b"\xff")
    assert values(answer, "set-cookie") == ["a=1", "b=2"]
    assert values(answer, "content-type") == []
