"""Fixtures and options for all tests."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bridge
from bridge import response
from bridge.asgi import request_cycle
from bridge.wsgi import call

MakeHandler = Callable[..., bridge.Handler]

# A shell makes the commands that it runs in the background ignore Ctrl-C, and their child processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-snapshots``."""
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")


@pytest.fixture
def empty_caches() -> None:
    """Clear the caches of the function's side, which requests and responses fill."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("bridge.") and not name.startswith("bridge.dev"):
            for value in [*vars(module).values()]:
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    call._keys.clear()
    request_cycle._names.clear()
    response._layouts.clear()


@pytest.fixture
def make_handler() -> Iterator[MakeHandler]:
    """Make handlers, with ``bridge.asgi_handler`` or another function; they are closed after the test."""
    handlers: list[bridge.Handler] = []

    def make(app: Any, function: Callable[..., bridge.Handler] = bridge.asgi_handler, **options: Any) -> bridge.Handler:
        handlers.append(function(app, **options))
        return handlers[-1]

    yield make
    for handler in handlers:
        handler.close()
