"""Bytecode for the target's Python."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.bytecode import BytecodeOptions, compile_files, find_interpreter

if TYPE_CHECKING:
    from pathlib import Path

THIS = f"3.{sys.version_info.minor}"
MANY = 80  # more files than one process compiles
HAS_COLUMNS = """
import marshal, sys
code = marshal.loads(sys.stdin.buffer.read()[16:])
print(any(column is not None for _, _, column, _ in code.co_positions()))
"""


@pytest.fixture
def modules(tmp_path: Path) -> dict[str, Path]:
    files = {f"tea/leaf{number}.py": tmp_path / f"{number}.py" for number in range(MANY)}
    for name, file in files.items():
        file.write_text(f"leaf = {name!r}.partition('/')[2] in {{'assam', 'ceylon', 'darjeeling', 'keemun'}}\n")
    return files


def interpreter(version: str) -> str:
    path = find_interpreter(version)
    if path is None:
        pytest.skip(f"Python {version} is not installed")
    return path


def compiled(
    files: dict[str, Path], folder: Path, python: str = sys.executable, version: str = THIS, *, columns: bool = False
) -> list[bytes]:
    options = BytecodeOptions(version, "/var/task", lambda: python, columns)
    return [
        file.read_bytes() for each in compile_files(python, files, options, folder).values() for file in each.values()
    ]


def has_columns(python: str, bytecode: bytes) -> bool:
    return (
        b"True" in subprocess.run([python, "-c", HAS_COLUMNS], input=bytecode, capture_output=True, check=True).stdout
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_bytecode_contains_columns_only_on_request(version: str, modules: dict[str, Path], tmp_path: Path) -> None:
    python = interpreter(version)
    without = compiled(modules, tmp_path / "without", python, version)
    assert len(without) == MANY
    assert [has_columns(python, without[index]) for index in (0, MANY - 1)] == [False, False]
    one = dict(list(modules.items())[:1])
    assert [has_columns(python, each) for each in compiled(one, tmp_path / "with", python, version, columns=True)] == [
        True
    ]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", THIS])
def test_bytecode_does_not_depend_on_hash_randomization(
    version: str, modules: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = interpreter(version)
    results = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        results.append(compiled(modules, tmp_path / f"compiled-{seed}", python, version))
    assert results[0] == results[1]


def test_modules_of_the_user_do_not_replace_those_of_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "py_compile.py").write_text("raise SystemExit('the wrong module')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert len(compiled({"py_compile.py": tmp_path / "py_compile.py"}, tmp_path / "compiled")) == 1


def test_an_interpreter_that_compiles_nothing_is_an_error(modules: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="/bin/false compiled none of the Python files"):
        compiled(modules, tmp_path / "compiled", "/bin/false")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_bytecode_is_that_of_compileall(version: str, tmp_path: Path) -> None:
    python = interpreter(version)
    file = tmp_path / "source" / "leaf.py"
    file.parent.mkdir()
    file.write_bytes("# coding: latin-1\nleaf = '\xe9', f'{1 + 1}', '\\d'\ndef f(): return {1, 2}\n".encode("latin-1"))
    (ours,) = compiled({"tea/leaf.py": file}, tmp_path / "ours", python, version, columns=True)
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(file.parent)]
    subprocess.run([*command, "-p", "/var/task/tea", str(file)], check=True, env={"PYTHONHASHSEED": "0"})
    assert [each.read_bytes() for each in file.parent.glob("__pycache__/*")] == [ours]
