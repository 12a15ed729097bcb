"""Two editions of the Serverless Framework, for the tests of the plugin."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev.serverless_plugin.framework import EDITIONS, Framework
from tests.end_to_end.conftest import rie as rie

_FETCH = Path(__file__).parents[3] / "scripts" / "serverless"


@pytest.fixture(scope="session")
def frameworks() -> list[Path]:
    """The folders of both editions, which are downloaded if they are missing."""
    if shutil.which("node") is None:
        pytest.skip("The Serverless Framework needs Node.js")
    fetched = subprocess.run([sys.executable, str(_FETCH)], capture_output=True, text=True)
    if fetched.returncode != 0:
        lines = fetched.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"scripts/serverless did not install the Serverless Framework; it printed: {lines[-1]}")
    return [Path(line) for line in fetched.stdout.split()]


@pytest.fixture(scope="session", params=EDITIONS)
def framework(request: pytest.FixtureRequest, frameworks: list[Path], cache: Path) -> Framework:
    """Each edition."""
    return Framework(frameworks[EDITIONS.index(request.param)], cache)


@pytest.fixture(scope="session")
def python_with_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with pip, which serverless-python-requirements runs."""
    folder = tmp_path_factory.mktemp("python-with-pip")
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, str(folder)], check=True)
    return str(folder / "bin" / "python")
