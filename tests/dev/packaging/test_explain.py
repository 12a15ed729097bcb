"""``bridge package --explain``: what decided each version, and why files are in or out."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dev.cli.packages import PLAIN, run_package, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dev.packaging.indexes import Index

pytestmark = pytest.mark.slow

LIBRARY = {
    "lib/pyproject.toml": '[build-system]\nrequires = ["setuptools>=70"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "tealib"\nversion = "1"\n',
    "lib/tealib.py": "",
}


def explanation(folder: Path, cache: Path, *arguments: str) -> dict[str, str]:
    """Return the reason of each package and file."""
    status, out, err = run_package(folder, cache, "app:app", "--explain", *arguments)
    assert status == 0, err
    lines = [line.strip().partition("  ") for line in out.splitlines() if line.startswith("  ")]
    return {subject: reason.strip() for subject, _, reason in lines}


def test_the_line_that_decides_a_version_is_named(index: Index, cache: Path, tmp_path: Path) -> None:
    index.add("cups", "1.5")
    index.add("tea", "1.0", requires=("cups>=1", "milk"))
    index.add("milk", "2.0")
    index.add("sugar", "3.0")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, "requirements.txt": f"-r base.txt\n-c limits.txt\n--extra-index-url {index.url()}\n",
        "base.txt": "tea==1.0\nsugar>=1\n", "limits.txt": "milk==2.0\n",
    })  # fmt: skip
    reasons = explanation(shop, cache)
    assert reasons["tea 1.0"] == "base.txt, line 1: tea==1.0"
    assert reasons["sugar 3.0"] == "not pinned: the newest that base.txt, line 2 allows: sugar>=1"
    assert reasons["milk 2.0"] == "limits.txt, line 1: milk==2.0"
    assert reasons["cups 1.5"] == "not pinned: the newest that fits tea (cups>=1)"
    (running,) = [reason for subject, reason in reasons.items() if subject.startswith("serverless-bridge ")]
    assert running == "the running bridge"


def test_a_lock_and_the_folder_of_a_local_project_are_named(index: Index, cache: Path, tmp_path: Path) -> None:
    index.add("tea", "1.0")
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, **LIBRARY,
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["tea", "tealib"]\n[tool.uv.sources]\ntealib = { path = "lib" }\n'
        f'[[tool.uv.index]]\nurl = "{index.url()}"\n',
    })  # fmt: skip
    subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=shop, check=True)
    reasons = explanation(shop, cache)
    assert reasons["tea 1.0"] == "uv.lock"
    assert reasons["tealib 1"] == f"uv.lock: built from {shop / 'lib'}"
    write_files(shop, {"requirements.txt": "-e ./lib\n"})
    assert explanation(shop, cache)["tealib 1"] == f"requirements.txt, line 1: built from {shop / 'lib'}"


def test_files_that_are_large_or_left_out_have_a_reason(cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {
        "app.py": PLAIN, ".env": "", ".gitignore": "*.log\n", "a.log": "", "large.bin": "a" * (6 << 20),
    })  # fmt: skip
    subprocess.run(["git", "init", "-q"], cwd=shop, check=True)
    reasons = explanation(shop, cache)
    assert reasons["large.bin"] == "in, 6.0 MiB: no pattern leaves it out"
    assert reasons[".env"] == "out: its name is that of a secret"
    assert reasons["a.log"] == "out: .gitignore names it"
