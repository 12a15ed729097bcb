"""Servers that several tests share, and those that a test starts for itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.serve_process import ASGI, WSGI, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start ``bridge serve`` in the test's folder; it ends with the test."""
    with contextlib.ExitStack() as opened:

        def start(*arguments: str, folder: Path | None = None, command: Sequence[str] = (), **env: str) -> Served:
            return opened.enter_context(Served(folder or tmp_path, *arguments, command=command, **env))  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="session", params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests that ask it something and leave it as it was."""
    app = {"wsgi": WSGI, "asgi": ASGI}[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    with Served(folder, app, "--no-reload", "--no-debugger", "--timeout", "3") as running:
        yield running
