"""An API Gateway HTTP API, with payload formats 2.0 and 1.0."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway import Request, Route, interpret
from tests.dev.gateway.helpers import event_for, json_of, refused_payload, refused_request

BOTH = pytest.mark.parametrize("source", ["http-api", "http-api-v1"])


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [
        ("/a%20b%2Fc", "/a b/c"),
        ("/100%25", "/100%25"),
        ("/%2525", "/%2525"),
        ("/%2541", "/%2541"),
        ("/caf%C3%A9", "/café"),
        ("/caf%E9", "/caf\ufffd"),
        ("/why%3Fbecause", "/why"),
        ("/why%253Fbecause", "/why%253Fbecause"),
        ("//a//b/", "//a//b/"),
        ("/a/../b;v=1", "/a/../b;v=1"),
    ],
)
def test_the_path_is_decoded_except_for_percent_signs_and_ends_at_a_question_mark(path: str, raw_path: str) -> None:
    event = event_for(Request(path=path), "http-api")
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == raw_path
    event = event_for(Request(path=path), "http-api-v1")
    assert event["path"] == event["requestContext"]["path"] == raw_path


def test_the_path_includes_the_stage() -> None:
    event = event_for(Request(path="/prod/a"), "http-api", stage="prod")
    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/prod/a", "prod")
    event = event_for(Request(path="/prod/a"), "http-api-v1", stage="prod")
    assert (event["path"], event["requestContext"]["stage"]) == ("/prod/a", "prod")
    assert event["pathParameters"] == {"proxy": "a"}


@BOTH
@pytest.mark.parametrize("stage", ["", "$default", "/$default/"])
def test_the_default_stage_is_not_part_of_the_path(source: str, stage: str) -> None:
    assert event_for(Request(path="/a"), source, stage=stage)["requestContext"]["stage"] == "$default"


def test_the_query_is_in_the_event_as_sent_and_decoded() -> None:
    event = event_for(Request(query="a=1&b=%20+&a=x%2C&c"), "http-api")
    assert event["rawQueryString"] == "a=1&b=%20+&a=x%2C&c"
    assert event["queryStringParameters"] == {"a": "1,x,", "b": "  ", "c": ""}
    event = event_for(Request(), "http-api")
    assert event["rawQueryString"] == ""
    assert "queryStringParameters" not in event


def test_headers_are_lower_case_and_joined() -> None:
    event = event_for(Request(headers=[("X-Y", "1"), ("x-y", "2"), ("User-Agent", "caf\xc3\xa9")]), "http-api")
    assert event["headers"]["x-y"] == "1,2"
    assert event["requestContext"]["http"]["userAgent"] == "café"


def test_cookies_are_in_a_list_and_not_in_the_headers() -> None:
    headers = [("Cookie", "a=1; b=caf\xc3\xa9"), ("cookie", "c=\xa0;;d")]
    event = event_for(Request(headers=headers), "http-api")
    assert event["cookies"] == ["a=1", "b=café", "c=\xa0", "d"]
    assert "cookie" not in event["headers"]


@pytest.mark.parametrize("value", ["", ";", " ; "])
def test_an_empty_cookie_header_is_dropped(value: str) -> None:
    event = event_for(Request(headers=[("Cookie", value)]), "http-api")
    assert "cookies" not in event
    assert "cookie" not in event["headers"]


@pytest.mark.parametrize(
    ("content_type", "is_base64"),
    [
        ("text/plain", False),
        ("Text/HTML; charset=utf-8", False),
        ("application/json", False),
        ("application/xml", False),
        ("application/javascript", False),
        ("application/problem+json", True),
        ("application/x-www-form-urlencoded", True),
        ("multipart/form-data; boundary=x", True),
        ("image/svg+xml", True),
        ("", True),
    ],
)
@BOTH
def test_a_body_is_text_if_its_type_is(source: str, content_type: str, is_base64: bool) -> None:
    event = event_for(Request(headers=[("Content-Type", content_type)], body=b"hello"), source)
    assert (event["body"], event["isBase64Encoded"]) == (("aGVsbG8=", True) if is_base64 else ("hello", False))


def test_without_a_body_format_2_0_has_no_key_and_format_1_0_null() -> None:
    event = event_for(Request(), "http-api")
    assert "body" not in event
    assert event["isBase64Encoded"] is False
    event = event_for(Request(), "http-api-v1")
    assert (event["body"], event["isBase64Encoded"]) == (None, False)


def test_a_route_sets_its_key_and_decoded_variables() -> None:
    route = Route("GET", "/dogs/{id}", {"id": "a%20b"})
    event = event_for(Request(path="/dogs/a%20b"), "http-api", route=route)
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "GET /dogs/{id}"
    assert event["pathParameters"] == {"id": "a b"}


def test_without_a_route_the_key_is_the_default_one() -> None:
    event = event_for(Request(path="/dogs"), "http-api")
    assert event["routeKey"] == "$default"
    assert "pathParameters" not in event


@BOTH
@pytest.mark.parametrize(
    ("request_", "status", "message", "explanation"),
    [
        (
            Request(headers=[("a", "b" * 10_240)]),
            431,
            "Request Header Fields Too Large",
            "have 10242 bytes, but API Gateway accepts 10240; send less in cookies and query",
        ),
        (Request(query="a" * 10_239), 431, "Request Header Fields Too Large", "have 10241 bytes"),
        (Request(body=b"a" * 4_720_000), 413, "Request Entity Too Large", "Lambda accepts 6291456; send less"),
        (Request(body=b"a", sent=20_000_000), 413, "Request Entity Too Large", "a body of 20000000 bytes"),
    ],
)
def test_a_request_over_a_limit_is_refused(
    source: str, request_: Request, status: int, message: str, explanation: str
) -> None:
    answer = refused_request(request_, source)
    assert (answer.status, json_of(answer)) == (status, {"message": message})
    assert explanation in answer.explanation


def test_a_text_body_may_be_larger_than_a_binary_one_which_is_base64() -> None:
    request = Request(headers=[("Content-Type", "text/plain")], body=b"a" * 4_720_000)
    assert event_for(request, "http-api")["isBase64Encoded"] is False


@BOTH
@pytest.mark.parametrize(
    ("door", "explanation"),
    [({"stage": "prod"}, "the stage; request /prod/…"), ({"base_path": "/shop"}, "the base path; request /shop/…")],
)
def test_a_path_outside_stage_and_base_path_is_not_found(source: str, door: dict[str, str], explanation: str) -> None:
    answer = refused_request(Request(path="/production/shop"), source, **door)
    assert (answer.status, json_of(answer)) == (404, {"message": "Not Found"})
    assert explanation in answer.explanation


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ("hello", b"hello"),
        (3, b"3"),
        (True, b"true"),
        (None, b"null"),
        (["hello", 3], b'["hello",3]'),
        ({"message": "é"}, b'{"message":"\xc3\xa9"}'),
        ({"body": "hello", "headers": {}}, b'{"body":"hello","headers":{}}'),
        ({}, b"{}"),
        ("\ud800", b"?"),
    ],
)
def test_a_payload_without_a_status_is_the_body_as_json(payload: Any, body: bytes) -> None:
    answer = interpret(payload, "http-api")
    assert (answer.status, answer.body, answer.explanation) == (200, body, "")
    assert answer.headers == [("content-type", "application/json")]


def test_format_1_0_requires_a_status() -> None:
    for payload, explanation in (("hello", "a JSON string, not an object"), ({"body": "hello"}, "statusCode is None")):
        answer = refused_payload(payload, "http-api-v1")
        assert (answer.status, json_of(answer)) == (500, {"message": "Internal Server Error"})
        assert explanation in answer.explanation


@BOTH
@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ({"statusCode": None}, "statusCode is None; it must be a number from 200 to 599"),
        ({"statusCode": "OK"}, "statusCode is 'OK'"),
        ({"statusCode": 200, "headers": [1]}, "headers is a JSON array; it must be an object"),
        ({"statusCode": 200, "headers": {"a": ["b"]}}, "the header 'a' is ['b']; it must be a string"),
        ({"statusCode": 200, "headers": {"a": "b\nc"}}, "a line break or NUL in its value 'b\\nc'; remove it"),
        ({"statusCode": 200, "headers": {"a:": "b"}}, "'a:' is not a valid header name"),
        ({"statusCode": 200, "cookies": "a=1"}, "cookies must be a list of strings, such as"),
        ({"statusCode": 200, "cookies": [1]}, "cookies must be a list"),
        ({"statusCode": 200, "cookies": ["a=1\r\nb: c"]}, "a line break or NUL"),
        ({"statusCode": 200, "body": {"a": 1}}, "body is a JSON object; it must be a string"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "its body is not base64"),
    ],
)
def test_a_malformed_payload_is_answered_500(source: str, payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, source)
    assert (answer.status, json_of(answer)) == (500, {"message": "Internal Server Error"})
    assert explanation in answer.explanation


@pytest.mark.parametrize(
    ("headers", "explanation"),
    [([], ""), ({"a": "b"}, "multiValueHeaders['a'] is 'b'; it must be a list"), (["a"], "must be an object")],
)
def test_multi_value_headers_of_format_1_0_are_lists(headers: Any, explanation: str) -> None:
    payload = {"statusCode": 200, "multiValueHeaders": headers or None}
    if explanation:
        assert explanation in refused_payload(payload, "http-api-v1").explanation
    else:
        assert interpret(payload, "http-api-v1").status == 200


def test_multi_value_headers_of_format_1_0_replace_headers() -> None:
    payload = {
        "statusCode": 200,
        "headers": {"x-a": "3", "X-B": "1", "Content-Type": "text/html"},
        "multiValueHeaders": {"X-A": ["1", "2"], "Set-Cookie": ["a=1", "b=2"], "Transfer-Encoding": ["chunked"]},
    }
    answer = interpret(payload, "http-api-v1")
    assert answer.headers == [
        ("x-a", "1"), ("x-a", "2"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-b", "1"),
        ("content-type", "text/html"),
    ]  # fmt: skip


def test_headers_become_lower_case_and_those_of_the_connection_are_dropped() -> None:
    headers = {"X-A": True, "Connection": "close", "Content-Length": "9", "Keep-Alive": "x", "gone": None}
    answer = interpret({"statusCode": 200, "headers": headers, "cookies": ["a=1", "b=2"]}, "http-api")
    assert answer.headers == [
        ("x-a", "true"),
        ("content-type", "text/plain; charset=utf-8"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


@BOTH
def test_base64_is_always_decoded(source: str) -> None:
    payload = {"statusCode": "201", "body": "/w==", "isBase64Encoded": True}
    answer = interpret(payload, source)
    assert (answer.status, answer.body) == (201, b"\xff")
