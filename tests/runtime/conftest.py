"""The two ways in which the runtime waits: each test that uses these fixtures runs with both."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.runtime import service


@pytest.fixture(params=["thread", "event loop"])
def is_on_loop(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "event loop")


@pytest.fixture
def running(is_on_loop: bool) -> Any:
    """Runs a function for one invocation at a time, see :func:`tests.runtime.service.running`."""
    return partial(service.running, concurrency=int(is_on_loop))
