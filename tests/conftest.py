"""Fixtures and options for all tests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bridge
from bridge import bodies, response
from bridge.asgi import cycle
from bridge.sources import fields
from bridge.wsgi import environ

Serve = Callable[..., bridge.Handler]

# A shell makes the commands that it runs in the background ignore Ctrl-C, and their child processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-snapshots``."""
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")


@pytest.fixture
def empty_caches() -> None:
    """Clear the caches that requests and responses fill."""
    for cached in (
        bodies.text_codec,
        cycle._header_name,
        environ.environ_key,
        fields._cached_quote,
        fields._server,
        response.lower_name,
    ):
        cached.cache_clear()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make the handler of an ASGI application; it is closed after the test."""
    handlers: list[bridge.Handler] = []

    def make(app: Any, **options: Any) -> bridge.Handler:
        handler = bridge.asgi_handler(app, **options)
        handlers.append(handler)
        return handler

    yield make
    for handler in handlers:
        handler.close()
