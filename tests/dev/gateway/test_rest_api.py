"""API Gateway's side of a REST API with proxy integration."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.dev.gateway import Request, Route, interpret
from tests.dev.gateway.helpers import event_of, message_of, refused_payload, refused_request, values

ANYTHING = ("*/*",)


def test_the_query_is_decoded_and_null_if_there_is_none() -> None:
    event = event_of(Request(query="a=1%262&a=x+y&b"), "rest-api")
    assert event["queryStringParameters"] == {"a": "x y", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1&2", "x y"], "b": [""]}
    event = event_of(Request(), "rest-api")
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None


def test_headers_keep_the_clients_spelling_but_for_those_that_aws_spells_itself() -> None:
    sent = [("x-cAsE", "1"), ("authorization", "Basic x"), ("USER-AGENT", "curl"), ("X-Case", "2")]
    event = event_of(Request(headers=sent), "rest-api")
    assert event["multiValueHeaders"]["x-cAsE"] == ["1", "2"]
    assert event["headers"]["X-Case"] == "2"
    assert event["headers"]["Authorization"] == "Basic x"
    assert event["headers"]["User-Agent"] == event["requestContext"]["identity"]["userAgent"] == "curl"


def test_a_user_agent_beyond_ascii_is_text_in_the_identity_too() -> None:
    event = event_of(Request(headers=[("User-Agent", "caf\xc3\xa9")]), "rest-api")
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
    assert event_of(Request(headers=headers), "rest-api")["requestContext"]["domainName"] == domain


@pytest.mark.parametrize(
    ("path", "event_path", "proxy"),
    [
        ("/", "/", None),
        ("/a/b/", "/a/b/", "a/b"),
        ("//a//b", "/a//b", "a//b"),
        ("/a%2Fb@x", "/a%2Fb@x", "a%2Fb@x"),
    ],
)
def test_the_path_stays_encoded_and_begins_with_one_slash(path: str, event_path: str, proxy: str | None) -> None:
    event = event_of(Request(path="/prod" + path), "rest-api", stage="prod")
    assert event["path"] == event_path
    assert event["requestContext"]["path"] == "/prod" + path
    assert event["requestContext"]["stage"] == "prod"
    assert event["pathParameters"] == (None if proxy is None else {"proxy": proxy})
    assert event["resource"] == ("/" if proxy is None else "/{proxy+}")


def test_a_base_path_stays_in_the_path_and_not_in_the_variable() -> None:
    event = event_of(Request(path="/shop/a"), "rest-api", base_path="shop/")
    assert (event["path"], event["requestContext"]["path"]) == ("/shop/a", "/shop/a")
    assert event["pathParameters"] == {"proxy": "a"}


def test_a_stage_counts_before_a_base_path() -> None:
    event = event_of(Request(path="/prod/shopping"), "rest-api", stage="/prod/", base_path="/shop")
    assert event["pathParameters"] == {"proxy": "shopping"}


def test_a_route_gives_resource_and_variables() -> None:
    route = Route("GET", "/dogs/{id}", {"id": "a%20b"})
    event = event_of(Request(path="/dogs/a%20b"), "rest-api", route=route)
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
def test_bodies_of_binary_media_types_are_base64(
    binary_media_types: tuple[str, ...], content_type: str, is_base64: bool
) -> None:
    request = Request(headers=[("Content-Type", content_type)], body=b"hello")
    event = event_of(request, "rest-api", binary_media_types=binary_media_types)
    assert (event["body"], event["isBase64Encoded"]) == (("aGVsbG8=", True) if is_base64 else ("hello", False))


def test_a_body_that_is_no_utf_8_is_base64_whatever_its_type() -> None:
    event = event_of(Request(headers=[("Content-Type", "text/plain")], body=b"\xff"), "rest-api")
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)


def test_no_body_is_null() -> None:
    event = event_of(Request(), "rest-api", binary_media_types=ANYTHING)
    assert (event["body"], event["isBase64Encoded"]) == (None, False)


@pytest.mark.parametrize(
    ("request_", "status", "message", "why"),
    [
        (Request(path="/" + "a" * 10_240), 414, "Request-URI Too Long", "10241 bytes.*send long values in the body"),
        (Request(query="a" * 10_240), 414, "Request-URI Too Long", "10242 bytes"),
        (
            Request(headers=[("a", "b" * 10_240)]),
            431,
            "Request Header Fields Too Large",
            "10241 bytes.*at most 10240.*send less",
        ),
        (Request(body=b"a", sent=10_485_761), 413, "Request Too Long", "10485761 bytes.*10485760; send less"),
        (Request(body=b"a" * 6_291_456), 413, "Request Too Long", "Lambda takes 6291456; send less"),
        (Request(body=b"\xff" * 4_718_592), 413, "Request Too Long", "a body of 4718592 bytes.*6291456"),
        (Request(body=b'"' * 3_200_000), 413, "Request Too Long", "Lambda takes 6291456"),
    ],
)
def test_requests_that_are_too_large_are_refused(request_: Request, status: int, message: str, why: str) -> None:
    answer = refused_request(request_, "rest-api")
    assert (answer.status, message_of(answer)) == (status, {"message": message})
    assert re.search(why, answer.why), answer.why


def test_a_text_body_of_5_mb_passes() -> None:
    assert len(event_of(Request(body=b"a" * 5_000_000), "rest-api")["body"]) == 5_000_000


@pytest.mark.parametrize(
    ("path", "door", "why"),
    [
        ("/production", {"stage": "prod"}, "the stage; ask for /prod/…"),
        ("/", {"stage": "prod"}, "the stage"),
        ("/prod%2Fx", {"stage": "prod"}, "the stage"),
        ("/shopping", {"base_path": "/shop"}, "the base path; ask for /shop/…"),
    ],
)
def test_a_path_outside_stage_and_base_path_is_no_route(path: str, door: dict[str, str], why: str) -> None:
    answer = refused_request(Request(path=path), "rest-api", **door)
    assert (answer.status, message_of(answer)) == (403, {"message": "Missing Authentication Token"})
    assert why in answer.why


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("hello", "a JSON string, no object; return"),
        (None, "a JSON null, no object"),
        ([1], "a JSON array, no object"),
        (3.5, "a JSON number, no object"),
        (True, "a JSON boolean, no object"),
        ({}, "empty; return"),
        ({"isBase64Encoded": True}, "empty"),
        ({"statusCode": 200, "wrongValue": 1, "cookies": []}, "leave them out: cookies, wrongValue"),
        ({"statusCode": "OK"}, "statusCode is 'OK'; it must be a number from 200 to 599"),
        ({"statusCode": None}, "statusCode is None"),
        ({"statusCode": True}, "statusCode is True"),
        ({"statusCode": 99}, "statusCode is 99"),
        ({"statusCode": 101}, "statusCode is 101"),
        ({"statusCode": 600}, "statusCode is 600"),
        ({"statusCode": "²00"}, "statusCode is '²00'"),
        ({"statusCode": 200, "headers": ["a"]}, "headers is a JSON array; it must be an object"),
        ({"statusCode": 200, "headers": {"a": ["b"]}}, "the header 'a' is ['b']; it must be text"),
        ({"statusCode": 200, "headers": {"a": {}}}, "the header 'a' is {}; it must be text"),
        ({"statusCode": 200, "headers": {"a b": "c"}}, "'a b' is no name for a header; it must be a token"),
        ({"statusCode": 200, "headers": {"": "c"}}, "no name for a header"),
        ({"statusCode": 200, "headers": {"é": "c"}}, "no name for a header"),
        ({"statusCode": 200, "headers": {"a": "b\r\nc: d"}}, "a line break or NUL in its value"),
        ({"statusCode": 200, "multiValueHeaders": "a"}, "multiValueHeaders is a JSON string; it must be an object"),
        ({"statusCode": 200, "multiValueHeaders": {"a": "b"}}, "multiValueHeaders['a'] is 'b'; it must be a list"),
        ({"statusCode": 200, "multiValueHeaders": {"a": [["b"]]}}, "the header 'a' is ['b']"),
        ({"statusCode": 200, "body": {"a": 1}}, "body is a JSON object; it must be text, such as json.dumps"),
        ({"statusCode": 200, "body": 1}, "body is a JSON number"),
        ({"statusCode": 200, "body": "é", "isBase64Encoded": True}, "not base64; encode it, or leave the flag out"),
        ({"statusCode": 200, "body": "aGk", "isBase64Encoded": True}, "not base64"),
    ],
)
def test_malformed_payloads_are_502(payload: Any, why: str) -> None:
    answer = refused_payload(payload, "rest-api", binary_media_types=ANYTHING)
    assert (answer.status, message_of(answer)) == (502, {"message": "Internal server error"})
    assert answer.header("x-amzn-errortype") == "InternalServerErrorException"
    assert why in answer.why


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
def test_what_aws_takes_is_taken(payload: Any, status: int) -> None:
    answer = interpret(payload, "rest-api")
    assert (answer.status, answer.why) == (status, "")


def test_header_values_are_written_as_json_writes_them() -> None:
    headers = {"yes": True, "no": False, "count": 3, "half": 0.5, "gone": None, "town": "Köln"}
    answer = interpret({"statusCode": 200, "headers": headers}, "rest-api")
    assert answer.headers[:-1] == [
        ("yes", "true"), ("no", "false"), ("count", "3"), ("half", "0.5"), ("town", "K\xc3\xb6ln"),
    ]  # fmt: skip


def test_both_header_maps_are_merged_the_lists_first_and_in_their_spelling() -> None:
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


def test_headers_that_api_gateway_keeps_for_itself_are_renamed() -> None:
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
def test_base64_is_decoded_only_if_the_first_accepted_type_is_binary(
    binary_media_types: tuple[str, ...], accept: str, is_decoded: bool
) -> None:
    payload = {"statusCode": 200, "body": "dGVzdC1kYXRh", "isBase64Encoded": True}
    request = Request(headers=[("Accept", accept)] if accept else [])
    answer = interpret(payload, "rest-api", request, binary_media_types=binary_media_types)
    assert answer.body == (b"test-data" if is_decoded else b"dGVzdC1kYXRh")
    assert answer.status == 200
    assert ("set binaryMediaTypes to */*" in answer.note) is not is_decoded
    assert answer.why == ""  # it is the function's answer all the same


def test_cookies_are_headers_like_others() -> None:
    answer = interpret({"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}, "rest-api")
    assert values(answer, "set-cookie") == ["a=1", "b=2"]
