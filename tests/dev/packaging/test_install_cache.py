"""Earlier installations are used again only if they are whole."""

from __future__ import annotations

import base64
import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import install_cache
from bridge.dev.packaging.install_cache import installed_requirements, matches_records
from bridge.dev.packaging.project_requirements import Requirements
from bridge.dev.packaging.target import Target
from tests.dev.cli.packages import PLAIN, build_zip, write_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"tea/__init__.py": "x = 1\n", "tea/data.txt": "cup"}


@pytest.mark.parametrize(
    ("damage", "installations"),
    [
        (lambda folder: None, 1),
        (lambda folder: (folder / "tea/data.txt").unlink(), 2),
        (lambda folder: (folder / "tea/data.txt").write_text("cuq"), 2),
        (lambda folder: (folder / "more.txt").write_text(""), 2),
        (lambda folder: folder.with_suffix(".json").unlink(), 2),
        (lambda folder: folder.with_suffix(".json").write_text("{"), 2),
    ],
    ids=["none", "a missing file", "a changed file", "an additional file", "no manifest", "a damaged manifest"],
)
def test_a_damaged_installation_is_made_anew(
    damage: Callable[[Path], object], installations: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = []

    def install(requirements: object, target: object, folder: Path, *args: object, **options: object) -> None:
        calls.append(folder)
        write_files(folder, FILES)

    monkeypatch.setattr(install_cache, "install_requirements", install)
    for _ in range(2):
        requirements = Requirements(tmp_path, lines=["tea==1"])
        with installed_requirements(requirements, Target.from_options("3.13"), tmp_path) as folder:
            assert {name: (folder / name).read_text() for name in FILES} == FILES
        damage(folder)
    assert len(calls) == installations


@pytest.mark.slow
def test_a_damaged_file_in_the_cache_of_uv_is_not_packaged(cache: Path, tmp_path: Path) -> None:
    shop = write_files(tmp_path / "shop", {"app.py": PLAIN, "requirements.txt": "six==1.16.0\n"})
    variables = {"UV_CACHE_DIR": str(tmp_path / "uv"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    artifact = build_zip(shop, cache, "app:app", **variables)
    content = artifact.read_bytes()
    for file in (tmp_path / "uv").rglob("six.py"):
        file.write_text(file.read_text().replace("1.16.0", "1.16.1"))
    shutil.rmtree(tmp_path / "cache")
    assert build_zip(shop, cache, "app:app", **variables).read_bytes() == content


def test_a_file_that_two_packages_have_is_one_of_theirs(tmp_path: Path) -> None:
    def record(text: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        return f"tests/__init__.py,sha256={digest},1\nbin/tea,sha256=x,1\ntea.dist-info/RECORD,,\n\nx\n"

    files = {"tests/__init__.py": "b", "a.dist-info/RECORD": record("a"), "b.dist-info/RECORD": record("b")}
    assert matches_records(write_files(tmp_path, files))
    (tmp_path / "tests/__init__.py").write_text("c")
    assert not matches_records(tmp_path)
