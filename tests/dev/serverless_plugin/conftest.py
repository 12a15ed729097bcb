"""The Serverless Framework, real and in two editions, for the tests of its plugin."""

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
    """The folders that both editions are installed in, fetched if need be."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is missing, which the Serverless Framework runs on")
    fetched = subprocess.run([sys.executable, str(_FETCH)], capture_output=True, text=True)
    if fetched.returncode != 0:
        said = fetched.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"The Serverless Framework is missing; scripts/serverless fetches it, and said: {said[-1]}")
    return [Path(line) for line in fetched.stdout.split()]


@pytest.fixture(scope="session", params=EDITIONS)
def framework(
    request: pytest.FixtureRequest, frameworks: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Framework:
    """Each edition."""
    cache = tmp_path_factory.getbasetemp() / "serverless-cache"
    return Framework(frameworks[EDITIONS.index(request.param)], cache)


@pytest.fixture(scope="session")
def python_with_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has pip, by which serverless-python-requirements installs."""
    made = tmp_path_factory.mktemp("python-with-pip")
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, str(made)], check=True)
    return str(made / "bin" / "python")
