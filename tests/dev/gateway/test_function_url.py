"""A Lambda function URL."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway import Request, interpret
from tests.dev.gateway.helpers import event_for, header_values, json_of, refused_payload, refused_request


def test_the_raw_path_is_as_sent_and_the_path_decoded() -> None:
    event = event_for(Request(path="/pa2%25Fth/caf%E9"), "function-url")
    assert event["rawPath"] == "/pa2%25Fth/caf%E9"
    assert event["requestContext"]["http"]["path"] == "/pa2%Fth/caf\ufffd"


def test_cookies_are_in_the_list_and_in_the_header() -> None:
    event = event_for(Request(headers=[("Cookie", "a=1;b=caf\xc3\xa9"), ("Cookie", "c=3")]), "function-url")
    assert event["cookies"] == ["a=1", "b=café", "c=3"]
    assert event["headers"]["cookie"] == "a=1; b=café; c=3"


def test_an_empty_cookie_header_is_dropped() -> None:
    event = event_for(Request(headers=[("Cookie", ";")]), "function-url")
    assert "cookies" not in event
    assert "cookie" not in event["headers"]


def test_the_domain_name_does_not_depend_on_the_host_header() -> None:
    event = event_for(Request(headers=[("Host", "localhost:5000")]), "function-url")
    assert ".lambda-url." in event["requestContext"]["domainName"]
    assert event["requestContext"]["accountId"] == "anonymous"
    assert event["headers"]["host"] == "localhost:5000"
    assert "pathParameters" not in event


@pytest.mark.parametrize(
    "request_", [Request(body=b"\xff" * 4_718_592), Request(body=b"a", sent=6_291_457), Request(body=b"a" * 4_720_000)]
)
def test_a_request_over_lambdas_limit_is_refused(request_: Request) -> None:
    answer = refused_request(request_, "function-url")
    assert answer.status == 413
    message = "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    assert json_of(answer) == {"Message": message}
    assert "Lambda accepts 6291456; send less, or upload to S3" in answer.explanation


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ("hello", b"hello"),
        (3, b"3"),
        (3.1, b"3.1"),
        (True, b"true"),
        (None, b"null"),
        (["hello", 3, True], b'["hello",3,true]'),
        ({"hello": "wörld"}, b'{"hello":"w\xc3\xb6rld"}'),
    ],
)
def test_a_payload_without_a_status_is_the_body(payload: Any, body: bytes) -> None:
    answer = interpret(payload, "function-url")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers == [("content-type", "application/json")]


@pytest.mark.parametrize(
    ("body", "sent"), [({"a": "é"}, b'{"a":"\xc3\xa9"}'), ([1, 2], b"[1,2]"), ("text", b"text"), (None, b"")]
)
def test_a_body_may_be_a_json_object_or_array(body: Any, sent: bytes) -> None:
    assert interpret({"statusCode": 200, "body": body}, "function-url").body == sent


def test_the_default_content_type_is_json() -> None:
    assert interpret({"statusCode": 200, "body": "x"}, "function-url").header("content-type") == "application/json"
    payload = {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "x"}
    assert header_values(interpret(payload, "function-url"), "content-type") == ["text/html"]


def test_cookies_become_set_cookie_headers() -> None:
    answer = interpret({"statusCode": 200, "cookies": ["a=1", "b=2"]}, "function-url")
    assert header_values(answer, "set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ({"statusCode": "OK"}, "statusCode is 'OK'; it must be a number from 200 to 599"),
        ({"statusCode": 200, "headers": "a"}, "headers is a JSON string; it must be an object"),
        ({"statusCode": 200, "body": 3}, "body is a JSON number; it must be a string"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "not base64"),
        ({"statusCode": 200, "cookies": {}, "headers": {"a": {}}}, "the header 'a' is {}; it must be a string"),
    ],
)
def test_a_malformed_payload_is_answered_502(payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, "function-url")
    assert (answer.status, answer.body) == (502, b"Internal Server Error")
    assert explanation in answer.explanation
