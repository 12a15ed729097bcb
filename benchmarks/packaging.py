"""Measures packaging one project for arm64: ``bridge package``, the Serverless Framework's plugins, and SAM.

The project requires Flask and pydantic, which has a native module, for the version of Python that runs the benchmark.
Every tool has a project and a cache of its own. The first time both are new; after that the code has changed.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
import zipfile
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import artifact
from benchmarks.packagers import APP, HOME, PACKAGERS, REQUIREMENTS, SERVERLESS_ALONE, Packager, install
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IMPORTS = 7
# The folder that serverless-wsgi has filled, and not zipped, when Serverless fails on this project.
_UNFINISHED = ".requirements"


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """Return for each tool the seconds the first time and after a change, and the figures of its artifact."""
    install()
    work = HOME / "work"
    results: dict[str, dict[str, Any]] = {name: {"first": [], "next": [], "next, CPU": []} for name in PACKAGERS}
    for number in range(rounds):
        shutil.rmtree(work, ignore_errors=True)
        for index, (name, packager) in enumerate(PACKAGERS.items()):
            folder = work / str(index)
            _write_project(folder / "project", packager)
            wall, _ = _run(packager, folder, results[name])
            results[name]["first"].append(wall)
        for name, wall, cpu in _run_after_change(work, results, number):
            results[name]["next"].append(wall)
            results[name]["next, CPU"].append(cpu)
    for index, (name, packager) in enumerate(PACKAGERS.items()):
        file = _artifact(work / str(index), packager)
        for key in ("first", "next", "next, CPU"):
            results[name][key] = median(results[name][key])
        if name != SERVERLESS_ALONE:
            results[name] |= artifact.inspect(file, _IMPORTS)
    shutil.rmtree(work)
    return results


def _run_after_change(
    work: Path, results: dict[str, dict[str, Any]], number: int
) -> Iterator[tuple[str, float, float]]:
    """Run every tool after a change to the code, in another order for each round *number*."""
    names = list(PACKAGERS)
    for name in names[number:] + names[:number]:
        folder = work / str(names.index(name))
        (folder / "project/app.py").write_text(f"{APP}\n# Changed.\n")
        yield name, *_run(PACKAGERS[name], folder, results[name])


def _write_project(folder: Path, packager: Packager) -> None:
    folder.mkdir(parents=True)
    for name, content in packager.files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text(REQUIREMENTS)


def _run(packager: Packager, folder: Path, results: dict[str, Any]) -> tuple[float, float]:
    """Run the command and return its seconds and its seconds of processor time; record an error in *results*."""
    project = folder / "project"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.run(
        packager.command, cwd=project, env=_environment(folder), capture_output=True, text=True, check=False
    )
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        lines = [line.strip() for line in (process.stdout + process.stderr).splitlines() if "rror" in line]
        error = lines[-1] if lines else f"exit status {process.returncode}"
        results["error"] = error.replace(f"{project}/", "")
        if not (project / _UNFINISHED).is_dir():
            raise SystemExit(f"{' '.join(packager.command)} failed:\n{process.stdout}\n{process.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    """Return this process's environment with caches below *folder*, and without telemetry."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and "CACHE" not in name
    }
    path = os.pathsep.join([str(HOME / "python/bin"), os.environ["PATH"]])
    quiet = {"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off", "SAM_CLI_TELEMETRY": "0", "CI": "1"}
    return {**inherited, "PATH": path, "XDG_CACHE_HOME": str(folder / "cache"), **quiet}


def _artifact(folder: Path, packager: Packager) -> Path:
    """Return the artifact; a folder is zipped first."""
    result = folder / "project" / packager.result
    if result.is_file():
        return result
    file = folder / "zipped.zip"
    root = result if result.is_dir() else folder / "project" / _UNFINISHED
    code = [] if result.is_dir() else [*root.parent.glob("*.py"), root.parent / ".serverless-wsgi"]
    paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    paths |= {path.name: path for path in code if not path.is_symlink()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(paths.items()):
            archive.write(path, name)
    return file


def report(results: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of times and one of artifacts, and a note for each tool that failed."""
    alone = results[SERVERLESS_ALONE]["next, CPU"]
    times, contents, notes = [], [], []
    for name, figures in results.items():
        mark = ""
        if "error" in figures:
            notes.append(f"{name} makes no artifact of this project: {figures['error']}")
            mark = " *"
        added = f"{figures['next, CPU'] - alone:.1f}" if "serverless-" in name else ""
        times.append([name + mark, *(f"{figures[key]:.2f}" for key in ("first", "next", "next, CPU")), added])
        if "MB" in figures:
            compiled = figures["bytecode files"]
            contents.append(
                [
                    name + mark,
                    f"{figures['MB']:.2f}",
                    f"{figures['MB of bytecode']:.2f}",
                    f"{figures['valid bytecode files']} of {compiled}" if compiled else "none",
                    f"{figures['import flask, ms']:.0f}",
                    figures["native"],
                    "yes" if figures["dist-info"] else "no",
                ]
            )
    heads = ["zip, MB", "of it bytecode", "bytecode in use", "import flask, ms", "native files for", "dist-info"]
    return [
        "### Packaging Flask and pydantic for arm64: seconds",
        table(["", "the first time", "after a change", "of that the processor", "without serverless itself"], times),
        "### What is in the artifact",
        table(["", *heads], contents),
        *(f"\\* {note}" for note in notes),
    ]
