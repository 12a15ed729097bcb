"""Measures what the imports of a packaged application take, with an interpreter of the target's version."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import zipfile
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.bytecode import find_interpreter
from bridge.dev.packaging.flame_graph import flame_graph_page
from bridge.dev.packaging.imported_modules import parse_import_time
from bridge.dev.packaging.report import import_table
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bridge.dev.packaging.imported_modules import ImportTimes
    from bridge.dev.packaging.package_options import PackageOptions
    from bridge.dev.packaging.report import Artifact
    from bridge.dev.packaging.target import Target

_RUNS = 3
_TIMEOUT_SECONDS = 120
_MARK = "bridge: the imports of the application begin"
# Imports what AWS's client has imported before it imports a function, and then the application as the function does.
# `-X importtime` names what an import statement imports, and not what importlib.import_module does.
_RUN = """
import decimal, importlib, json, logging, os, sys, threading, traceback
original = importlib.import_module
def import_module(name, package=None):
    if name.startswith("."):
        return original(name, package)
    __import__(name)
    return sys.modules[name]
importlib.import_module = import_module
folders, mark = json.loads(sys.argv[1])
sys.path[:] = folders + [path for path in sys.path if path]
sys.argv[1:] = []
sys.stderr.flush()
os.write(2, mark.encode())
from bridge.handlers import find_handler
find_handler()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)
"""


def interpreter_for_imports(options: PackageOptions) -> str:
    """Return the path of an interpreter of the target's version.

    Raises:
        PackagingError: there is none.
    """
    target = options.target
    interpreter = find_interpreter(target.python, fetch=options.fetch_python)
    if interpreter is None:
        raise PackagingError(
            f"--import-time needs the function's Python {target.python}, which this machine does not have. Install it "
            f"with `uv python install {target.python}` or `pyenv install {target.python}`, or let uv download it with "
            "--fetch-python."
        )
    return interpreter


def add_import_times(artifact: Artifact, options: PackageOptions, interpreter: str, temporary: Path) -> None:
    """Measure the imports of the application in an artifact, and add the table and the page to what is reported.

    Args:
        artifact: the artifact.
        options: the options that it was built with.
        interpreter: the path of an interpreter of the target's version.
        temporary: an empty folder.

    Raises:
        PackagingError: the application cannot be imported.
        OSError: the page cannot be written.
    """
    folders = list(_unpacked(artifact, options, temporary))
    _check_native_modules(folders, options.target)
    times = measure_imports(interpreter, folders)
    facts = (
        f"{times.total / 1000:.1f} ms for {times.count} modules, with Python "
        f"{options.target.python} on this machine: the fastest of {_RUNS} runs of {options.output.name}, "
        f"{'with' if options.bytecode else 'without'} bytecode."
    )
    file = options.import_time_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(flame_graph_page(times, options.app or "the application", facts), encoding="utf-8")
    artifact.import_times = [facts, *import_table(times)]
    artifact.files.append(file)


def measure_imports(interpreter: str, folders: Sequence[Path]) -> ImportTimes:
    """Import an application in new processes, and return the times of the fastest of them.

    Args:
        interpreter: the path of an interpreter.
        folders: the folder of the function, and that of its layer, as they come on the import path.

    Raises:
        PackagingError: the application cannot be imported.
    """
    _run(interpreter, folders)  # reads the files for the first time
    return min((parse_import_time(_run(interpreter, folders)) for _ in range(_RUNS)), key=lambda times: times.total)


def _run(interpreter: str, folders: Sequence[Path]) -> str:
    """Return the lines of ``-X importtime`` about the application."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BRIDGE_"))}
    environment["LAMBDA_TASK_ROOT"] = str(folders[0])
    arguments = json.dumps([list(map(str, folders)), f"{_MARK}\n"])
    # Without the packages of the interpreter, as in the function; and without writing bytecode.
    command = [interpreter, "-I", "-S", "-B", "-X", "importtime", "-c", _RUN, arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=folders[0], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PackagingError(
            f"The application is not imported after {_TIMEOUT_SECONDS} seconds, so its imports are not measured."
        ) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:") and line != _MARK]
        details = "\n".join(f"  {line}" for line in lines[-8:])
        raise PackagingError(
            f"The application cannot be imported, so its imports are not measured:\n{details}\n"
            "Set the environment variables that it needs in this shell."
        )
    return done.stderr.partition(_MARK)[2]


def _unpacked(artifact: Artifact, options: PackageOptions, temporary: Path) -> Iterator[Path]:
    """Yield the folders of an artifact as they come on the import path of a function."""
    if options.image:
        yield from (options.output / name for name in ("code", "requirements"))
        return
    for number, file in enumerate(artifact.files):
        folder = temporary / str(number)
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        yield folder / "python" if number else folder


def _check_native_modules(folders: Iterable[Path], target: Target) -> None:
    """Raise an error if there are native modules that this machine cannot import."""
    if platform.system() == "Linux" and platform.machine() == target.machine:
        return
    native = next((file for folder in folders for file in sorted(folder.rglob("*.so"))), None)
    if native is not None:
        raise PackagingError(
            f"--import-time cannot import {native.name}, which is for {target}, on {platform.system()} with "
            f"{platform.machine()}. Run it on such a machine, or in a container{_other_target()}."
        )


def _other_target() -> str:
    """Return the option for a target that this machine is; the same modules take as long relative to each other."""
    own = next((arch for arch, machine in MACHINES.items() if machine == platform.machine()), None)
    is_possible = platform.system() == "Linux" and own is not None
    return f"; or measure the other build, with --arch {own}" if is_possible else ""
