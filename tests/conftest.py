"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bridge
from bridge import bodies as encoder
from bridge import response
from bridge.asgi import cycle as asgi
from bridge.sources import address, text
from bridge.wsgi import environ

# A shell has what it runs in the background ignore Ctrl-C, and all that is started there with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def nothing_remembered() -> None:
    """What is remembered has its limits, and other tests may have come to them."""
    for memory in (asgi._lower, environ.keys, text._quoted, address.names, response.layouts, encoder.carried):
        memory.clear()
    response.plain_values.clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-snapshots``."""
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")


Serve = Callable[..., bridge.Handler]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes the handler of an ASGI application."""
    made: list[bridge.Handler] = []

    def make(app: Any, **options: Any) -> bridge.Handler:
        handler = bridge.asgi_handler(app, **options)
        made.append(handler)
        return handler

    yield make
    for handler in made:
        handler.close()
