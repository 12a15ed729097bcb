"""What Django does at the end of a request, which depends on close() being called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.examples.browser import Browser
from tests.examples.shops import WAYS, Way

if TYPE_CHECKING:
    from tests.examples.conftest import Handlers

DJANGO = [way for way in WAYS if way.shop.name.startswith("django")]


@pytest.mark.parametrize("path", ["/", "/stream", "/image", "/error", "/items/nothing"])
@pytest.mark.parametrize("django", DJANGO, ids=str)
def test_request_finished_fires_once_for_each_request(django: Way, path: str, handlers: Handlers) -> None:
    from django.core.signals import request_finished

    handler = handlers.find(django)
    finished = []

    def note(**signal: Any) -> None:
        finished.append(signal["sender"])

    request_finished.connect(note)
    try:
        Browser(handler, "alb").get(path)
    finally:
        request_finished.disconnect(note)
    assert len(finished) == 1
