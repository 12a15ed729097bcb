"""Payloads of every source: in its form, with every header, cookie and byte of the response."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import FailedIntegrationError, InterfaceError
from bridge.response import Response
from tests.events import load_event
from tests.sources.payload_checks import CHECKS, EVENTS, body_of, values_of
from tests.sources.received import PNG, Pairs, payload_of, scope_of, written_payload
from tests.sources.test_requests import REQUESTS

RESPONSES: dict[str, tuple[str, Pairs, bytes]] = {
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
def test_every_response_to_every_event_has_the_form_of_its_source(name: str) -> None:
    event = load_event(name)
    source = scope_of(event).source
    for status, headers, body in RESPONSES.values():
        try:
            payload = payload_of(event, status, headers, body)
        except FailedIntegrationError as error:
            assert source == "non-proxy"
            payload = json.loads(str(error))

        CHECKS[source](payload)
        assert str(payload.get("statusCode", payload.get("status"))) == status[:3]
        assert body_of(payload) == body


@pytest.mark.parametrize("name", EVENTS)
def test_any_number_of_cookies_is_sent_in_order(name: str) -> None:
    for count in (0, 1, 2, 5, 40):
        cookies = [f"c{number}=v; Expires=Wed, 21 Oct 2026 07:28:00 GMT" for number in range(count)]
        payload = written_payload(name, Response(200, [("Set-Cookie", cookie) for cookie in cookies], b""))
        assert values_of(payload, "Set-Cookie") == cookies


header_names = st.text("aBcX-_.9", min_size=1, max_size=6).map(lambda name: "x" + name)

header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)

bodies = st.binary(max_size=20) | st.text(max_size=10).map(str.encode)

content_types = st.sampled_from(
    ["text/plain", "text/html; charset=utf-8", "text/plain; charset=iso-8859-1", "image/png", "application/json", "",
     "application/octet-stream", "image/svg+xml", "text/plain; charset=utf-16", "junk", ";", "TEXT/X; CHARSET=UTF-8"]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    status=st.integers(200, 299),
    headers=st.lists(st.tuples(header_names, header_values), max_size=6),
    cookies=st.lists(header_values, max_size=4),
    content_type=content_types,
    body=bodies,
)
def test_every_header_and_byte_of_any_response_is_sent(
    status: int, headers: Pairs, cookies: list[str], content_type: str, body: bytes
) -> None:
    cookies = [f"c{number}={value}" for number, value in enumerate(cookies)]  # an ALB gets the last of each name
    pairs = [("Content-Type", content_type), *headers, *(("Set-Cookie", cookie) for cookie in cookies)]
    for name in EVENTS:
        payload = written_payload(name, Response(status, pairs, body))
        assert body_of(payload) == body
        assert values_of(payload, "set-cookie") == [cookie.strip(" ") for cookie in cookies]
        for header in {key.lower() for key, _ in headers}:
            sent = [value for key, value in headers if key.lower() == header]
            assert ", ".join(values_of(payload, header)) == ", ".join(value.strip(" ") for value in sent)


@pytest.mark.parametrize("name", EVENTS)
def test_a_header_repeated_in_another_spelling_is_one_header(name: str) -> None:
    payload = written_payload(name, Response(200, [("X-Tag", "1"), ("x-tag", "2"), ("X-TAG", "3")], b""))
    assert ", ".join(values_of(payload, "x-tag")) == "1, 2, 3"
    keys = [key for section in ("headers", "multiValueHeaders") for key in payload.get(section, {})]
    assert [key.lower() for key in keys].count("x-tag") == 1


@pytest.mark.parametrize("name", EVENTS)
def test_excluded_headers_are_removed(name: str) -> None:
    headers = [("Server", "x"), ("SET-COOKIE", "a=1"), ("Set-Cookie", "b=2"), ("X-Kept", "1")]
    payload = written_payload(name, Response(200, headers, b""), exclude_headers=["server", "Set-Cookie"])
    text = json.dumps(payload).lower()
    assert "server" not in text
    assert "set-cookie" not in text
    assert "a=1" not in text
    assert values_of(payload, "x-kept") == ["1"]


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_a_response_without_content_has_headers_and_no_body(name: str, method: str, status: str) -> None:
    event = json.loads(re.sub('"(GET|POST|PUT)"', f'"{method}"', json.dumps(load_event(name))))
    headers = [("Content-Type", "image/png"), ("ETag", '"1"')]
    try:
        payload = payload_of(event, status, headers, PNG)
    except FailedIntegrationError as error:
        payload = json.loads(str(error))
    CHECKS[scope_of(event).source](payload)
    assert body_of(payload) == b""
    assert not payload.get("isBase64Encoded")
    assert values_of(payload, "content-type") == ["image/png"]
    assert values_of(payload, "etag") == ['"1"']


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_no_header_and_no_content_type_is_added(name: str, status: int) -> None:
    event = load_event(name)
    try:
        payload = payload_of(event, f"{status} Some", [], b"")
    except FailedIntegrationError as error:
        payload = json.loads(str(error))
    assert not payload.get("headers")
    assert not payload.get("multiValueHeaders")
    assert not payload.get("body")
    assert not payload.get("isBase64Encoded")


@pytest.mark.parametrize("name", EVENTS)
def test_header_values_are_decoded_from_utf_8_or_iso_8859_1(name: str) -> None:
    payload = written_payload(
        name, Response(200, [("X-A", "gr\xc3\xbc\xc3\x9fe"), ("X-B", "gr\xfc\xdfe"), ("X-C", "a\tb")], b"")
    )
    assert values_of(payload, "x-a") == ["grüße"]
    assert values_of(payload, "x-b") == ["grüße"]
    assert values_of(payload, "x-c") == ["a\tb"]


@pytest.mark.parametrize("bad", ["a\r\nSet-Cookie: b=1", "a\nb", "a\rb", "a\x00b", "ü\r\n"])
def test_a_line_break_in_a_header_is_an_error_of_the_application(bad: str) -> None:
    with pytest.raises(InterfaceError, match="line break or NUL"):
        written_payload("http_api", Response(200, [("X-Evil", bad)], b""))
    for name in EVENTS:
        if name != "rest_lambda_integration":
            payload = payload_of(load_event(name), "200 OK", [("X-Evil", bad.replace("ü", ""))], b"")
            assert str(payload.get("statusCode", payload.get("status"))) == "500"
            assert "evil" not in json.dumps(payload).lower()


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
def test_load_balancers_get_a_description_of_any_status(name: str, status: int, reason: str, description: str) -> None:
    assert written_payload(name, Response(status, [], b"", reason))["statusDescription"] == description


def test_the_limit_of_each_source() -> None:
    limits = {name: scope_of(load_event(name)).limit for name in EVENTS}
    special = {"alb": 1_048_576, "alb_multi": 1_048_576, "edge_viewer_request": 40_960}
    assert limits == {name: special.get(name, 6_291_556) for name in EVENTS}


@pytest.mark.parametrize("name", [*EVENTS[:-1], "edge_origin_request"])
@pytest.mark.parametrize("kind", ["quotes", "long names", "short names", "repeated", "cookies"])
def test_headers_count_towards_the_limit_as_json_writes_them(name: str, kind: str) -> None:
    headers: Pairs = {
        "quotes": [(f"x-{number}", '"' * 2048) for number in range(31)],
        "long names": [("n" * 60_000 + str(number), "v") for number in range(5)],
        "short names": [(f"{chr(97 + number // 676)}{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}", "")
                        for number in range(3_000)],
        "repeated": [("x", "")] * 3_000,
        "cookies": [("set-cookie", f"{number}=") for number in range(500)],
    }[kind]  # fmt: skip
    limit = scope_of(load_event(name)).limit
    frame = len(json.dumps(payload_of(load_event(name), "200 OK", [("Content-Type", "text/plain"), *headers], b"")))
    for body in (b"a", b"\x01"):
        for size in (limit - frame - 100, limit - frame + 400_000):
            count = max(0, size) // (6 if body == b"\x01" else 1)
            payload = payload_of(load_event(name), "200 OK", [("Content-Type", "text/plain"), *headers], body * count)
            assert len(json.dumps(payload)) <= limit
