"""Functions under AWS's emulator, for the tests of this folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.end_to_end.emulator import AWS_CLIENT, Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FUNCTIONS = Path(__file__).parent / "functions"
_FETCH = Path(__file__).parents[2] / "scripts" / "rie"


class Start(Protocol):
    """Starts a function that is ended with the test."""

    def __call__(
        self,
        folder: Path | str,
        handler: str,
        *,
        timeout: int = 30,
        variables: Mapping[str, str] | None = None,
        command: Sequence[str] = AWS_CLIENT,
    ) -> Emulator:
        """*folder*: a path, or the name of one in ``functions``; the rest as in Emulator."""


@pytest.fixture(scope="session")
def rie() -> Path:
    """The emulator's program, fetched if need be."""
    fetched = subprocess.run([sys.executable, str(_FETCH)], capture_output=True, text=True)
    if fetched.returncode != 0:
        said = fetched.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"AWS's Runtime Interface Emulator is missing; scripts/rie fetches it, and said: {said[-1]}")
    return Path(fetched.stdout.strip())


@pytest.fixture
def start(rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with ExitStack() as stack:
        yield _starter(rie, tmp_path_factory, stack)


@pytest.fixture(scope="module")
def start_for_module(rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with ExitStack() as stack:
        yield _starter(rie, tmp_path_factory, stack)


# How an application becomes a function: its folder, the handler, the environment.
WAYS = {
    "wsgi_handler": ("wsgi", "app.handler", {}),
    "handler of WSGI": ("wsgi", "app.recognised", {}),
    "asgi_handler of WSGI": ("wsgi", "app.on_a_loop", {}),
    "BRIDGE_APP of WSGI": ("wsgi", "bridge.entrypoint.handler", {"BRIDGE_APP": "app:app"}),
    ".serverless-wsgi of WSGI": ("wsgi", "bridge.entrypoint.handler", None),
    "asgi_handler": ("asgi", "app.handler", {}),
    "handler of ASGI": ("asgi", "app.recognised", {}),
    "BRIDGE_APP of ASGI": ("asgi", "bridge.entrypoint.handler", {"BRIDGE_APP": "app.app"}),
    ".serverless-wsgi of ASGI": ("asgi", "bridge.entrypoint.handler", None),
}


@pytest.fixture(scope="session", params=WAYS)
def function(request: pytest.FixtureRequest, rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A function made in each of the ways."""
    name, handler, variables = WAYS[request.param]
    folder: Path | str = name
    if variables is None:  # packaged as serverless-wsgi does it: the application in a folder, the file beside that
        folder = tmp_path_factory.mktemp("packaged")
        shutil.copytree(FUNCTIONS / name, folder / "web")
        (folder / ".serverless-wsgi").write_text('{"app": "web/app.app", "text_mime_types": ["application/x-tex"]}')
    with ExitStack() as stack:
        yield _starter(rie, tmp_path_factory, stack)(folder, handler, variables=variables)


def _starter(rie: Path, tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Start:
    def start(folder: Path | str, handler: str, **options: Any) -> Emulator:
        log = tmp_path_factory.mktemp("emulator") / "log"
        return stack.enter_context(Emulator(rie, FUNCTIONS / folder, handler, log, **options))

    return start
