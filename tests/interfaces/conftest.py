"""Handlers that are closed after their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bridge

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
