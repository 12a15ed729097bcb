"""The validator of the standard library, between the bridge and every WSGI example, finds nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

import bridge
from tests.examples.browser import Browser
from tests.examples.shops import SHOPS, Shop, load

if TYPE_CHECKING:
    from collections.abc import Callable

VISITS = [
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("GET", "/echo/a%20b?x=1&x=&y", 200),
    ("POST", "/echo", 200),
    ("GET", "/items/gr%C3%BCn", 200),
    ("GET", "/items/nothing", 404),
    ("DELETE", "/items/nothing", 204),
    ("GET", "/image", 200),
    ("GET", "/stream", 200),
    ("GET", "/latin1", 200),
    ("GET", "/error", 500),
]


def validated(app: Any) -> Callable[[Any, Any], Any]:
    """*app* with the validator around it, which checks both sides and that close() is called."""

    def without_extension(environ: dict[str, Any], start_response: Any) -> Any:
        # Werkzeug takes it as leave to call read() without a size, which the validator counts as a fault.
        del environ["wsgi.input_terminated"]
        return app(environ, start_response)

    checked = validator(without_extension)

    def checked_app(environ: dict[str, Any], start_response: Any) -> Any:
        return checked(environ, start_response)

    return checked_app


@pytest.mark.parametrize("shop", [shop for shop in SHOPS if shop.interface == "wsgi"], ids=lambda shop: shop.name)
def test_the_validator_finds_nothing(shop: Shop, source: str, caplog: pytest.LogCaptureFixture) -> None:
    for handler in (bridge.wsgi_handler(validated(load(shop))), bridge.asgi_handler(validated(load(shop)))):
        browser = Browser(handler, source)
        for method, target, status in VISITS:
            body = b"\0\xff" if method == "POST" else b""
            assert browser.request(method, target, body).status == status, (method, target)
        etag = browser.get("/image").header("etag")
        assert browser.get("/image", if_none_match=etag).status == 304
        assert browser.upload("/upload", "tea.bin", b"\0\xff" * 1000).status == 200
        answer = browser.submit("/login", name="Ann")
        assert json.loads(browser.follow(answer, at="/login").body) == {"name": "Ann", "theme": "dark"}
        handler.close()
    assert "AssertionError" not in caplog.text
