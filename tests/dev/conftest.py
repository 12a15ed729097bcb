"""Fixtures that run the command ``bridge``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from bridge.dev.cli import main
from tests.dev.cli.serve_process import ASGI, WSGI, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@pytest.fixture
def bridge_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process, and returns its exit status, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        return int(str(ended.value.code)), out, err

    return run


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServeProcess]]:
    """Starts ``bridge serve`` in the test's folder; the processes end with the test."""
    with contextlib.ExitStack() as processes:

        def start(*arguments: str, folder: Path | None = None, command: Sequence[str] = (), **env: str) -> ServeProcess:
            process = ServeProcess(folder or tmp_path, *arguments, command=command, **env)  # type: ignore[arg-type]
            return processes.enter_context(process)

        yield start


@pytest.fixture(scope="session", params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """A server that tests share which do not change its state."""
    app = {"wsgi": WSGI, "asgi": ASGI}[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    with ServeProcess(folder, app, "--no-reload", "--no-debugger", "--timeout", "3") as running:
        yield running
