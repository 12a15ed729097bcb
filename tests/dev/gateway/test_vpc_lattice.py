"""A VPC Lattice service with a Lambda target group."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway import Request, interpret
from tests.dev.gateway.helpers import event_for, header_values, refused_payload, refused_request

BOTH = pytest.mark.parametrize("source", ["lattice", "lattice-v1"])


def test_version_2_has_lists_of_values_and_the_query_in_the_path() -> None:
    request = Request(path="/a%2Fb", query="x=%20&x=2", headers=[("X-Y", "1"), ("x-y", "2")])
    event = event_for(request, "lattice")
    assert event["path"] == "/a%2Fb?x=%20&x=2"
    assert event["queryStringParameters"] == {"x": [" ", "2"]}
    assert event["headers"]["x-y"] == ["1", "2"]
    assert event["requestContext"]["serviceArn"].startswith("arn:aws:vpc-lattice:us-east-1:123456789012:")
    assert len(event["requestContext"]["timeEpoch"]) == 16  # microseconds
    assert "body" not in event


def test_version_1_has_single_values_and_the_query_in_the_path() -> None:
    request = Request(path="/a%2Fb", query="x=%20&x=2", headers=[("X-Y", "1"), ("x-y", "2")])
    event = event_for(request, "lattice-v1")
    assert event["raw_path"] == "/a%2Fb?x=%20&x=2"
    assert event["query_string_parameters"] == {"x": "2"}
    assert event["headers"]["x-y"] == "1,2"
    assert (event["body"], event["is_base64_encoded"]) == ("", False)


def test_cookies_are_joined_by_semicolons() -> None:
    request = Request(headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    assert event_for(request, "lattice-v1")["headers"]["cookie"] == "a=1; b=2"


@pytest.mark.parametrize(("source", "flag"), [("lattice", "isBase64Encoded"), ("lattice-v1", "is_base64_encoded")])
def test_a_body_is_text_or_base64(source: str, flag: str) -> None:
    text = event_for(Request(headers=[("Content-Type", "text/plain")], body=b"hello"), source)
    assert (text["body"], text[flag]) == ("hello", False)
    binary = event_for(Request(body=b"hello"), source)
    assert (binary["body"], binary[flag]) == ("aGVsbG8=", True)


@BOTH
@pytest.mark.parametrize("request_", [Request(body=b"a" * 4_720_000), Request(body=b"a", sent=6_291_457)])
def test_a_request_over_lambdas_limit_is_refused(source: str, request_: Request) -> None:
    answer = refused_request(request_, source)
    assert (answer.status, answer.body) == (413, b"Content Too Large")
    assert "Lambda accepts 6291456; send less, or upload to S3" in answer.explanation


@BOTH
@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ("hello", "a JSON string, not an object; return"),
        ({"body": "hello"}, "statusCode is None; it must be a number from 200 to 599"),
        ({"statusCode": 200, "headers": "a"}, "headers is a JSON string; it must be an object"),
        ({"statusCode": 200, "headers": {"a": ["b"]}}, "the header 'a' is ['b']; it must be a string"),
        ({"statusCode": 200, "cookies": "a=1"}, "cookies must be a list of strings"),
        ({"statusCode": 200, "body": []}, "body is a JSON array; it must be a string"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "not base64"),
    ],
)
def test_a_malformed_payload_is_answered_500(source: str, payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, source)
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert explanation in answer.explanation


@BOTH
def test_a_payload_becomes_status_headers_cookies_and_body(source: str) -> None:
    payload = {
        "statusCode": 201,
        "statusDescription": "201 Created",
        "headers": {"X-A": "1"},
        "cookies": ["a=1", "b=2"],
        "body": "/w==",
        "isBase64Encoded": True,
    }
    answer = interpret(payload, source)
    assert (answer.status, answer.body, answer.header("x-a")) == (201, b"\xff", "1")
    assert header_values(answer, "set-cookie") == ["a=1", "b=2"]
    assert header_values(answer, "content-type") == []
