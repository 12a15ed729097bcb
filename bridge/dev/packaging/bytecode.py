"""Compiles Python files to bytecode for the target's Python version, with an interpreter of that version."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.installer import find_uv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The folders in which Lambda has a function's code, and the Python packages of a layer.
TASK_FOLDER, LAYER_FOLDER = "/var/task", "/opt/python"

_PRINT_VERSION = (
    "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.version_info.releaselevel)"
)
# Compiles files as `python -m compileall` does, without copying them. The arguments are on standard input, as JSON.
_COMPILE = """
import importlib.util, json, marshal, sys, warnings
warnings.simplefilter("ignore")
UNCHECKED_HASH = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
for source, target, name in json.load(sys.stdin):
    with open(source, "rb", 0) as stream:
        content = stream.read()
    try:
        code = compile(content, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        continue
    with open(target, "wb", 0) as stream:
        stream.write(UNCHECKED_HASH + importlib.util.source_hash(content) + marshal.dumps(code))
"""
# Below this number of files, starting more processes takes longer than compiling.
_MIN_FILES_FOR_PROCESSES = 60
# Up to this number of files, all of them may be invalid by accident.
_MAX_INVALID_FILES = 3


@dataclass(frozen=True)
class BytecodeOptions:
    """How Python files are compiled.

    Attributes:
        version: the Python version, ``"3.12"``. All interpreters of a version write the same bytecode.
        folder: the folder that has the files at run time, for tracebacks.
        find_interpreter: returns the path of an interpreter of that version, or None. It is called only if there are
            files to compile that the cache does not have.
        columns: whether the bytecode contains the column of each instruction, with which tracebacks underline the
            failing expression. Columns are a fifth of compressed bytecode.
    """

    version: str
    folder: str
    find_interpreter: Callable[[], str | None]
    columns: bool = False


def compile_files(
    interpreter: str, files: Mapping[str, Path], options: BytecodeOptions, temporary: Path
) -> dict[str, dict[str, Path]]:
    """Compile the Python files among *files*.

    The bytecode is hash-based and unchecked (https://peps.python.org/pep-0552/): it depends on no file's time, and the
    function does not read the sources, which cannot change there.

    Args:
        interpreter: the path of an interpreter of the version in *options*.
        files: the location of each file by its path in the artifact.
        options: how to compile.
        temporary: a folder for the bytecode; created if needed.

    Returns:
        For each Python file its bytecode's location by the path in the artifact; an empty dictionary for a file that is
        not valid Python.

    Raises:
        PackagingError: the interpreter compiled none of the files.
    """
    sources = [(path, file) for path, file in files.items() if path.endswith(".py")]
    # Python imports modules from the folder in which it runs, so this one is empty.
    working_folder = temporary.with_name(f"{temporary.name}-empty")
    working_folder.mkdir(parents=True)
    bytecode: dict[str, Path] = {}
    tag = f"cpython-{options.version.replace('.', '')}"
    jobs = []
    for path, file in sources:
        name = (Path(path).parent / "__pycache__" / f"{Path(path).stem}.{tag}.pyc").as_posix()
        bytecode[path] = temporary / name
        jobs.append((str(file), str(temporary / name), f"{options.folder}/{path}"))
    for folder in {file.parent for file in bytecode.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    count = (os.cpu_count() or 1) if len(jobs) >= _MIN_FILES_FOR_PROCESSES else 1
    environment = _compiler_environment(options)
    with ThreadPoolExecutor(count) as threads:
        done = list(
            threads.map(
                lambda number: subprocess.run(  # noqa: S603
                    [interpreter, "-s", "-c", _COMPILE],
                    cwd=working_folder, env=environment, input=json.dumps(jobs[number::count]),
                    capture_output=True, text=True, check=False,
                ),
                range(count),
            )
        )  # fmt: skip
    compiled: dict[str, dict[str, Path]] = {}
    for path, file in bytecode.items():
        compiled[path] = {file.relative_to(temporary).as_posix(): file} if file.is_file() else {}
    if len(jobs) > _MAX_INVALID_FILES and not any(compiled.values()):
        raise PackagingError(
            f"{interpreter} compiled none of the Python files: {done[0].stderr.strip()}. To package them without "
            "bytecode: --no-bytecode"
        )
    return compiled


def _compiler_environment(options: BytecodeOptions) -> dict[str, str]:
    """Return the user's environment without variables that change how Python runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONHASHSEED"] = "0"  # up to Python 3.10, bytecode contains sets in the order of their hashes
    if not options.columns:
        environment["PYTHONNODEBUGRANGES"] = "1"
    return environment


def interpreter_finder(version: str, warnings: list[str], *, fetch: bool = False) -> Callable[[], str | None]:
    """Return a function that calls :func:`find_interpreter` once, and adds a warning if there is no interpreter."""

    @functools.cache
    def find() -> str | None:
        interpreter = find_interpreter(version, fetch=fetch)
        if interpreter is None:
            warnings.append(
                f"There is no Python {version} on this machine to compile bytecode with, so the artifact has none and "
                "each cold start compiles the modules that it imports. Let uv download that Python with "
                "--fetch-python, or turn this warning off with --no-bytecode."
            )
        return interpreter

    return find


def find_interpreter(version: str, *, fetch: bool = False) -> str | None:
    """Return the path of a CPython of *version* on this machine; None without one.

    Args:
        version: the Python version, ``"3.12"``.
        fetch: whether uv may download one.

    Raises:
        PackagingError: the download failed.
    """
    if sys.version_info[:2] == tuple(map(int, version.split("."))) and sys.implementation.name == "cpython":
        return sys.executable
    for path in _candidates(version):
        if _is_release(path, version):
            return path
    return _fetch_interpreter(version) if fetch else None


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    if on_path := shutil.which(name):
        yield on_path
    # pyenv's programs on the PATH run only the versions that `pyenv global` names.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}*/bin/{name}"), reverse=True))
    if (uv := find_uv()) is not None:
        done = _run(
            uv,
            "python",
            "find",
            "--python-preference",
            "only-managed",
            "--no-python-downloads",
            "--no-project",
            version,
        )
        if done.returncode == 0:
            yield done.stdout.strip()


def _is_release(path: str, version: str) -> bool:
    """Return whether a program is a released CPython of *version*; bytecode changes until a version's release."""
    try:
        done = _run(path, "-I", "-c", _PRINT_VERSION, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.split() == ["cpython", version, "final"]


def _fetch_interpreter(version: str) -> str:
    uv = find_uv()
    if uv is None:
        raise PackagingError("--fetch-python needs uv, which is not installed. Install it: pip install uv")
    done = _run(uv, "python", "install", "--no-bin", version)
    if done.returncode == 0:
        done = _run(*_find_command(uv, version))
        if done.returncode == 0 and _is_release(done.stdout.strip(), version):
            return done.stdout.strip()
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    raise PackagingError(
        f"uv could not download Python {version}: " + "\n".join(lines[-4:] or ["it printed no reason."])
    )


def _find_command(uv: str, version: str) -> list[str]:
    """Return the command that prints the path of an interpreter that uv has downloaded."""
    return [uv, "python", "find", "--python-preference", "only-managed", "--no-project", version]


def _run(*command: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)  # noqa: S603
