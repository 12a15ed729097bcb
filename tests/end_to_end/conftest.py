"""Functions behind AWS's Runtime Interface Emulator."""

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
_INSTALL_SCRIPT = Path(__file__).parents[2] / "scripts" / "rie"


class Start(Protocol):
    """Starts a function that is stopped after the test, or after the module."""

    def __call__(
        self,
        folder: Path | str,
        handler: str,
        *,
        timeout: int = 30,
        variables: Mapping[str, str] | None = None,
        command: Sequence[str] = AWS_CLIENT,
    ) -> Emulator:
        """Start a function. *folder* may be relative to ``functions``; the other arguments are those of Emulator."""


@pytest.fixture(scope="session")
def rie() -> Path:
    """The emulator's executable, downloaded first if necessary."""
    installed = subprocess.run([sys.executable, str(_INSTALL_SCRIPT)], capture_output=True, text=True)
    if installed.returncode != 0:
        error = (installed.stderr.strip().splitlines() or ["no output"])[-1]
        pytest.skip(f"AWS's Runtime Interface Emulator is not installed, and scripts/rie failed: {error}")
    return Path(installed.stdout.strip())


@pytest.fixture
def start(rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with ExitStack() as stack:
        yield _starter(rie, tmp_path_factory, stack)


@pytest.fixture(scope="module")
def start_for_module(rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with ExitStack() as stack:
        yield _starter(rie, tmp_path_factory, stack)


# The ways to make a function of an application: folder, handler and environment.
HANDLERS = {
    "wsgi_handler": ("wsgi", "app.handler", {}),
    "handler of WSGI": ("wsgi", "app.detected_handler", {}),
    "asgi_handler of WSGI": ("wsgi", "app.event_loop_handler", {}),
    "BRIDGE_APP of WSGI": ("wsgi", "bridge.entrypoint.handler", {"BRIDGE_APP": "app:app"}),
    ".serverless-wsgi of WSGI": ("wsgi", "bridge.entrypoint.handler", None),
    "asgi_handler": ("asgi", "app.handler", {}),
    "handler of ASGI": ("asgi", "app.detected_handler", {}),
    "BRIDGE_APP of ASGI": ("asgi", "bridge.entrypoint.handler", {"BRIDGE_APP": "app.app"}),
    ".serverless-wsgi of ASGI": ("asgi", "bridge.entrypoint.handler", None),
}


@pytest.fixture(scope="session", params=HANDLERS)
def function(request: pytest.FixtureRequest, rie: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A function made in each of these ways."""
    name, handler, variables = HANDLERS[request.param]
    folder: Path | str = name
    if variables is None:  # as serverless-wsgi packages it: an application in a folder, and beside it the file
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
