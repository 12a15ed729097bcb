"""CloudFront with a Lambda@Edge function for viewer requests."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bridge.dev.gateway import Request, interpret
from bridge.limits import EDGE_REFUSED_HEADERS, EDGE_REFUSED_PREFIXES
from tests.dev.gateway.helpers import event_for, refused_payload


def viewer_request(request: Request) -> Any:
    return event_for(request, "edge")["Records"][0]["cf"]["request"]


def test_headers_are_lists_of_key_and_value() -> None:
    headers = viewer_request(Request(headers=[("X-Y", "1"), ("x-y", "2"), ("Connection", "close")]))["headers"]
    assert headers == {"x-y": [{"key": "X-Y", "value": "1"}, {"key": "x-y", "value": "2"}]}


def test_path_and_query_are_as_sent() -> None:
    request = viewer_request(Request(path="/a%2Fb", query="a=%20&&a", client="2001:db8::9"))
    assert (request["uri"], request["querystring"], request["clientIp"]) == ("/a%2Fb", "a=%20&&a", "2001:db8::9")
    assert "body" not in request


@pytest.mark.parametrize(("size", "is_truncated"), [(40_960, False), (40_961, True)])
def test_a_body_is_base64_and_cut_off_at_40_kb(size: int, is_truncated: bool) -> None:
    body = viewer_request(Request(method="POST", body=b"a" * size))["body"]
    assert (body["inputTruncated"], len(base64.b64decode(body["data"]))) == (is_truncated, 40_960)


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


@pytest.mark.parametrize("name", [*sorted(EDGE_REFUSED_HEADERS), *(f"{prefix}id" for prefix in EDGE_REFUSED_PREFIXES)])
def test_a_header_that_cloudfront_reserves_is_answered_502(name: str) -> None:
    for key in (name, name.title()):
        payload = {"status": "200", "headers": {name: [{"key": key, "value": "x"}]}}
        answer = refused_payload(payload, "edge")
        assert (answer.status, answer.header("content-type")) == (502, "text/html")
        assert f"CloudFront does not let a function set the header {key!r}; omit it" in answer.explanation


@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ("hello", "a JSON string, not an object"),
        ({}, "status is None; it must be a string, since CloudFront takes a payload without one for a request"),
        ({"status": 200}, "status is 200; it must be a string"),
        ({"status": "OK"}, "status is 'OK'; it must be a number from 200 to 599"),
        ({"status": "200", "headers": []}, "headers is a JSON array; it must be an object"),
        ({"status": "200", "headers": {"a": "b"}}, "headers['a'] is 'b'; it must be a list"),
        ({"status": "200", "headers": {"a": ["b"]}}, "headers['a'] contains 'b'; it must be {'key'"),
        ({"status": "200", "headers": {"a": [{"key": "a"}]}}, "headers['a'] contains {'key': 'a'}; it must be"),
        (
            {"status": "200", "headers": {"a": [{"key": "b", "value": "c"}]}},
            "contains the key 'b'; it must be the same name",
        ),
        ({"status": "200", "headers": {"a": [{"key": 1, "value": "c"}]}}, "contains the key 1"),
        ({"status": "200", "headers": {"a b": [{"value": "c"}]}}, "'a b' is not a valid header name"),
        ({"status": "200", "headers": {"a": [{"value": "c\n"}]}}, "a line break or NUL"),
        ({"status": "200", "bodyEncoding": "gzip"}, "bodyEncoding is 'gzip'; it must be 'text' or 'base64'"),
        ({"status": "200", "body": "?", "bodyEncoding": "base64"}, "not base64"),
        ({"status": "200", "body": 3}, "body is a JSON number; it must be a string"),
        ({"status": "204", "body": "x"}, "status 204 and a body, which 204 does not allow; omit the body"),
        ({"status": "200", "body": "a" * 40_961}, "40961 bytes, but CloudFront accepts 40960"),
        ({"status": "200", "body": "é" * 20_481}, "40962 bytes"),
        ({"status": "200", "body": "", "headers": {"a": [{"value": "b" * 40_960}]}}, "40961 bytes"),
    ],
)
def test_a_malformed_payload_is_answered_502(payload: Any, explanation: str) -> None:
    answer = refused_payload(payload, "edge")
    assert (answer.status, answer.header("content-type")) == (502, "text/html")
    assert answer.header("server") == "CloudFront"
    assert explanation in answer.explanation
