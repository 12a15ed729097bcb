"""HTTP APIs with payload 2.0, and Function URLs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import load_event
from tests.sources.received import PNG, asgi_request, environ_of, payload_of


def test_the_path_is_that_of_raw_path() -> None:
    # http.path has lost a trailing slash or an encoded slash.
    event = load_event("function_url") | {"rawPath": "/a%2Fb/"}
    event["requestContext"]["http"]["path"] = "/a/b"
    assert environ_of(event)["RAW_URI"].startswith("/a%2Fb/?")

    event = load_event("http_api") | {"rawPath": "/items/"}
    event["requestContext"]["http"]["path"] = "/items"
    assert environ_of(event)["PATH_INFO"] == "/items/"


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/dev", "/dev", "/"),
        ("/dev/", "/dev", "/"),
        ("/dev/items", "/dev", "/items"),
        ("/dev/dev/items", "/dev", "/dev/items"),
        ("/dev//items", "/dev", "//items"),
        ("/devices", "", "/devices"),
        ("/items", "", "/items"),
        ("/items/dev", "", "/items/dev"),
    ],
)
def test_a_stage_is_the_root_path_on_whole_segments(path: str, root: str, rest: str) -> None:
    event = load_event("http_api")
    event["requestContext"]["stage"] = "dev"
    event["rawPath"] = path
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (root, rest)

    scope = asgi_request(event).scope
    assert (scope["root_path"], scope["path"]) == (root, root + rest)


@pytest.mark.parametrize(
    ("path", "route", "parameters", "root", "rest"),
    [
        ("/shop/v1/items", "ANY /{proxy+}", {"proxy": "items"}, "/shop/v1", "/items"),
        ("/shop/items/7", "GET /items/{id}", {"id": "7"}, "/shop", "/items/7"),
        ("/shop/100%25", "GET /{proxy+}", {"proxy": "100%25"}, "/shop", "/100%"),
        ("/shop/100%25", "GET /{proxy+}", {"proxy": "100%"}, "/shop", "/100%"),
        ("/shop/ä b", "GET /{proxy+}", {"proxy": "%C3%A4%20b"}, "/shop", "/ä b"),
        ("/items", "GET /items", None, "", "/items"),
        ("/anything", "$default", None, "", "/anything"),
    ],
)
def test_the_mapping_of_a_custom_domain_is_the_root_path(
    path: str, route: str, parameters: Any, root: str, rest: str
) -> None:
    event = load_event("http_api_custom_domain")
    event.update(rawPath=path, routeKey=route, pathParameters=parameters)
    environ = environ_of(event)
    assert environ["SCRIPT_NAME"] == root
    assert environ["PATH_INFO"].encode("latin-1").decode() == rest


def cookies_in(event: Any) -> tuple[str | None, list[bytes]]:
    """The cookies that a WSGI and an ASGI application receive."""
    return environ_of(event).get("HTTP_COOKIE"), asgi_request(event).values("cookie")


@pytest.mark.parametrize(
    ("cookies", "header", "expected"),
    [
        (["a=1", "b=2"], None, "a=1; b=2"),
        (["a=1", "b=2"], "a=1; b=2", "a=1; b=2"),
        (["a=1"], "other=1", "a=1; other=1"),
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
def test_cookies_of_the_list_and_of_the_header_are_read_once(
    name: str, cookies: Any, header: str | None, expected: str | None
) -> None:
    event = load_event(name)
    event["headers"].pop("cookie", None)
    if header is not None:
        event["headers"]["cookie"] = header
    if cookies == "missing":
        del event["cookies"]
    else:
        event["cookies"] = cookies
    assert cookies_in(event) == (expected, [] if expected is None else [expected.encode("latin-1")])


@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_repeated_headers_stay_joined_by_commas(name: str) -> None:
    event = load_event(name)
    event["headers"]["x-tag"] = "one,two"
    assert asgi_request(event).values("x-tag") == [b"one,two"]
    assert environ_of(event)["HTTP_X_TAG"] == "one,two"


@pytest.mark.parametrize(
    ("protocol", "version"),
    [("HTTP/1.0", "1.0"), ("HTTP/1.1", "1.1"), ("HTTP/2.0", "2"), ("HTTP/2", "2"), ("HTTP/3", "3"), ("", "1.1"),
     (None, "1.1"), ("junk", "1.1"), ("HTTP/9", "1.1")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_the_http_version_is_spelled_as_asgi_spells_it(name: str, protocol: Any, version: str) -> None:
    event = load_event(name)
    event["requestContext"]["http"]["protocol"] = protocol
    assert asgi_request(event).scope["http_version"] == version
    assert environ_of(event)["SERVER_PROTOCOL"] == f"HTTP/{version}"


def test_the_server_of_an_event_without_host_is_its_own_domain() -> None:
    names = []
    for domain in ("one.example.com", "two.example.com"):
        event = load_event("http_api")
        event["headers"]["host"] = ""
        event["requestContext"]["domainName"] = domain
        names.append(environ_of(event)["SERVER_NAME"])
    assert names == ["one.example.com", "two.example.com"]


@pytest.mark.parametrize("name", ["http_api", "function_url"])
def test_the_payload_has_a_list_of_cookies_and_joins_other_headers(name: str) -> None:
    headers = [("Vary", "Accept"), ("Set-Cookie", "a=1, x"), ("vary", "Cookie"), ("SET-COOKIE", "b=2")]
    assert payload_of(load_event(name), "200 OK", headers, PNG) == {
        "statusCode": 200,
        "cookies": ["a=1, x", "b=2"],
        "headers": {"Vary": "Accept, Cookie"},
        "body": "iVBORw0KGgoA/w==",
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("spelling", ["cookie", "Cookie"])
@pytest.mark.parametrize("others", [{}, {"x-name": "é"}, {"x-null": None}])
@pytest.mark.parametrize(
    ("header", "expected"), [("a=1; b=2", "a=1; b=2"), ("a=1;b=2", "a=1; b=2"), ("b=2; c=3", "a=1; b=2; c=3")]
)
def test_cookies_of_the_list_and_of_a_different_header_arrive_once_each(
    spelling: str, others: Any, header: str, expected: str
) -> None:
    event = load_event("http_api") | {"cookies": ["a=1", "b=2"]}
    event["headers"] = {"host": "a.example", spelling: header, **others}
    assert cookies_in(event) == (expected, [expected.encode()])


@pytest.mark.parametrize("name", ["http_api", "http_api_v1_default_stage"])
@pytest.mark.parametrize(
    ("path", "raw"),
    [("/a b/é?", b"/a%20b/%C3%A9%3F"), ("/100%25", b"/100%25"), ("/a:@!$&'()*+,;=~-._z", b"/a:@!$&'()*+,;=~-._z")],
)
def test_the_raw_path_is_the_encoded_path_where_the_source_has_none(name: str, path: str, raw: bytes) -> None:
    event = load_event(name) | {("path" if "v1" in name else "rawPath"): path}
    event["requestContext"]["path"] = path
    if "v1" in name:
        raw = raw.replace(b"%3F", b"")  # its path ends before a question mark
    assert asgi_request(event).scope["raw_path"] == raw
    assert "REQUEST_URI" not in environ_of(event)


@pytest.mark.parametrize("spelling", ["COOKIE", "cOOKIE"])
@pytest.mark.parametrize("others", [{}, {"x-name": "é"}, {"x-null": None}])
def test_a_cookie_header_in_another_spelling_is_a_further_one(spelling: str, others: Any) -> None:
    event = load_event("http_api") | {"cookies": ["a=1", "b=2"]}
    event["headers"] = {"host": "a.example", spelling: "c=3", **others}
    assert cookies_in(event) == ("a=1; b=2; c=3", [b"a=1; b=2; c=3"])


@pytest.mark.parametrize("spellings", [("cookie", "Cookie"), ("cOOKIE", "cookie"), ("Cookie", "cooKIE", "COOKIE")])
def test_cookie_headers_in_several_spellings_are_one_header(spellings: tuple[str, ...]) -> None:
    event = load_event("http_api") | {"cookies": []}
    event["headers"] = {"host": "a.example", **{name: f"{name}=1" for name in spellings}}
    expected = "; ".join(f"{name}=1" for name in spellings)
    assert cookies_in(event) == (expected, [expected.encode()])
