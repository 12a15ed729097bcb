"""URLs that the application makes lead back to it: below a stage, below a base path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.examples.browser import ORIGIN, Browser

if TYPE_CHECKING:
    from tests.examples.conftest import Handlers
    from tests.examples.shops import Way

STAGES = [("rest-api", "prod"), ("http-api", "prod"), ("http-api-v1", "prod"), ("http-api", "dev-1_x")]


def visit(browser: Browser, prefix: str) -> None:
    """See that every kind of URL has *prefix*."""
    for path in ("/items/sencha", "/items/gr%C3%BCn"):
        answer = browser.get(path)
        assert answer.status == 200, answer
        url = json.loads(answer.body)["url"]
        assert quote(url, safe=":/%") == f"{ORIGIN}{prefix}{path}"  # Starlette leaves the encoding to the client
    page = browser.get("/").body.decode()
    assert f"{prefix}/items/earl-grey" in page
    assert f"{prefix}/login" in page
    echo = json.loads(browser.get("/echo/a%20b").body)
    assert (echo["root_path"], echo["path"]) == (prefix, "/echo/a b")
    answer = browser.submit("/login", name="Ann")
    assert json.loads(browser.follow(answer, at="/login").body)["name"] == "Ann"


def test_urls_of_a_front_door_without_a_stage(browser: Browser) -> None:
    visit(browser, "")


@pytest.mark.parametrize(("door", "stage"), STAGES)
def test_urls_below_a_stage(way: Way, door: str, stage: str, handlers: Handlers) -> None:
    visit(Browser(handlers.find(way), door, f"/{stage}", stage=stage), f"/{stage}")


def test_urls_below_the_base_path_of_a_custom_domain_that_the_event_tells(way: Way, handlers: Handlers) -> None:
    visit(Browser(handlers.find(way), "rest-api", "/shop", base_path="/shop", stage=""), "/shop")


def test_urls_below_a_base_path_that_an_option_tells(way: Way, source: str, handlers: Handlers) -> None:
    handler = handlers.find(way, base_path="/shop/tea")
    visit(Browser(handler, source, "/shop/tea", base_path="/shop/tea"), "/shop/tea")
