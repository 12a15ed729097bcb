"""Functions with the recipes of the page, and the backend to which they send."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.observability.backend import Backend
from tests.observability.deployed import Deployed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.observability.deployed import Way


class Deploy(Protocol):
    """Starts a function with the recipe of a tool; the same arguments return the same function."""

    def __call__(
        self, tool: str, way: Way, variables: Mapping[str, str], *, handler: str = "", concurrency: int = 1
    ) -> Deployed:
        """Start a function, or return it; the arguments are those of :class:`Deployed`."""


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    functions: dict[object, Deployed] = {}
    with ExitStack() as stack:

        def deploy(
            tool: str, way: Way, variables: Mapping[str, str], *, handler: str = "", concurrency: int = 1
        ) -> Deployed:
            key = (tool, way.client, way.framework, handler, concurrency, *sorted(variables.items()))
            if key not in functions:
                folder = tmp_path_factory.mktemp(tool) / "function"
                functions[key] = Deployed(folder, tool, way, variables, handler, concurrency)
                stack.enter_context(functions[key].service)
            return functions[key]

        yield deploy
