"""CloudFront's side of a Lambda@Edge viewer request."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bridge.dev.gateway import Request, interpret
from tests.dev.gateway.helpers import event_of, refused_payload


def sent(request: Request) -> Any:
    return event_of(request, "edge")["Records"][0]["cf"]["request"]


def test_headers_are_lists_of_key_and_value() -> None:
    headers = sent(Request(headers=[("X-Y", "1"), ("x-y", "2"), ("Connection", "close")]))["headers"]
    assert headers == {"x-y": [{"key": "X-Y", "value": "1"}, {"key": "x-y", "value": "2"}]}


def test_path_and_query_are_as_sent() -> None:
    request = sent(Request(path="/a%2Fb", query="a=%20&&a", client="2001:db8::9"))
    assert (request["uri"], request["querystring"], request["clientIp"]) == ("/a%2Fb", "a=%20&&a", "2001:db8::9")
    assert "body" not in request


def test_a_body_is_base64_and_cut_off_at_40_kb() -> None:
    whole = sent(Request(method="POST", body=b"a" * 40_960))["body"]
    assert (whole["inputTruncated"], len(base64.b64decode(whole["data"]))) == (False, 40_960)
    cut = sent(Request(method="POST", body=b"a" * 40_961))["body"]
    assert (cut["inputTruncated"], len(base64.b64decode(cut["data"]))) == (True, 40_960)


def test_a_generated_response_is_the_answer() -> None:
    payload = {
        "status": "404",
        "statusDescription": "Not Found",
        "headers": {"set-cookie": [{"key": "Set-Cookie", "value": "a=1"}, {"value": "b=2"}]},
        "body": "/w==",
        "bodyEncoding": "base64",
    }
    answer = interpret(payload, "edge")
    assert (answer.status, answer.body) == (404, b"\xff")
    assert answer.headers == [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert interpret({"status": "200", "body": "é"}, "edge").body == b"\xc3\xa9"


@pytest.mark.parametrize(
    "name",
    [
        "Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
        "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Accel-Redirect", "X-Amz-Cf-Id",
        "X-Amzn-RequestId", "X-Cache", "X-Edge-Location", "X-Forwarded-Proto", "X-Real-IP",
    ],
)  # fmt: skip
def test_forbidden_headers_are_502(name: str) -> None:
    for key in (name, name.lower()):
        payload = {"status": "200", "headers": {key: [{"key": name, "value": "x"}]}}
        answer = refused_payload(payload, "edge")
        assert (answer.status, answer.header("content-type")) == (502, "text/html")
        assert f"{name!r} is one that CloudFront does not let a function write; leave it out" in answer.why


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("hello", "a JSON string, no object"),
        ({}, "status is None; without one in text CloudFront takes it for a request"),
        ({"status": 200}, "status is 200; without one in text"),
        ({"status": "OK"}, "status is 'OK'; it must be a number from 200 to 599"),
        ({"status": "200", "headers": []}, "headers is a JSON array; it must be an object"),
        ({"status": "200", "headers": {"a": "b"}}, "headers['a'] is 'b'; it must be a list"),
        ({"status": "200", "headers": {"a": ["b"]}}, "headers['a'] has 'b'; it must be {'key'"),
        ({"status": "200", "headers": {"a": [{"key": "a"}]}}, "headers['a'] has {'key': 'a'}; it must be"),
        (
            {"status": "200", "headers": {"a": [{"key": "b", "value": "c"}]}},
            "has the key 'b'; it must be the same name",
        ),
        ({"status": "200", "headers": {"a": [{"key": 1, "value": "c"}]}}, "has the key 1"),
        ({"status": "200", "headers": {"a b": [{"value": "c"}]}}, "'a b' is no name for a header"),
        ({"status": "200", "headers": {"a": [{"value": "c\n"}]}}, "a line break or NUL"),
        ({"status": "200", "bodyEncoding": "gzip"}, "bodyEncoding is 'gzip'; it must be 'text' or 'base64'"),
        ({"status": "200", "body": "?", "bodyEncoding": "base64"}, "not base64"),
        ({"status": "200", "body": 3}, "body is a JSON number; it must be text"),
        ({"status": "204", "body": "x"}, "a 204 has none; leave it out"),
        ({"status": "200", "body": "a" * 40_961}, "40961 bytes, CloudFront takes 40960"),
        ({"status": "200", "body": "é" * 20_481}, "40962 bytes"),
        ({"status": "200", "body": "", "headers": {"a": [{"value": "b" * 40_960}]}}, "40961 bytes"),
    ],
)
def test_malformed_payloads_are_502(payload: Any, why: str) -> None:
    answer = refused_payload(payload, "edge")
    assert (answer.status, answer.header("content-type")) == (502, "text/html")
    assert why in answer.why
