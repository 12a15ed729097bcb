"""Request headers and cookies, as each source hands them over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import load_event
from tests.sources.seen import asgi_of, environ_of

# Repeated headers


@pytest.mark.parametrize("name", ["rest_api_multi_value", "alb_multi", "lattice_v2", "kong", "edge_viewer_request"])
def test_of_a_repeated_header_every_value_arrives_in_order(name: str) -> None:
    header = {"alb_multi": "accept", "lattice_v2": "accept"}.get(name, "x-tag")
    values = [b"text/html", b"application/json"] if header == "accept" else [b"one", b"two"]

    assert asgi_of(load_event(name)).values(header) == values
    key = "HTTP_" + header.upper().replace("-", "_")
    assert environ_of(load_event(name))[key] == ",".join(value.decode() for value in values)


@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_what_aws_joined_by_commas_stays_joined(name: str) -> None:
    event = load_event(name)
    event["headers"]["x-tag"] = "one,two"
    assert asgi_of(event).values("x-tag") == [b"one,two"]
    assert environ_of(event)["HTTP_X_TAG"] == "one,two"


def test_a_rest_api_s_list_counts_for_more_than_its_last_value() -> None:
    event = load_event("rest_api_multi_value")
    assert event["headers"]["X-Forwarded-For"] == event["multiValueHeaders"]["X-Forwarded-For"][-1]
    event["multiValueHeaders"]["X-Forwarded-For"] = ["192.0.2.66", "203.0.113.7"]
    assert environ_of(event)["HTTP_X_FORWARDED_FOR"] == "192.0.2.66,203.0.113.7"


@pytest.mark.parametrize("multi", [None, {}])
def test_without_lists_the_single_values_are_read(multi: Any) -> None:
    event = load_event("rest_api")
    event["multiValueHeaders"] = multi
    assert environ_of(event)["HTTP_ACCEPT_LANGUAGE"] == "fr-CH, fr;q=0.9"


@pytest.mark.parametrize("single", [None, {}])
def test_without_single_values_host_and_scheme_come_from_the_lists(single: Any) -> None:
    event = load_event("rest_api")
    event["headers"] = single
    event["requestContext"]["domainName"] = None
    event["multiValueHeaders"].update({"Host": ["example.com:8443"], "X-Forwarded-Proto": ["http"]})
    del event["multiValueHeaders"]["X-Forwarded-Port"]
    environ = environ_of(event)
    assert (environ["wsgi.url_scheme"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (
        "http",
        "example.com",
        "8443",
    )


@pytest.mark.parametrize("spelling", ["Content-Type", "content-type", "CONTENT-TYPE", "Content-type"])
def test_a_header_is_the_same_in_any_spelling(spelling: str) -> None:
    event = load_event("rest_api_custom_domain")
    for section, value in (("headers", "text/plain"), ("multiValueHeaders", ["text/plain"])):
        del event[section]["Content-Type"]
        event[section][spelling] = value
    environ = environ_of(event)
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert asgi_of(event).values("content-type") == [b"text/plain"]


def test_of_two_content_types_or_hosts_the_last_counts_for_wsgi() -> None:
    event = load_event("alb_multi")
    event["multiValueHeaders"].update({"content-type": ["text/plain", "image/png"], "host": ["a.example", "b.example"]})
    environ = environ_of(event)
    assert (environ["CONTENT_TYPE"], environ["HTTP_HOST"]) == ("image/png", "b.example")
    assert environ["SERVER_NAME"] == "b.example"


@pytest.mark.parametrize("name", ["rest_api", "http_api", "alb", "alb_multi", "lattice_v1", "lattice_v2"])
def test_nulls_among_headers_are_passed_over(name: str) -> None:
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
    assert asgi_of(event).values("x-null") == []


def test_without_a_content_type_there_is_none() -> None:
    event = load_event("http_api")
    assert environ_of(event)["CONTENT_TYPE"] == ""
    assert asgi_of(event).values("content-type") == []


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
    assert [name for name, _ in asgi_of(event).headers] == ([b"content-length"] if environ["body"] else [])


# Cookies


def cookies_in(event: Any) -> tuple[str | None, list[bytes]]:
    return environ_of(event).get("HTTP_COOKIE"), asgi_of(event).values("cookie")


@pytest.mark.parametrize(
    ("cookies", "header", "seen"),
    [
        (["a=1", "b=2"], None, "a=1; b=2"),
        (["a=1", "b=2"], "a=1; b=2", "a=1; b=2"),
        (["a=1"], "other=1", "a=1"),
        (None, "a=1; b=2", "a=1; b=2"),
        ([], "a=1; b=2", "a=1; b=2"),
        ("missing", "a=1", "a=1"),
        (["a=1", None, "", "b=2"], None, "a=1; b=2"),
        (["n=ü"], None, "n=Ã¼"),
        (None, None, None),
        ([], None, None),
    ],
)
@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_cookies_from_their_list_and_their_header_are_read_once(
    name: str, cookies: Any, header: str | None, seen: str | None
) -> None:
    event = load_event(name)
    event["headers"].pop("cookie", None)
    if header is not None:
        event["headers"]["cookie"] = header
    if cookies == "missing":
        del event["cookies"]
    else:
        event["cookies"] = cookies
    assert cookies_in(event) == (seen, [] if seen is None else [seen.encode("latin-1")])


@pytest.mark.parametrize("spelling", ["Cookie", "cookie"])
def test_a_cookie_header_in_the_usual_spellings_gives_way_to_the_list(spelling: str) -> None:
    event = load_event("http_api")
    event["headers"][spelling] = "old=1"
    assert cookies_in(event) == ("theme=dark; session=9f86d081", [b"theme=dark; session=9f86d081"])


@pytest.mark.parametrize("name", ["rest_api_multi_value", "alb_multi", "lattice_v2", "edge_viewer_request"])
def test_several_cookie_headers_are_one_joined_by_semicolons(name: str) -> None:
    seen = "a=1; b=2; c=3" if name in ("rest_api_multi_value", "alb_multi") else "a=1; b=2"
    assert cookies_in(load_event(name)) == (seen, [seen.encode()])


def test_cookie_headers_in_several_spellings_are_one() -> None:
    """serverless-offline passes on whatever the client sent."""
    event = load_event("serverless_offline_http")
    event["headers"]["cookie"] = "b=2"
    event["multiValueHeaders"]["cookie"] = ["b=2"]
    assert cookies_in(event) == ("a=1; b=2", [b"a=1; b=2"])


# Bodies


@pytest.mark.parametrize("name", ["rest_api", "http_api", "function_url", "alb", "lattice_v1", "lattice_v2", "kong"])
@pytest.mark.parametrize(
    ("body", "is_base64", "seen"),
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
def test_a_body_is_text_or_base64_as_the_event_says(name: str, body: Any, is_base64: Any, seen: bytes) -> None:
    event = load_event(name)
    event["body"] = body
    event["is_base64_encoded" if name == "lattice_v1" else "isBase64Encoded"] = is_base64
    environ = environ_of(event)
    assert environ["body"] == seen
    assert environ["CONTENT_LENGTH"] == str(len(seen))
    assert asgi_of(event).body == seen


def test_an_imitator_need_not_say_whether_the_body_is_base64() -> None:
    event = load_event("scaleway")
    assert "isBase64Encoded" not in event
    event["body"] = "AP+A"
    assert environ_of(event)["body"] == b"AP+A"


@pytest.mark.parametrize(("encoding", "seen"), [("base64", b"a?"), ("text", b"YT8="), (None, b"YT8=")])
def test_cloudfront_s_body_has_its_own_encoding(encoding: str | None, seen: bytes) -> None:
    event = load_event("edge_origin_request")
    event["Records"][0]["cf"]["request"]["body"].update(data="YT8=", encoding=encoding)
    assert environ_of(event)["body"] == seen


@pytest.mark.parametrize(
    ("content_type", "body", "seen"),
    [
        ("application/json", {"a": 1, "b": None}, b'{"a": 1, "b": null}'),
        ("application/json", [], b"[]"),
        ("application/json", ["ü"], b'["\\u00fc"]'),
        ("application/json", 0, b"0"),
        ("application/json", False, b"false"),
        ("application/json", 1.5, b"1.5"),
        ("application/json", {}, b""),  # also what the template writes for no body
        ("application/json", None, b""),
        ("text/plain", "grüße", "grüße".encode()),
        ("text/plain", "", b""),
        ("application/x-www-form-urlencoded", {"a b": "1+1", "c": ""}, b"a+b=1%2B1&c="),
        ("Application/X-WWW-Form-URLencoded; charset=UTF-8", {"n": "ü"}, b"n=%C3%BC"),
    ],
)
def test_a_body_that_the_non_proxy_template_has_parsed_is_written_again(
    content_type: str, body: Any, seen: bytes
) -> None:
    event = load_event("rest_lambda_integration")
    event["headers"]["Content-Type"] = content_type
    event["body"] = body
    assert environ_of(event)["body"] == seen


# The HTTP version


@pytest.mark.parametrize(
    ("protocol", "version"),
    [("HTTP/1.0", "1.0"), ("HTTP/1.1", "1.1"), ("HTTP/2.0", "2"), ("HTTP/2", "2"), ("HTTP/3", "3"), ("", "1.1"),
     (None, "1.1"), ("junk", "1.1"), ("HTTP/9", "1.1")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_the_http_version_is_spelled_as_asgi_spells_it(name: str, protocol: Any, version: str) -> None:
    event = load_event(name)
    event["requestContext"]["http"]["protocol"] = protocol
    assert asgi_of(event).scope["http_version"] == version
    assert environ_of(event)["SERVER_PROTOCOL"] == f"HTTP/{version}"


def test_the_server_of_one_event_is_not_taken_for_that_of_another() -> None:
    names = []
    for domain in ("one.example.com", "two.example.com"):
        event = load_event("http_api")
        event["headers"]["host"] = ""
        event["requestContext"]["domainName"] = domain
        names.append(environ_of(event)["SERVER_NAME"])
    assert names == ["one.example.com", "two.example.com"]
