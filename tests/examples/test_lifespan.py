"""Resources that an ASGI example opens in its lifespan are open for every request, and are closed with the handler."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.examples.applications import ASGI
from tests.examples.conftest import client_of

if TYPE_CHECKING:
    from tests.examples.applications import Variant
    from tests.examples.conftest import Handlers

(DJANGO,) = (variant for variant in ASGI if variant.example.name == "django-asgi")
with_lifespan = pytest.mark.parametrize("variant", [variant for variant in ASGI if variant is not DJANGO], ids=str)


@with_lifespan
def test_the_lifespan_is_open_from_startup_to_close(
    variant: Variant, handlers: Handlers, caplog: pytest.LogCaptureFixture
) -> None:
    handlers.close(variant)
    caplog.clear()
    handler = handlers.get(variant, lifespan="on")
    with caplog.at_level(logging.INFO):
        handler.startup()
        client = client_of(handler, "http-api")
        assert [client.get("/items/sencha").status_code for _ in range(3)] == [200, 200, 200]
        assert "The shop is closed." not in caplog.text
        handlers.close(variant)
    assert caplog.text.count("The shop is closed.") == 1


@with_lifespan
def test_a_background_task_is_finished_when_the_handler_returns(
    variant: Variant, handlers: Handlers, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(handlers.get(variant), "function-url")
    with caplog.at_level(logging.INFO):
        assert client.post("/upload", files={"file": ("order.txt", b"two cups")}).status_code == 200
        assert "order.txt was filed away." in caplog.text


def test_django_is_served_without_a_lifespan_and_without_a_warning(
    handlers: Handlers, caplog: pytest.LogCaptureFixture
) -> None:
    handlers.close(DJANGO)
    caplog.clear()
    assert client_of(handlers.get(DJANGO), "http-api").get("/").status_code == 200
    handlers.close(DJANGO)
    assert not [record for record in caplog.records if record.name != "httpx"]
