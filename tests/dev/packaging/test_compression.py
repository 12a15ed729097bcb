"""Compressed packages: from the cache if it is intact, with the level that is chosen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.archive import BEST, FAST, write_zip
from bridge.dev.packaging.bytecode import BytecodeOptions
from bridge.dev.packaging.cache import cache_folder
from bridge.dev.packaging.compression import compress_packages
from tests.dev.cli.packages import write_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.dev.packaging.archive import ZipEntry

FILES = {"tea/__init__.py": "x = 1\n" * 50, "tea/data.txt": "cup " * 500, "cake.py": "y = 2\n", "broken.py": "def"}
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def compress(tmp_path: Path, name: str, level: int = FAST) -> tuple[dict[str, list[ZipEntry]], list[str]]:
    write_files(tmp_path / "files", FILES)
    files = {path: tmp_path / "files" / path for path in FILES}
    packages = {path: path.partition("/")[0] for path in FILES}
    options = BytecodeOptions(VERSION, "/var/task", lambda: sys.executable)
    compressed, invalid = compress_packages(files, packages, options, tmp_path / name, lambda share: None, level=level)
    return {package: sorted(entries, key=lambda entry: entry.path) for package, entries in compressed.items()}, invalid


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:60] + bytes([content[60] ^ 1]) + content[61:], lambda content: content[:10]],
    ids=["bit", "truncated"],
)
def test_a_damaged_package_in_the_cache_is_made_anew(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    first = compress(tmp_path, "first")
    stored = list((cache_folder() / "packages").iterdir())
    assert len(stored) == 3
    for file in stored:
        file.write_bytes(damage(file.read_bytes()))
    assert compress(tmp_path, "second") == first
    assert compress(tmp_path, "third") == first
    assert first[1] == ["broken.py"]
    assert [entry.path for entry in first[0]["tea"]] == [
        "tea/__init__.py", f"tea/__pycache__/__init__.cpython-{VERSION.replace('.', '')}.pyc", "tea/data.txt",
    ]  # fmt: skip


def test_each_level_of_compression_has_its_own_packages(tmp_path: Path) -> None:
    fast, best = (compress(tmp_path, str(level), level)[0] for level in (FAST, BEST))
    assert len(list((cache_folder() / "packages").iterdir())) == 6
    contents = [[entry.content() for entries in packages.values() for entry in entries] for packages in (fast, best)]
    assert contents[0] == contents[1]


def test_a_package_with_more_files_than_a_zip_can_hold_is_refused_by_the_name_of_the_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.dev.packaging.archive._MAX_ENTRIES", 2)
    packages, _ = compress(tmp_path, "compiled")
    with pytest.raises(PackagingError, match=r"^function\.zip would contain more than 2 files"):
        write_zip(tmp_path / "function.zip", [entry for entries in packages.values() for entry in entries])
