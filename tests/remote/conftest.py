"""Functions that run commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import rie, start_for_module
from tests.remote.asking import Function, asgi, wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["function", "on", "rie", "start_for_module"]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_REMOTE_COMMANDS", "on")


@pytest.fixture(params=[wsgi, asgi], ids=["wsgi", "asgi"])
def function(request: pytest.FixtureRequest, on: None) -> Iterator[Function]:
    """A function that allows commands, of either interface."""
    made = Function(request.param)
    yield made
    made.handler.close()
