"""What an application is asked is what the client asked."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tests.examples.browser import HOST, Browser

if TYPE_CHECKING:
    from bridge.dev.gateway import Answer
    from tests.examples.shops import Way

EVERY_BYTE = bytes(range(256))


def echoed(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    assert answer.header("content-type").startswith("application/json")
    echo: dict[str, Any] = json.loads(answer.body)
    return echo


def test_method_path_and_headers_arrive(browser: Browser) -> None:
    echo = echoed(browser.get("/echo", x_tea="Sencha", accept="application/json;q=0.9, */*"))
    assert (echo["method"], echo["root_path"], echo["path"]) == ("GET", "", "/echo")
    assert echo["headers"]["host"] == HOST
    assert echo["headers"]["x-tea"] == "Sencha"
    assert echo["headers"]["accept"] == "application/json;q=0.9, */*"
    assert echo["query"] == []
    assert echo["cookies"] == {}
    assert echo["body"]["size"] == 0


BODIES = [
    ("application/octet-stream", EVERY_BYTE * 8),
    ("image/png", b"\x89PNG\r\n\x1a\n\0\xff"),
    ("text/plain; charset=utf-8", "Grüße, 茶\r\n".encode()),
    ("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1")),
    ("application/json", b'{"a": [1, 2, "\\u0000"]}'),
    ("application/x-tea", b"plain"),
]


def test_a_body_of_any_type_arrives_byte_for_byte(browser: Browser) -> None:
    for content_type, body in BODIES:
        echo = echoed(browser.request("POST", "/echo", body, {"content-type": content_type}))
        assert echo["method"] == "POST"
        assert echo["headers"]["content-type"] == content_type
        assert echo["headers"]["content-length"] == str(len(body))
        assert echo["body"] == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_a_query_keeps_blanks_repeats_pluses_and_escapes(browser: Browser, source: str) -> None:
    query = "b=2&blank=&a=1&plus=x+y&escaped=%2B%26%3D%25&caf%C3%A9=%E2%98%95"
    if source != "alb":  # a load balancer without multi-value headers passes the last one of repeated names on
        query += "&a=3&a=1"
    echo = echoed(browser.get(f"/echo?{query}"))
    asked = parse_qsl(query, keep_blank_values=True)
    assert sorted(map(tuple, echo["query"]), key=_name) == sorted(asked, key=_name)


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


PATHS = [
    ("/echo/caf%C3%A9/%E8%8C%B6", "/echo/café/茶"),
    ("/echo/a%20b+c", "/echo/a b+c"),
    ("/echo/100%25/%2541", "/echo/100%/%41"),
    ("/echo/x;v=1,2/@:!$&'()*~", "/echo/x;v=1,2/@:!$&'()*~"),
    ("/echo/a/", "/echo/a/"),
]


def test_a_path_is_decoded_exactly_once(browser: Browser, way: Way) -> None:
    for path, decoded in PATHS:
        if way.shop.name == "litestar":  # it takes it off, behind any server
            decoded = decoded.rstrip("/")
        assert echoed(browser.get(path))["path"] == decoded


def test_every_cookie_arrives_once(browser: Browser) -> None:
    browser.cookies = {"a": "1", "b": "x%20y=z", "c": ""}
    echo = echoed(browser.get("/echo"))
    assert echo["headers"]["cookie"] == "a=1; b=x%20y=z; c="
    assert set(echo["cookies"]) == {"a", "b", "c"}
    assert echo["cookies"]["a"] == "1"
