"""Every test of the examples runs for each way to call each of them, through each front door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import SOURCES
from tests.examples.browser import Browser
from tests.examples.shops import SHOPS, WAYS, Shop, Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge import Handler


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", WAYS, ids=str, scope="session")
    if "source" in metafunc.fixturenames:
        metafunc.parametrize("source", SOURCES)


class Handlers:
    """The handlers, one at a time for each application: a process has one, and one lifespan."""

    def __init__(self) -> None:
        self._made: dict[Shop, tuple[object, Handler]] = {}

    def find(self, way: Way, **options: Any) -> Handler:
        """The handler for *way* with *options*, made if the application's current one is another."""
        key = (way, options)
        if self._made.get(way.shop, (None,))[0] != key:
            self.make(way, **options)
        return self._made[way.shop][1]

    def make(self, way: Way, **options: Any) -> Handler:
        """A new handler for *way*; the application's current one is closed."""
        self.close(way.shop)
        handler = way.handler(**options)
        self._made[way.shop] = ((way, options), handler)
        return handler

    def close(self, shop: Shop) -> None:
        """Close the current handler of *shop*, if it has one."""
        if shop in self._made:
            self._made.pop(shop)[1].close()


@pytest.fixture(scope="session")
def handlers() -> Iterator[Handlers]:
    """The handlers of all tests."""
    made = Handlers()
    yield made
    for shop in SHOPS:
        made.close(shop)


@pytest.fixture
def browser(way: Way, source: str, handlers: Handlers) -> Browser:
    """A new visitor."""
    return Browser(handlers.find(way), source)
