"""Packaging one project for arm64, as a user runs it: ``bridge package`` beside the plugins, and SAM.

The project is Flask and pydantic, so that there is a native module; the Python is the one that runs this. Each
contender has a project and a cache of its own. The first time both are new; the next times the code has changed.
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
from benchmarks.packagers import ALONE, APP, CONTENDERS, HOME, REQUIREMENTS, Contender, install
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IMPORTS = 7
# Where the folder is that serverless-wsgi would have zipped, had Serverless not stopped.
_UNFINISHED = ".requirements"


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """For each contender seconds the first time and the next times, and what there is to say of its artifact."""
    install()
    work = HOME / "work"
    found: dict[str, dict[str, Any]] = {name: {"first": [], "next": [], "next, CPU": []} for name in CONTENDERS}
    for number in range(rounds):
        shutil.rmtree(work, ignore_errors=True)
        for place, (name, contender) in enumerate(CONTENDERS.items()):
            folder = work / str(place)
            _write(folder / "project", contender)
            wall, _ = _run(contender, folder, found[name])
            found[name]["first"].append(wall)
        for name, wall, cpu in _turn(work, found, number):
            found[name]["next"].append(wall)
            found[name]["next, CPU"].append(cpu)
    for place, (name, contender) in enumerate(CONTENDERS.items()):
        file = _artifact(work / str(place), contender)
        for key in ("first", "next", "next, CPU"):
            found[name][key] = median(found[name][key])
        if name != ALONE:
            found[name] |= artifact.inspect(file, _IMPORTS)
    shutil.rmtree(work)
    return found


def _turn(work: Path, found: dict[str, dict[str, Any]], number: int) -> Iterator[tuple[str, float, float]]:
    """Everyone again, after a change; who begins moves on."""
    names = list(CONTENDERS)
    for name in names[number:] + names[:number]:
        folder = work / str(names.index(name))
        (folder / "project/app.py").write_text(f"{APP}\n# Changed.\n")
        yield name, *_run(CONTENDERS[name], folder, found[name])


def _write(folder: Path, contender: Contender) -> None:
    folder.mkdir(parents=True)
    for name, content in contender.files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text(REQUIREMENTS)


def _run(contender: Contender, folder: Path, found: dict[str, Any]) -> tuple[float, float]:
    """The seconds that the command takes, and those of the processor."""
    project = folder / "project"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        contender.command, cwd=project, env=_environment(folder), capture_output=True, text=True, check=False
    )
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if "rror" in line]
        found["error"] = (lines[-1] if lines else f"exit status {done.returncode}").replace(f"{project}/", "")
        if not (project / _UNFINISHED).is_dir():
            raise SystemExit(f"{' '.join(contender.command)}:\n{done.stdout}\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    """Ours, with caches of its own, in place of whichever were set; and nothing is sent to anybody."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and "CACHE" not in name}
    path = os.pathsep.join([str(HOME / "python/bin"), os.environ["PATH"]])
    quiet = {"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off", "SAM_CLI_TELEMETRY": "0", "CI": "1"}
    return {**kept, "PATH": path, "XDG_CACHE_HOME": str(folder / "cache"), **quiet}


def _artifact(folder: Path, contender: Contender) -> Path:
    """The artifact; a folder is zipped as the tool that leaves it would."""
    result = folder / "project" / contender.result
    if result.is_file():
        return result
    file = folder / "zipped.zip"
    root = result if result.is_dir() else folder / "project" / _UNFINISHED
    more = [] if result.is_dir() else [*root.parent.glob("*.py"), root.parent / ".serverless-wsgi"]
    paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    paths |= {path.name: path for path in more if not path.is_symlink()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(paths.items()):
            archive.write(path, name)
    return file


def report(found: dict[str, dict[str, Any]]) -> list[str]:
    """The tables."""
    alone = found[ALONE]["next, CPU"]
    times, contents, notes = [], [], []
    for name, at in found.items():
        mark = ""
        if "error" in at:
            notes.append(f"{name} makes no artifact of this project: {at['error']}")
            mark = " *"
        above = f"{at['next, CPU'] - alone:.1f}" if "serverless-" in name else ""
        times.append([name + mark, *(f"{at[key]:.2f}" for key in ("first", "next", "next, CPU")), above])
        if "MB" in at:
            counts = f"{at['of these that count']} of {at['bytecode files']}" if at["bytecode files"] else "none"
            contents.append(
                [name + mark, f"{at['MB']:.2f}", f"{at['MB of bytecode']:.2f}", counts,
                 f"{at['import flask, ms']:.0f}", at["native"], "yes" if at["dist-info"] else "no"]
            )  # fmt: skip
    heads = ["zip, MB", "of it bytecode", "bytecode that counts", "import flask, ms", "native files for", "dist-info"]
    return [
        "### Packaging Flask and pydantic for arm64: seconds",
        table(["", "the first time", "after a change", "of that the processor", "without serverless itself"], times),
        "### What is in the artifact",
        table(["", *heads], contents),
        *(f"\\* {note}" for note in notes),
    ]
