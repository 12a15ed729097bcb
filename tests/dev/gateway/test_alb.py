"""An Application Load Balancer in front of a Lambda target group."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.dev.gateway import Answer, Request, interpret
from tests.dev.gateway.helpers import event_for, header_values, refused_payload, refused_request

BOTH = pytest.mark.parametrize("source", ["alb", "alb-multi"])


def test_the_query_stays_encoded() -> None:
    request = Request(query="%61=%20&a=+&a=2&b&&=")
    assert event_for(request, "alb")["queryStringParameters"] == {"%61": "%20", "a": "2", "b": "", "": ""}
    multi = event_for(request, "alb-multi")["multiValueQueryStringParameters"]
    assert multi == {"%61": ["%20"], "a": ["+", "2"], "b": [""], "": [""]}


def test_an_event_has_either_single_or_multi_value_headers_and_query() -> None:
    request = Request(query="a=1", headers=[("X-Y", "1"), ("x-y", "2")])
    event = event_for(request, "alb")
    assert event["headers"]["x-y"] == "2"
    assert not event.keys() & {"multiValueHeaders", "multiValueQueryStringParameters"}
    event = event_for(request, "alb-multi")
    assert event["multiValueHeaders"]["x-y"] == ["1", "2"]
    assert not event.keys() & {"headers", "queryStringParameters"}


def test_the_client_is_the_last_hop_of_x_forwarded_for() -> None:
    request = Request(headers=[("X-Forwarded-For", "192.0.2.1")], client="203.0.113.9", scheme="http")
    headers = event_for(request, "alb")["headers"]
    assert headers["x-forwarded-for"] == "192.0.2.1, 203.0.113.9"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", "80")


@pytest.mark.parametrize(
    ("host", "scheme", "port"),
    [
        ("example.com:8443", "https", "8443"),
        ("example.com", "https", "443"),
        ("[2001:db8::1]", "http", "80"),
        ("[2001:db8::1]:8080", "http", "8080"),
        ("example.com:\xb2", "https", "443"),
        ("", "http", "80"),
    ],
)
def test_the_forwarded_port_is_that_of_the_host_header_or_of_the_scheme(host: str, scheme: str, port: str) -> None:
    request = Request(headers=[("Host", host)], scheme=scheme)
    assert event_for(request, "alb")["headers"]["x-forwarded-port"] == port


@pytest.mark.parametrize(
    ("headers", "is_base64"),
    [
        ([("Content-Type", "text/csv")], False),
        ([("Content-Type", "application/json; charset=utf-8")], False),
        ([("Content-Type", "application/xml")], False),
        ([("Content-Type", "application/javascript")], False),
        ([("Content-Type", "application/json"), ("Content-Encoding", "gzip")], True),
        ([("Content-Type", "application/x-www-form-urlencoded")], True),
        ([], True),
    ],
)
def test_a_body_is_text_if_its_type_is_and_it_is_not_compressed(
    headers: list[tuple[str, str]], is_base64: bool
) -> None:
    event = event_for(Request(headers=headers, body=b"hello"), "alb")
    assert (event["body"], event["isBase64Encoded"]) == (("aGVsbG8=", True) if is_base64 else ("hello", False))


@BOTH
def test_a_request_without_a_body_has_an_empty_one(source: str) -> None:
    event = event_for(Request(), source)
    assert (event["body"], event["isBase64Encoded"]) == ("", False)


@BOTH
@pytest.mark.parametrize(
    ("request_", "status", "phrase", "explanation"),
    [
        (Request(body=b"a" * 1_048_577), 413, "Request Entity Too Large", "body has 1048577 bytes.*; send less"),
        (Request(body=b"a", sent=1_048_577), 413, "Request Entity Too Large", "1048577 bytes"),
        (Request(headers=[("a", "b" * 16_384)]), 400, "Bad Request", "header 'a' has 16387 bytes.*; send less in it"),
        (Request(headers=[(f"a{n}", "b" * 13_200) for n in range(5)]), 400, "Bad Request", "66010 bytes.*; send less"),
        (Request(path="/" + "a" * 16_384), 414, "Request-URI Too Large", "16398 bytes.*; send long values in the body"),
        (Request(query="a" * 16_384), 414, "Request-URI Too Large", "16399 bytes"),
        (Request(method="TRACE"), 405, "Not Allowed", "TRACE; use another method"),
        (Request(headers=[("X-Forwarded-For", "192.0.2.1, " * 31)]), 463, "", "31 addresses.*30; send fewer"),
    ],
)
def test_a_request_over_a_limit_is_refused(
    source: str, request_: Request, status: int, phrase: str, explanation: str
) -> None:
    answer = refused_request(request_, source)
    assert answer.status == status
    assert_page(answer, f"{status} {phrase}")
    assert re.search(explanation, answer.explanation)


@BOTH
def test_a_request_at_the_limits_passes(source: str) -> None:
    headers = [(f"a{n}", "b" * 12_800) for n in range(5)] + [("X-Forwarded-For", ", ".join(["192.0.2.1"] * 30))]
    assert event_for(Request(path="/" + "a" * 16_360, headers=headers, body=b"a" * 1_048_576), source)


@BOTH
@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ("hello", "a JSON string, not an object; return"),
        (None, "a JSON null"),
        ({}, "statusCode is None; it must be a number from 200 to 599"),
        ({"statusCode": None}, "statusCode is None"),
        ({"statusCode": "OK"}, "statusCode is 'OK'"),
        ({"statusCode": 200, "body": None}, "body is null; omit it"),
        ({"statusCode": 200, "headers": None}, "headers is null; omit it"),
        ({"statusCode": 200, "multiValueHeaders": None}, "multiValueHeaders is null; omit it"),
        ({"statusCode": 200, "statusDescription": None}, "statusDescription is null; omit it"),
        ({"statusCode": 200, "statusDescription": ""}, "statusDescription is empty; omit it, or write '200 OK'"),
        ({"statusCode": 200, "body": {"a": 1}}, "body is a JSON object; it must be a string"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "not base64"),
        ({"statusCode": 200, "body": "a" * 1_048_576}, "load balancers accept 1048576; answer with less"),
    ],
)
def test_a_malformed_payload_is_answered_502(source: str, payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, source)
    assert answer.status == 502
    assert_page(answer, "502 Bad Gateway")
    assert explanation in answer.explanation


@pytest.mark.parametrize("value", [1, True, None, ["a"], {}])
def test_header_values_must_be_strings(value: Any) -> None:
    assert "it must be a string" in refused_payload({"statusCode": 200, "headers": {"a": value}}, "alb").explanation
    multi = {"statusCode": 200, "multiValueHeaders": {"a": [value]}}
    assert "it must be a string" in refused_payload(multi, "alb-multi").explanation


@pytest.mark.parametrize(
    ("source", "payload", "explanation"),
    [
        ("alb", {"statusCode": 200, "headers": []}, "headers is a JSON array; it must be an object"),
        ("alb-multi", {"statusCode": 200, "multiValueHeaders": "a"}, "multiValueHeaders is a JSON string"),
        ("alb-multi", {"statusCode": 200, "multiValueHeaders": {"a": "b"}}, "it must be a list of strings"),
        ("alb", {"statusCode": 200, "multiValueHeaders": {"a": ["b"]}}, "this target group requires headers"),
        ("alb-multi", {"statusCode": 200, "headers": {"a": "b"}}, "this target group requires multiValueHeaders"),
        ("alb", {"statusCode": 200, "headers": {"a b": "c"}}, "'a b' is not a valid header name"),
        ("alb", {"statusCode": 200, "headers": {"a": "b\r\n"}}, "a line break or NUL"),
    ],
)
def test_headers_must_have_the_form_of_the_target_group(source: str, payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, source)
    assert answer.status == 502
    assert explanation in answer.explanation


def test_response_headers_over_32_kb_are_answered_502() -> None:
    assert interpret({"statusCode": 200, "headers": {"a": "b" * 32_000}}, "alb").status == 200
    headers = {f"a{n}": "b" * 11_000 for n in range(3)}
    for source, payload in (
        ("alb", {"headers": headers}),
        ("alb-multi", {"multiValueHeaders": {key: [value] for key, value in headers.items()}}),
    ):
        answer = refused_payload({"statusCode": 200, **payload}, source)
        assert answer.status == 502
        assert "the headers have 33006 bytes, but load balancers accept 32768; send less" in answer.explanation


def test_set_cookie_in_different_spellings_sets_several_cookies() -> None:
    headers = {"Set-Cookie": "a=1", "set-cookie": "b=2", "Set-cookie": "c=3", "sEt-cOoKiE": "d=4"}
    answer = interpret({"statusCode": 200, "headers": headers}, "alb")
    assert header_values(answer, "set-cookie") == ["a=1", "b=2", "c=3", "d=4"]


def test_headers_of_the_connection_and_the_length_are_dropped() -> None:
    headers = {"Connection": "close", "Upgrade": "h2c", "Content-Length": "9", "X-Town": "Köln"}
    payload = {"statusCode": 404, "statusDescription": "404 Not Found", "headers": headers, "body": "é"}
    answer = interpret(payload, "alb")
    assert (answer.status, answer.headers, answer.body) == (404, [("X-Town", "K\xc3\xb6ln")], b"\xc3\xa9")


@BOTH
def test_base64_is_always_decoded(source: str) -> None:
    answer = interpret({"statusCode": "200", "body": "/w==", "isBase64Encoded": True}, source)
    assert (answer.status, answer.body, answer.headers) == (200, b"\xff", [])


def assert_page(answer: Answer, title: str) -> None:
    assert answer.header("server") == "awselb/2.0"
    assert answer.header("content-type") == "text/html"
    assert f"<title>{title}</title>".encode() in answer.body
