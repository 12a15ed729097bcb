"""What ASGI applications open at the start is there for every request, and closed at the end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.examples.browser import Browser
from tests.examples.shops import WAYS, Way

if TYPE_CHECKING:
    from tests.examples.conftest import Handlers

LASTING = [way for way in WAYS if way.call == "asgi" and way.shop.name != "django-asgi"]


@pytest.fixture(params=LASTING, ids=str)
def lasting(request: pytest.FixtureRequest) -> Way:
    """A shop with a lifespan."""
    way: Way = request.param
    return way


def test_what_the_lifespan_opened_is_open_until_close(
    lasting: Way, handlers: Handlers, caplog: pytest.LogCaptureFixture
) -> None:
    handler = handlers.make(lasting, lifespan="on")
    with caplog.at_level(logging.INFO):
        handler.startup()
        browser = Browser(handler, "http-api")
        assert [browser.get("/items/sencha").status for _ in range(3)] == [200, 200, 200]
        assert "The shop is closed." not in caplog.text
        handlers.close(lasting.shop)
    assert caplog.text.count("The shop is closed.") == 1


def test_a_background_task_has_run_when_the_function_returns(
    lasting: Way, handlers: Handlers, caplog: pytest.LogCaptureFixture
) -> None:
    handler = handlers.find(lasting)
    with caplog.at_level(logging.INFO):
        assert Browser(handler, "function-url").upload("/upload", "order.txt", b"two cups").status == 200
        assert "order.txt was filed away." in caplog.text


def test_django_has_no_lifespan_and_needs_none(handlers: Handlers, caplog: pytest.LogCaptureFixture) -> None:
    (way,) = [way for way in WAYS if way.shop.name == "django-asgi"]
    handler = handlers.make(way)
    assert Browser(handler, "http-api").get("/").status == 200
    handlers.close(way.shop)
    assert not caplog.records
