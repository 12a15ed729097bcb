"""Requirements whose files must have the hashes that a requirements file names."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.packages import PLAIN, build_zip, run_package, write_files, zip_names
from tests.dev.packaging.indexes import make_wheel, sha256
from tests.dev.packaging.test_poetry import repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with one requirement, which has a hash."""
    digest = sha256(make_wheel(tmp_path / "shop/wheels", "tea-leaves", "1.0"))
    requirements = f"--find-links wheels\ntea-leaves==1.0 \\\n    --hash=sha256:{digest}\n"
    return write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": requirements})


@pytest.mark.parametrize("kind", ["line", "UV_REQUIRE_HASHES", "PIP_REQUIRE_HASHES", "--pip-args", "tool.uv.pip"])
def test_the_bridge_is_installed_although_hashes_are_required(kind: str, shop: Path, cache: Path) -> None:
    variables = {kind: "1"} if kind.isupper() else {}
    arguments = ["--pip-args=--require-hashes"] if kind == "--pip-args" else []
    if kind == "line":
        file = shop / "requirements.txt"
        file.write_text(f"--require-hashes\n{file.read_text()}")
    elif kind == "tool.uv.pip":
        write_files(shop, {"pyproject.toml": "[tool.uv.pip]\nrequire-hashes = true\n"})
    names = zip_names(build_zip(shop, cache, "app:app", *arguments, **variables))
    assert {"tea_leaves.py", "bridge/entrypoint.py", "asgiref/sync.py"} <= names


@pytest.mark.parametrize("is_local", [False, True])
def test_another_file_is_an_error(is_local: bool, shop: Path, cache: Path) -> None:
    make_wheel(shop / "wheels", "tea-leaves", "1.0", requires=("six",))
    if is_local:
        write_files(shop, {"lib/setup.py": "from setuptools import setup\nsetup(name='tealib')\n"})
        file = shop / "requirements.txt"
        file.write_text(f"{file.read_text()}./lib\n")
    status, out, err = run_package(shop, cache, "app:app")
    assert (status, out) == (1, "")
    assert "Hash mismatch" in err


def test_requirements_that_contradict_those_of_the_bridge_are_an_error(shop: Path, cache: Path) -> None:
    write_files(shop, {"requirements.txt": "asgiref==3.7.2\n"})
    status, out, err = run_package(shop, cache, "app:app")
    assert (status, out) == (1, "")
    assert "The requirements of the bridge cannot be installed with those in requirements.txt" in err
    assert "asgiref" in err


def test_a_local_project_needs_no_hash(shop: Path, cache: Path) -> None:
    write_files(shop, {"lib/setup.py": "from setuptools import setup\nsetup(name='tealib', py_modules=['tealib'])\n"})
    file = write_files(shop, {"lib/tealib.py": ""}) / "requirements.txt"
    file.write_text(f"{file.read_text()}./lib\n")
    assert {"tea_leaves.py", "tealib.py"} <= zip_names(build_zip(shop, cache, "app:app", UV_REQUIRE_HASHES="1"))


def test_a_lock_with_hashes_and_commits_needs_no_others(shop: Path, cache: Path, tmp_path: Path) -> None:
    tea = repository(tmp_path / "tea", "tealib")
    (shop / "requirements.txt").unlink()
    write_files(shop, {
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["six==1.16.0", "tealib"]\n[tool.uv.sources]\ntealib = {{ git = "{tea.as_uri()}" }}\n',
    })  # fmt: skip
    subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=shop, check=True)
    assert {"six.py", "tealib.py"} <= zip_names(build_zip(shop, cache, "app:app", UV_REQUIRE_HASHES="1"))
