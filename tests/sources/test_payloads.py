"""The payload for an answer: in exactly its source's shape, with every header, cookie and byte of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import FailedIntegrationError, InterfaceError
from bridge.response import Response
from bridge.settings import Settings
from bridge.sources import recognise, source_named
from tests.events import load_event
from tests.sources.seen import Pairs, answer, scope_of
from tests.sources.shapes import CHECKS, FORMS, body_of, values_of
from tests.sources.test_requests import REQUESTS

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


def written(name: str, response: Response, **options: Any) -> dict[str, Any]:
    """The payload that a source writes of a Response."""
    event = load_event(name)
    source = recognise(event)
    assert source is not None
    payload = source_named(source).write(response, scope_of(event), Settings(options, environ={}))
    CHECKS[scope_of(event).source](payload)
    return json.loads(json.dumps(payload))  # type: ignore[no-any-return]


ANSWERS: dict[str, tuple[str, Pairs, bytes]] = {
    "text": ("200 OK", [("Content-Type", "text/plain; charset=utf-8")], "grüße €".encode()),
    "json": ("201 Created", [("content-type", "application/json"), ("Location", "/a")], b'{"a": 1}'),
    "binary": ("200 OK", [("Content-Type", "image/png")], PNG),
    "gzip": ("200 OK", [("Content-Type", "text/html"), ("Content-Encoding", "gzip")], b"\x1f\x8b\x08\x00"),
    "cookies": ("200 OK", [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("set-cookie", "c=3, 4")], b"ok"),
    "repeated": ("200 OK", [("Vary", "Accept"), ("vary", "Cookie"), ("Link", "</a>"), ("Link", "</b>")], b"ok"),
    "no headers": ("200 OK", [], b"ok"),
    "no body": ("204 No Content", [], b""),
    "unknown status": ("599 Odd", [("Content-Type", "text/plain")], b"ok"),
    "non-ASCII header": ("200 OK", [("X-Name", "gr\xc3\xbc\xc3\x9fe"), ("X-Latin", "gr\xfc\xdfe")], b"ok"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_answer_to_every_event_is_in_its_source_s_shape(name: str) -> None:
    event = load_event(name)
    source = scope_of(event).source
    for status, headers, body in ANSWERS.values():
        try:
            payload = answer(event, status, headers, body)
        except FailedIntegrationError as error:
            assert source == "non-proxy"
            payload = json.loads(str(error))

        CHECKS[source](payload)
        assert str(payload.get("statusCode", payload.get("status"))) == status[:3]
        assert body_of(payload) == body


# Form by form


def test_a_rest_api_s_headers_are_all_in_lists_if_its_event_had_lists() -> None:
    status, headers, body = ANSWERS["json"]
    assert answer(load_event("rest_api"), status, headers, body) == {
        "statusCode": 201,
        "multiValueHeaders": {"content-type": ["application/json"], "Location": ["/a"]},
        "body": '{"a": 1}',
        "isBase64Encoded": False,
    }


def test_without_lists_in_the_event_only_repeated_headers_are_in_lists() -> None:
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert answer(load_event("rest_api_test_invoke"), "200 OK", headers, b"ok") == {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "ok",
        "isBase64Encoded": False,
    }
    assert answer(load_event("scaleway"), "200 OK", headers[:2], b"ok") == {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain", "Set-Cookie": "a=1"},
        "body": "ok",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_payload_2_0_has_cookies_apart_and_other_headers_joined(name: str) -> None:
    headers = [("Vary", "Accept"), ("Set-Cookie", "a=1, x"), ("vary", "Cookie"), ("SET-COOKIE", "b=2")]
    assert answer(load_event(name), "200 OK", headers, PNG) == {
        "statusCode": 200,
        "cookies": ["a=1, x", "b=2"],
        "headers": {"Vary": "Accept, Cookie"},
        "body": "iVBORw0KGgoA/w==",
        "isBase64Encoded": True,
    }


def test_a_balancer_gets_its_own_form_back() -> None:
    headers = [("Content-Type", "text/plain"), ("Vary", "Accept"), ("Vary", "Cookie")]
    assert answer(load_event("alb"), "404 Not Found", headers, b"no") == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "headers": {"Content-Type": "text/plain", "Vary": "Accept, Cookie"},
        "body": "no",
        "isBase64Encoded": False,
    }
    assert answer(load_event("alb_multi"), "404 Not Found", headers, b"no") == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "multiValueHeaders": {"Content-Type": ["text/plain"], "Vary": ["Accept", "Cookie"]},
        "body": "no",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("name", ["lattice_v1", "lattice_v2"])
def test_lattice_has_cookies_apart(name: str) -> None:
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert answer(load_event(name), "200 OK", headers, b"ok") == {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "cookies": ["a=1", "b=2"],
        "headers": {"Content-Type": "text/plain"},
        "body": "ok",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("name", ["edge_viewer_request", "edge_origin_request"])
def test_cloudfront_s_form(name: str) -> None:
    headers = [("Content-Type", "image/png"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert answer(load_event(name), "200 OK", headers, PNG) == {
        "status": "200",
        "statusDescription": "OK",
        "headers": {
            "content-type": [{"key": "Content-Type", "value": "image/png"}],
            "set-cookie": [{"key": "Set-Cookie", "value": "a=1"}, {"key": "Set-Cookie", "value": "b=2"}],
        },
        "body": "iVBORw0KGgoA/w==",
        "bodyEncoding": "base64",
    }
    assert answer(load_event(name), "302 Found", [("Location", "/a?b=c")]) == {
        "status": "302",
        "statusDescription": "Found",
        "headers": {"location": [{"key": "Location", "value": "/a?b=c"}]},
    }


def test_the_non_proxy_integration_gets_good_answers_back_and_others_raised() -> None:
    event = load_event("rest_lambda_integration")
    assert answer(event, "299 Fine", [("Content-Type", "text/plain")], b"ok")["statusCode"] == 299

    for status in ("300 Multiple Choices", "302 Found", "404 Not Found", "500 Internal Server Error"):
        with pytest.raises(FailedIntegrationError) as raised:
            answer(event, status, [("Location", "/a"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"no")
        assert json.loads(str(raised.value)) == {
            "statusCode": int(status[:3]),
            "headers": {"Location": "/a"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            "body": "no",
            "isBase64Encoded": False,
        }


# What must leave whole, on every form


@pytest.mark.parametrize("name", FORMS)
def test_any_number_of_cookies_leaves_in_order(name: str) -> None:
    for count in (0, 1, 2, 5, 40):
        cookies = [f"c{number}=v; Expires=Wed, 21 Oct 2026 07:28:00 GMT" for number in range(count)]
        payload = written(name, Response(200, [("Set-Cookie", cookie) for cookie in cookies], b""))
        assert values_of(payload, "Set-Cookie") == cookies


def test_a_balancer_with_single_values_has_512_spellings_for_cookies() -> None:
    for spelling in ("Set-Cookie", "set-cookie", "SET-COOKIE"):
        cookies = [f"c{number}=v" for number in range(512)]
        payload = written("alb", Response(200, [(spelling, cookie) for cookie in cookies], b""))
        assert values_of(payload, "set-cookie") == [cookie.strip(" ") for cookie in cookies]
        assert next(iter(payload["headers"])) == spelling


header_names = st.text("aBcX-_.9", min_size=1, max_size=6).map(lambda name: "x" + name)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
bodies = st.binary(max_size=20) | st.text(max_size=10).map(str.encode)
content_types = st.sampled_from(
    ["text/plain", "text/html; charset=utf-8", "text/plain; charset=iso-8859-1", "image/png", "application/json", "",
     "application/octet-stream", "image/svg+xml", "text/plain; charset=utf-16", "junk", ";", "TEXT/X; CHARSET=UTF-8"]
)  # fmt: skip


@settings(max_examples=40)
@given(
    status=st.integers(200, 299),
    headers=st.lists(st.tuples(header_names, header_values), max_size=6),
    cookies=st.lists(header_values, max_size=4),
    content_type=content_types,
    body=bodies,
)
def test_any_answer_leaves_whole(
    status: int, headers: Pairs, cookies: list[str], content_type: str, body: bytes
) -> None:
    pairs = [("Content-Type", content_type), *headers, *(("Set-Cookie", cookie) for cookie in cookies)]
    for name in FORMS:
        payload = written(name, Response(status, pairs, body))
        assert body_of(payload) == body
        assert values_of(payload, "set-cookie") == [cookie.strip(" ") for cookie in cookies]
        for header in {key.lower() for key, _ in headers}:
            sent = [value for key, value in headers if key.lower() == header]
            assert ", ".join(values_of(payload, header)) == ", ".join(value.strip(" ") for value in sent)


@pytest.mark.parametrize("name", FORMS)
def test_a_header_repeated_in_another_spelling_is_one_header(name: str) -> None:
    payload = written(name, Response(200, [("X-Tag", "1"), ("x-tag", "2"), ("X-TAG", "3")], b""))
    assert ", ".join(values_of(payload, "x-tag")) == "1, 2, 3"
    keys = [key for section in ("headers", "multiValueHeaders") for key in payload.get(section, {})]
    assert [key.lower() for key in keys].count("x-tag") == 1


@pytest.mark.parametrize("name", FORMS)
def test_headers_to_leave_out_are_left_out_everywhere(name: str) -> None:
    headers = [("Server", "x"), ("SET-COOKIE", "a=1"), ("Set-Cookie", "b=2"), ("X-Kept", "1")]
    payload = written(name, Response(200, headers, b""), exclude_headers=["server", "Set-Cookie"])
    text = json.dumps(payload).lower()
    assert "server" not in text
    assert "set-cookie" not in text
    assert "a=1" not in text
    assert values_of(payload, "x-kept") == ["1"]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_an_answer_without_content_keeps_its_headers_and_no_byte_of_a_body(name: str, method: str, status: str) -> None:
    event = json.loads(re.sub('"(GET|POST|PUT)"', f'"{method}"', json.dumps(load_event(name))))
    headers = [("Content-Type", "image/png"), ("ETag", '"1"')]
    try:
        payload = answer(event, status, headers, PNG)
    except FailedIntegrationError as error:
        payload = json.loads(str(error))
    CHECKS[scope_of(event).source](payload)
    assert body_of(payload) == b""
    assert not payload.get("isBase64Encoded")
    assert values_of(payload, "content-type") == ["image/png"]
    assert values_of(payload, "etag") == ['"1"']


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_no_header_and_no_content_type_is_added(name: str, status: int) -> None:
    event = load_event(name)
    try:
        payload = answer(event, f"{status} Some", [], b"")
    except FailedIntegrationError as error:
        payload = json.loads(str(error))
    assert not payload.get("headers")
    assert not payload.get("multiValueHeaders")
    assert not payload.get("body")
    assert not payload.get("isBase64Encoded")


@pytest.mark.parametrize("name", FORMS)
def test_header_values_that_are_utf_8_or_latin_1_leave_as_the_text_they_mean(name: str) -> None:
    payload = written(
        name, Response(200, [("X-A", "gr\xc3\xbc\xc3\x9fe"), ("X-B", "gr\xfc\xdfe"), ("X-C", "a\tb")], b"")
    )
    assert values_of(payload, "x-a") == ["grüße"]
    assert values_of(payload, "x-b") == ["grüße"]
    assert values_of(payload, "x-c") == ["a\tb"]


@pytest.mark.parametrize("bad", ["a\r\nSet-Cookie: b=1", "a\nb", "a\rb", "a\x00b", "ü\r\n"])
def test_a_line_break_in_a_header_is_the_application_s_error_and_never_leaves(bad: str) -> None:
    with pytest.raises(InterfaceError, match="line break or NUL"):
        written("http_api", Response(200, [("X-Evil", bad)], b""))
    for name in FORMS:
        if name != "rest_lambda_integration":
            payload = answer(load_event(name), "200 OK", [("X-Evil", bad.replace("ü", ""))], b"")
            assert str(payload.get("statusCode", payload.get("status"))) == "500"
            assert "evil" not in json.dumps(payload).lower()


# Statuses


@pytest.mark.parametrize("name", ["alb", "alb_multi", "lattice_v1", "lattice_v2"])
@pytest.mark.parametrize(
    ("status", "reason", "description"),
    [
        (200, "", "200 OK"),
        (200, "Fine", "200 Fine"),
        (404, "", "404 Not Found"),
        (520, "", "520 Unknown"),
        (599, "Odd", "599 Odd"),
        (200, " ", "200 OK"),
        (200, "OK\r\nX-Evil: 1", "200 OK"),
        (404, "Gr\xc3\xbcnde", "404 Not Found"),
        (418, "I'm a Teapot", "418 I'm a Teapot"),
    ],
)
def test_a_status_has_a_description_always(name: str, status: int, reason: str, description: str) -> None:
    assert written(name, Response(status, [], b"", reason))["statusDescription"] == description


def test_cloudfront_s_description_has_no_number() -> None:
    assert written("edge_viewer_request", Response(404, [], b"", "Not Found"))["statusDescription"] == "Not Found"
    assert written("edge_viewer_request", Response(520, [], b""))["statusDescription"] == "Unknown"


def test_each_source_has_its_own_limit() -> None:
    limits = {name: scope_of(load_event(name)).limit for name in FORMS}
    special = {"alb": 1_048_576, "alb_multi": 1_048_576, "edge_viewer_request": 40_960}
    assert limits == {name: special.get(name, 6_291_556) for name in FORMS}


# What CloudFront refuses


@pytest.mark.parametrize(
    "header",
    ["Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
     "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Accel-Redirect", "X-Accel-Buffering",
     "X-Amz-Cf-Id", "X-Amzn-RequestId", "X-Amzn-Trace-Id", "X-Cache", "X-Edge-Location", "X-Forwarded-Proto",
     "X-Real-IP"],
)  # fmt: skip
def test_headers_that_cloudfront_answers_with_502_are_left_out(header: str) -> None:
    for spelling in (header, header.lower(), header.upper()):
        payload = written("edge_viewer_request", Response(200, [(spelling, "x"), ("X-Kept", "1")], b""))
        assert list(payload["headers"]) == ["x-kept"]


@pytest.mark.parametrize("header", ["X-Cached-By", "X-Amz-Meta-A", "Viaduct", "X-Forwarded-For", "Upgrade-Insecure"])
def test_headers_that_only_look_like_those_leave(header: str) -> None:
    payload = written("edge_viewer_request", Response(200, [(header, "x")], b""))
    assert list(payload["headers"]) == [header.lower()]


@pytest.mark.parametrize(("name", "limit"), [("edge_viewer_request", 40_960), ("edge_origin_request", 1_048_576)])
def test_cloudfront_s_limits_hold(name: str, limit: int, caplog: pytest.LogCaptureFixture) -> None:
    assert answer(load_event(name), body=b"x" * (limit - 600))["status"] == "200"
    assert not caplog.records

    payload = answer(load_event(name), body=b"x" * limit)
    assert payload["status"] == "500"
    assert str(limit) in caplog.text
    assert "bytes of JSON" in caplog.text


@pytest.mark.parametrize("name", ["alb", "alb_multi"])
def test_a_balancer_s_limit_counts_base64(name: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = [("Content-Type", "image/png")]
    assert answer(load_event(name), "200 OK", headers, b"\xff" * 780_000)["statusCode"] == 200
    payload = answer(load_event(name), "200 OK", headers, b"\xff" * 790_000)
    assert payload["statusCode"] == 500
    CHECKS[scope_of(load_event(name)).source](payload)
    assert "1048576" in caplog.text


@pytest.mark.parametrize("name", ["alb", "alb_multi"])
def test_headers_that_a_balancer_answers_with_502_are_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert answer(load_event(name), "200 OK", [("X-Large", "x" * 32_000)], b"")["statusCode"] == 200
    assert not caplog.records
    assert answer(load_event(name), "200 OK", [("X-Large", "x" * 33_000)], b"")["statusCode"] == 200
    (said,) = set(caplog.messages)  # of both interfaces
    assert "has headers of 33007 characters. A load balancer takes 32 KB of them and answers 502" in said


def test_a_request_body_that_cloudfront_cut_off_is_answered_413_without_the_application() -> None:
    payload = answer(load_event("edge_origin_request_truncated"), "200 OK", [], b"not this")
    CHECKS["edge"](payload)
    assert payload["status"] == "413"
    assert payload["body"] != "not this"
