"""Parts of an artifact: what their bytecode tells."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import interpreter
from bridge.dev.packaging.compression import Bytecode, pack

if TYPE_CHECKING:
    from pathlib import Path

THIS = f"3.{sys.version_info.minor}"
MANY = 80  # more than are compiled by one process
COLUMNS = """
import marshal, sys
code = marshal.loads(sys.stdin.buffer.read()[16:])
print(sorted({column is not None for _, _, column, _ in code.co_positions()}))
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A part's files, and a cache that has nothing of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = {f"tea/leaf{number}.py": tmp_path / f"{number}.py" for number in range(MANY)}
    for name, file in files.items():
        file.write_text(f"leaf = {name!r}.partition('/')[2] in {{'assam', 'ceylon', 'darjeeling', 'keemun'}}\n")
    return files


def compiled(files: dict[str, Path], python: str, version: str, folder: Path, *, columns: bool = False) -> list[bytes]:
    how = Bytecode(version, "/var/task", lambda: python, columns)
    packages, broken = pack(files, {}, how, folder, lambda _share: None)
    assert broken == []
    return [entry.content() for entry in packages[""] if entry.path.endswith(".pyc")]


def tells_columns(python: str, content: bytes) -> bool:
    said = subprocess.run([python, "-c", COLUMNS], input=content, stdout=subprocess.PIPE, check=True).stdout
    return b"True" in said


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_bytecode_tells_columns_only_where_they_are_asked_for(
    version: str, modules: dict[str, Path], tmp_path: Path
) -> None:
    python = interpreter.find(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    found = compiled(modules, python, version, tmp_path / "without")
    assert len(found) == MANY
    assert [tells_columns(python, found[place]) for place in (0, MANY - 1)] == [False, False]
    found = compiled(dict(list(modules.items())[:1]), python, version, tmp_path / "with", columns=True)
    assert [tells_columns(python, content) for content in found] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", THIS])
def test_bytecode_is_the_same_whatever_order_hashes_give(
    version: str, modules: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = interpreter.find(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    made = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / seed))
        made.append(compiled(modules, python, version, tmp_path / f"compiled-{seed}"))
    assert made[0] == made[1]


def test_a_module_of_the_user_does_not_take_the_place_of_one_that_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "py_compile.py").write_text("raise SystemExit('not this one')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    files = {"py_compile.py": tmp_path / "py_compile.py"}
    assert len(compiled(files, sys.executable, THIS, tmp_path / "compiled")) == 1
