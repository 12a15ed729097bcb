"""Headers, cookies and bodies of requests, as every source passes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import load_event
from tests.sources.received import asgi_request, environ_of


@pytest.mark.parametrize("name", ["rest_api_multi_value", "alb_multi", "lattice_v2", "kong", "edge_viewer_request"])
def test_every_value_of_a_repeated_header_arrives_in_order(name: str) -> None:
    header = {"alb_multi": "accept", "lattice_v2": "accept"}.get(name, "x-tag")
    values = [b"text/html", b"application/json"] if header == "accept" else [b"one", b"two"]

    assert asgi_request(load_event(name)).values(header) == values
    key = "HTTP_" + header.upper().replace("-", "_")
    assert environ_of(load_event(name))[key] == ",".join(value.decode() for value in values)


@pytest.mark.parametrize("spelling", ["Content-Type", "content-type", "CONTENT-TYPE", "Content-type"])
def test_the_spelling_of_a_header_does_not_matter(spelling: str) -> None:
    event = load_event("rest_api_custom_domain")
    for section, value in (("headers", "text/plain"), ("multiValueHeaders", ["text/plain"])):
        del event[section]["Content-Type"]
        event[section][spelling] = value
    environ = environ_of(event)
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert asgi_request(event).values("content-type") == [b"text/plain"]


def test_wsgi_gets_the_last_of_two_content_types_and_hosts() -> None:
    event = load_event("alb_multi")
    event["multiValueHeaders"].update({"content-type": ["text/plain", "image/png"], "host": ["a.example", "b.example"]})
    environ = environ_of(event)
    assert (environ["CONTENT_TYPE"], environ["HTTP_HOST"]) == ("image/png", "b.example")
    assert environ["SERVER_NAME"] == "b.example"


@pytest.mark.parametrize("name", ["rest_api", "http_api", "alb", "alb_multi", "lattice_v1", "lattice_v2"])
def test_null_headers_are_ignored(name: str) -> None:
    event = load_event(name)
    for section in ("headers", "multiValueHeaders"):
        if event.get(section):
            event[section]["x-null"] = None
            event[section]["x-name"] = [None, "kept"] if isinstance(event[section].get("host"), list) else "kept"
    if event.get("multiValueHeaders"):
        event["multiValueHeaders"]["x-name"] = [None, "kept"]
    environ = environ_of(event)
    assert environ["HTTP_X_NAME"] == "kept"
    assert "HTTP_X_NULL" not in environ
    assert asgi_request(event).values("x-null") == []


def test_the_content_type_is_empty_if_the_request_has_none() -> None:
    event = load_event("http_api")
    assert environ_of(event)["CONTENT_TYPE"] == ""
    assert asgi_request(event).values("content-type") == []


@pytest.mark.parametrize("headers", [None, {}, "missing"])
@pytest.mark.parametrize("name", ["http_api", "function_url", "alb", "lattice_v1", "lattice_v2"])
def test_headers_may_be_null_empty_or_missing(name: str, headers: Any) -> None:
    event = load_event(name)
    event.pop("cookies", None)
    if headers == "missing":
        del event["headers"]
    else:
        event["headers"] = headers
    environ = environ_of(event)
    assert not [key for key in environ if key.startswith("HTTP_")]
    assert environ["SERVER_NAME"]
    assert [name for name, _ in asgi_request(event).headers] == ([b"content-length"] if environ["body"] else [])


@pytest.mark.parametrize("name", ["rest_api_multi_value", "alb_multi", "lattice_v2", "edge_viewer_request"])
def test_several_cookie_headers_are_joined_by_semicolons(name: str) -> None:
    cookies = "a=1; b=2; c=3" if name in ("rest_api_multi_value", "alb_multi") else "a=1; b=2"
    assert environ_of(load_event(name))["HTTP_COOKIE"] == cookies
    assert asgi_request(load_event(name)).values("cookie") == [cookies.encode()]


@pytest.mark.parametrize("name", ["rest_api", "http_api", "function_url", "alb", "lattice_v1", "lattice_v2", "kong"])
@pytest.mark.parametrize(
    ("body", "is_base64", "expected"),
    [
        (None, False, b""),
        (None, True, b""),
        ("", False, b""),
        ("", True, b""),
        ("grüße €\U0001f600", False, "grüße €\U0001f600".encode()),
        ("AP+A", True, b"\x00\xff\x80"),
        ("\x00\r\n", False, b"\x00\r\n"),
        ("AP+A", False, b"AP+A"),
        ("AP+A", None, b"AP+A"),
    ],
)
def test_a_body_is_text_or_base64_as_the_event_marks_it(name: str, body: Any, is_base64: Any, expected: bytes) -> None:
    event = load_event(name)
    event["body"] = body
    event["is_base64_encoded" if name == "lattice_v1" else "isBase64Encoded"] = is_base64
    environ = environ_of(event)
    assert environ["body"] == expected
    assert environ["CONTENT_LENGTH"] == str(len(expected))
    assert asgi_request(event).body == expected


def _with_client(name: str, address: str) -> Any:
    event = load_event(name)
    if name.startswith("edge"):
        event["Records"][0]["cf"]["request"]["clientIp"] = address
    elif "http" in (event.get("requestContext") or {}):
        event["requestContext"]["http"]["sourceIp"] = address
    else:
        (event.get("identity") or event["requestContext"]["identity"])["sourceIp"] = address
    return event


@pytest.mark.parametrize(
    "name", ["rest_api", "rest_api_nulls", "http_api_v1", "http_api", "function_url", "edge_viewer_request",
             "edge_origin_request", "rest_lambda_integration"]
)  # fmt: skip
@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.1.22.195:32554", "10.1.22.195"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("test-invoke-source-ip", "test-invoke-source-ip"),
    ],
)
def test_the_client_s_address_has_no_port(name: str, address: str, client: str) -> None:
    event = _with_client(name, address)
    assert environ_of(event)["REMOTE_ADDR"] == client
    assert asgi_request(event).scope["client"] == (client, 0)


@pytest.mark.parametrize(
    ("name", "own"),
    [("rest_api_custom_domain", "api.example.com"), ("http_api_custom_domain", "api.example.com"),
     ("function_url", None), ("alb", "lambda"), ("lattice_v2", "lambda"),
     ("edge_viewer_request", "d111111abcdef8.cloudfront.net")],
)  # fmt: skip
@pytest.mark.parametrize(
    "host", ["[:::]", "a:65536", "[::1", "[::1]junk", "a b", "a/b", "user@a", "a?b", "a:b:c", "[]", "a:0", "a\tb"]
)
def test_a_malformed_host_does_not_become_the_server_s_name(name: str, own: str | None, host: str) -> None:
    event = load_event(name)
    own = own or event["requestContext"]["domainName"]
    fields = event["Records"][0]["cf"]["request"]["headers"] if name.startswith("edge") else event["headers"]
    spelling = "Host" if "Host" in fields else "host"
    is_list = isinstance(fields[spelling], list)
    fields[spelling] = [{"key": "Host", "value": host}] if name.startswith("edge") else [host] if is_list else host
    if "multiValueHeaders" in event:
        event["multiValueHeaders"][spelling] = [host]

    environ = environ_of(event)
    assert (environ["SERVER_NAME"], environ["HTTP_HOST"]) == (own, host)
    assert asgi_request(event).scope["server"][0] == own
