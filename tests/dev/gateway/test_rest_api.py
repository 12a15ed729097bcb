"""An API Gateway REST API with Lambda proxy integration."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.dev.gateway import Request, Route, interpret
from tests.dev.gateway.helpers import event_for, header_values, json_of, refused_payload, refused_request

ANYTHING = ("*/*",)


def test_the_query_is_decoded_or_null() -> None:
    event = event_for(Request(query="a=1%262&a=x+y&b"), "rest-api")
    assert event["queryStringParameters"] == {"a": "x y", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1&2", "x y"], "b": [""]}
    event = event_for(Request(), "rest-api")
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None


def test_headers_keep_the_clients_spelling_except_for_those_that_api_gateway_normalises() -> None:
    headers = [("x-cAsE", "1"), ("authorization", "Basic x"), ("USER-AGENT", "curl"), ("X-Case", "2")]
    event = event_for(Request(headers=headers), "rest-api")
    assert event["multiValueHeaders"]["x-cAsE"] == ["1", "2"]
    assert event["headers"]["X-Case"] == "2"
    assert event["headers"]["Authorization"] == "Basic x"
    assert event["headers"]["User-Agent"] == event["requestContext"]["identity"]["userAgent"] == "curl"


def test_a_user_agent_with_utf_8_is_decoded_in_the_identity() -> None:
    event = event_for(Request(headers=[("User-Agent", "caf\xc3\xa9")]), "rest-api")
    assert event["requestContext"]["identity"]["userAgent"] == "café"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("api.example.com", "api.example.com"),
        ("api.example.com:8443", "api.example.com"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("", "localhost"),
    ],
)
def test_the_domain_is_the_host_without_its_port(host: str, domain: str) -> None:
    headers = [("Host", host)] if host else []
    assert event_for(Request(headers=headers), "rest-api")["requestContext"]["domainName"] == domain


@pytest.mark.parametrize(
    ("path", "event_path", "proxy"),
    [
        ("/", "/", None),
        ("/a/b/", "/a/b/", "a/b"),
        ("//a//b", "/a//b", "a//b"),
        ("/a%2Fb@x", "/a%2Fb@x", "a%2Fb@x"),
    ],
)
def test_the_path_stays_encoded_and_begins_with_a_single_slash(path: str, event_path: str, proxy: str | None) -> None:
    event = event_for(Request(path="/prod" + path), "rest-api", stage="prod")
    assert event["path"] == event_path
    assert event["requestContext"]["path"] == "/prod" + path
    assert event["requestContext"]["stage"] == "prod"
    assert event["pathParameters"] == (None if proxy is None else {"proxy": proxy})
    assert event["resource"] == ("/" if proxy is None else "/{proxy+}")


def test_the_path_includes_the_base_path_and_the_proxy_variable_does_not() -> None:
    event = event_for(Request(path="/shop/a"), "rest-api", base_path="shop/")
    assert (event["path"], event["requestContext"]["path"]) == ("/shop/a", "/shop/a")
    assert event["pathParameters"] == {"proxy": "a"}


def test_a_stage_excludes_a_base_path() -> None:
    event = event_for(Request(path="/prod/shopping"), "rest-api", stage="/prod/", base_path="/shop")
    assert event["pathParameters"] == {"proxy": "shopping"}


def test_a_route_sets_resource_and_variables() -> None:
    route = Route("GET", "/dogs/{id}", {"id": "a%20b"})
    event = event_for(Request(path="/dogs/a%20b"), "rest-api", route=route)
    assert event["resource"] == event["requestContext"]["resourcePath"] == "/dogs/{id}"
    assert event["pathParameters"] == {"id": "a%20b"}


@pytest.mark.parametrize(
    ("binary_media_types", "content_type", "is_base64"),
    [
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/png",), "Image/PNG; q=1", True),
        (("image/*",), "image/png", True),
        (("image/*",), "imagery/png", False),
        (("*/*",), "text/plain", True),
        (("*/*",), "", True),
        (("image/png",), "text/plain", False),
    ],
)
def test_a_body_of_a_binary_media_type_is_base64(
    binary_media_types: tuple[str, ...], content_type: str, is_base64: bool
) -> None:
    request = Request(headers=[("Content-Type", content_type)], body=b"hello")
    event = event_for(request, "rest-api", binary_media_types=binary_media_types)
    assert (event["body"], event["isBase64Encoded"]) == (("aGVsbG8=", True) if is_base64 else ("hello", False))


def test_a_body_that_is_not_utf_8_is_base64() -> None:
    event = event_for(Request(headers=[("Content-Type", "text/plain")], body=b"\xff"), "rest-api")
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)


def test_a_missing_body_is_null() -> None:
    event = event_for(Request(), "rest-api", binary_media_types=ANYTHING)
    assert (event["body"], event["isBase64Encoded"]) == (None, False)


@pytest.mark.parametrize(
    ("request_", "status", "message", "explanation"),
    [
        (Request(path="/" + "a" * 10_240), 414, "Request-URI Too Long", "10241 bytes.*send long values in the body"),
        (Request(query="a" * 10_240), 414, "Request-URI Too Long", "10242 bytes"),
        (
            Request(headers=[("a", "b" * 10_240)]),
            431,
            "Request Header Fields Too Large",
            "10241 bytes.*accepts 10240; send less",
        ),
        (Request(body=b"a", sent=10_485_761), 413, "Request Too Long", "10485761 bytes.*10485760; send less"),
        (Request(body=b"a" * 6_291_456), 413, "Request Too Long", "Lambda accepts 6291456; send less"),
        (Request(body=b"\xff" * 4_718_592), 413, "Request Too Long", "a body of 4718592 bytes.*6291456"),
        (Request(body=b'"' * 3_200_000), 413, "Request Too Long", "Lambda accepts 6291456"),
    ],
)
def test_a_request_over_a_limit_is_refused(request_: Request, status: int, message: str, explanation: str) -> None:
    answer = refused_request(request_, "rest-api")
    assert (answer.status, json_of(answer)) == (status, {"message": message})
    assert re.search(explanation, answer.explanation)


def test_a_text_body_of_5_mb_passes() -> None:
    assert len(event_for(Request(body=b"a" * 5_000_000), "rest-api")["body"]) == 5_000_000


@pytest.mark.parametrize(
    ("path", "door", "explanation"),
    [
        ("/production", {"stage": "prod"}, "the stage; request /prod/…"),
        ("/", {"stage": "prod"}, "the stage"),
        ("/prod%2Fx", {"stage": "prod"}, "the stage"),
        ("/shopping", {"base_path": "/shop"}, "the base path; request /shop/…"),
    ],
)
def test_a_path_outside_stage_and_base_path_matches_no_route(path: str, door: dict[str, str], explanation: str) -> None:
    answer = refused_request(Request(path=path), "rest-api", **door)
    assert (answer.status, json_of(answer)) == (403, {"message": "Missing Authentication Token"})
    assert explanation in answer.explanation


@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ("hello", "a JSON string, not an object; return"),
        (None, "a JSON null, not an object"),
        ([1], "a JSON array, not an object"),
        (3.5, "a JSON number, not an object"),
        (True, "a JSON boolean, not an object"),
        ({}, "empty; return"),
        ({"isBase64Encoded": True}, "empty"),
        ({"statusCode": 200, "wrongValue": 1, "cookies": []}, "omit them: cookies, wrongValue"),
        ({"statusCode": "OK"}, "statusCode is 'OK'; it must be a number from 200 to 599"),
        ({"statusCode": None}, "statusCode is None"),
        ({"statusCode": True}, "statusCode is True"),
        ({"statusCode": 99}, "statusCode is 99"),
        ({"statusCode": 101}, "statusCode is 101"),
        ({"statusCode": 600}, "statusCode is 600"),
        ({"statusCode": "²00"}, "statusCode is '²00'"),
        ({"statusCode": 200, "headers": ["a"]}, "headers is a JSON array; it must be an object"),
        ({"statusCode": 200, "headers": {"a": ["b"]}}, "the header 'a' is ['b']; it must be a string"),
        ({"statusCode": 200, "headers": {"a": {}}}, "the header 'a' is {}; it must be a string"),
        ({"statusCode": 200, "headers": {"a b": "c"}}, "'a b' is not a valid header name; use a token"),
        ({"statusCode": 200, "headers": {"": "c"}}, "not a valid header name"),
        ({"statusCode": 200, "headers": {"é": "c"}}, "not a valid header name"),
        ({"statusCode": 200, "headers": {"a": "b\r\nc: d"}}, "a line break or NUL in its value"),
        ({"statusCode": 200, "multiValueHeaders": "a"}, "multiValueHeaders is a JSON string; it must be an object"),
        ({"statusCode": 200, "multiValueHeaders": {"a": "b"}}, "multiValueHeaders['a'] is 'b'; it must be a list"),
        ({"statusCode": 200, "multiValueHeaders": {"a": [["b"]]}}, "the header 'a' is ['b']"),
        ({"statusCode": 200, "body": {"a": 1}}, "body is a JSON object; it must be a string, such as json.dumps"),
        ({"statusCode": 200, "body": 1}, "body is a JSON number"),
        ({"statusCode": 200, "body": "é", "isBase64Encoded": True}, "not base64; encode the body, or omit the flag"),
        ({"statusCode": 200, "body": "aGk", "isBase64Encoded": True}, "not base64"),
    ],
)
def test_a_malformed_payload_is_answered_502(payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, "rest-api", binary_media_types=ANYTHING)
    assert (answer.status, json_of(answer)) == (502, {"message": "Internal server error"})
    assert answer.header("x-amzn-errortype") == "InternalServerErrorException"
    assert explanation in answer.explanation


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"statusCode": 201}, 201),
        ({"statusCode": "201"}, 201),
        ({"headers": {"a": "b"}}, 200),
        ({"body": "hello"}, 200),
        ({"statusCode": 200, "headers": None, "multiValueHeaders": None, "body": None}, 200),
        ({"statusCode": 599, "isBase64Encoded": None}, 599),
    ],
)
def test_an_incomplete_payload_gets_defaults(payload: Any, status: int) -> None:
    answer = interpret(payload, "rest-api")
    assert (answer.status, answer.explanation) == (status, "")


def test_header_values_of_other_types_are_written_as_json() -> None:
    headers = {"yes": True, "no": False, "count": 3, "half": 0.5, "gone": None, "town": "Köln"}
    answer = interpret({"statusCode": 200, "headers": headers}, "rest-api")
    assert answer.headers[:-1] == [
        ("yes", "true"), ("no", "false"), ("count", "3"), ("half", "0.5"), ("town", "K\xc3\xb6ln"),
    ]  # fmt: skip


def test_both_header_maps_are_merged_with_the_spelling_of_the_multi_value_one() -> None:
    payload = {
        "statusCode": 200,
        "headers": {"x-A": "3", "X-B": "1", "x-a": "1"},
        "multiValueHeaders": {"X-A": ["1", "2"]},
    }
    answer = interpret(payload, "rest-api")
    assert answer.headers == [
        ("X-A", "1"),
        ("X-A", "2"),
        ("X-A", "3"),
        ("X-B", "1"),
        ("Content-Type", "application/json"),
    ]


def test_headers_that_api_gateway_sets_itself_are_renamed() -> None:
    headers = {"Connection": "close", "content-length": "3", "DATE": "today", "Server": "me", "Transfer-Encoding": "x"}
    answer = interpret({"statusCode": 200, "headers": headers}, "rest-api")
    assert answer.headers == [
        ("x-amzn-Remapped-Connection", "close"),
        ("x-amzn-Remapped-content-length", "3"),
        ("x-amzn-Remapped-DATE", "today"),
        ("x-amzn-Remapped-Server", "me"),
        ("Content-Type", "application/json"),
    ]


@pytest.mark.parametrize(
    ("binary_media_types", "accept", "is_decoded"),
    [
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/png",), "image/png;q=0.8, text/html", True),
        (("image/png",), "text/html, image/png", False),
        (("image/*",), "image/webp", True),
        (("image/png",), "", False),
        (("*/*",), "", True),
        (("*/*",), "text/html", True),
        (("image/png",), "*/*", False),
    ],
)
def test_base64_is_decoded_if_the_first_accepted_type_is_binary(
    binary_media_types: tuple[str, ...], accept: str, is_decoded: bool
) -> None:
    payload = {"statusCode": 200, "body": "dGVzdC1kYXRh", "isBase64Encoded": True}
    request = Request(headers=[("Accept", accept)] if accept else [])
    answer = interpret(payload, "rest-api", request, binary_media_types=binary_media_types)
    assert answer.body == (b"test-data" if is_decoded else b"dGVzdC1kYXRh")
    assert answer.status == 200
    assert ("set binaryMediaTypes to */*" in answer.note) is not is_decoded
    assert answer.explanation == ""


def test_cookies_are_ordinary_headers() -> None:
    answer = interpret({"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}, "rest-api")
    assert header_values(answer, "set-cookie") == ["a=1", "b=2"]
