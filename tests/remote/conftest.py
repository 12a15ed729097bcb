"""Functions that run commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import rie, start_for_module
from tests.remote.helpers import Function, asgi, wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["enabled", "function", "rie", "start_for_module"]


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_REMOTE_COMMANDS", "on")


@pytest.fixture(params=[wsgi, asgi], ids=["wsgi", "asgi"])
def function(request: pytest.FixtureRequest, enabled: None) -> Iterator[Function]:
    """A function of either interface, with commands enabled."""
    function = Function(request.param)
    yield function
    function.handler.close()
