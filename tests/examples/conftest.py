"""Handlers of the examples, and HTTP clients that reach them through the local gateway."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge.dev.gateway.httpx_transport import HandlerTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge import Handler
    from tests.examples.applications import Variant

ORIGIN = "https://shop.example.com"


class Handlers:
    """At most one open handler for each variant: a framework keeps the state of one lifespan in its application."""

    def __init__(self) -> None:
        self._open: dict[Variant, tuple[dict[str, Any], Handler]] = {}

    def get(self, variant: Variant, **options: Any) -> Handler:
        """Return the open handler; one with other *options* is closed and replaced."""
        if self._open.get(variant, (None,))[0] != options:
            self.close(variant)
            self._open[variant] = (options, variant.make_handler(**options))
        return self._open[variant][1]

    def close(self, variant: Variant) -> None:
        """Close the open handler, if there is one."""
        if variant in self._open:
            self._open.pop(variant)[1].close()

    def close_all(self) -> None:
        """Close every handler."""
        for variant in [*self._open]:
            self.close(variant)


@pytest.fixture(autouse=True)
def collected_uploads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the temporary files of uploads to Pyramid, whose WebOb leaves them to the garbage collector.

    It would find them in a later test, which would fail by their ResourceWarning.
    """
    yield
    if "pyramid" in request.node.name:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(scope="session")
def handlers() -> Iterator[Handlers]:
    opened = Handlers()
    yield opened
    opened.close_all()


@pytest.fixture
def client(variant: Variant, source: str, handlers: Handlers) -> httpx.Client:
    """A client of *variant* behind *source*, both of which the test is parametrised with."""
    return client_of(handlers.get(variant), source)


def client_of(handler: Handler, source: str, prefix: str = "", **door: Any) -> httpx.Client:
    """Return a client of *handler*.

    Args:
        handler: the handler.
        source: the front door between.
        prefix: the beginning of every path that the client requests: a stage, or a base path.
        **door: the front door's configuration; see :class:`bridge.dev.gateway.FrontDoorConfig`.
    """
    # Without binary media types a REST API answers in base64 unless the Accept header begins with one of them.
    door = {"binary_media_types": ("*/*",), **door}
    return httpx.Client(transport=HandlerTransport(handler, source, **door), base_url=f"{ORIGIN}{prefix}")
