"""Fixtures of the packager's tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dev.packaging.indexes import Index

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index of packages that are nowhere else."""
    with Index(tmp_path / "index") as running:
        yield running


@pytest.fixture(scope="session")
def poetry() -> str:
    """The path of Poetry, which is installed if it is missing."""
    script = Path(__file__).parents[3] / "scripts" / "poetry"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"scripts/poetry did not install Poetry; it printed: {lines[-1]}")
    return done.stdout.strip()
