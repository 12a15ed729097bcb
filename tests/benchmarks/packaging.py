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
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bridge.packaging.install import find_uv
from tests.benchmarks import artifact
from tests.benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOT = Path(__file__).parents[2]
# What is installed once, and not counted. Node looks for plugins in the folders above a project.
_HOME = _ROOT / ".cache" / "bench-npm"
_NPM = {"serverless": "3.40.0", "serverless-wsgi": "3.1.0", "serverless-python-requirements": "6.1.2"}
_SAM = "aws-sam-cli==1.170.0"
_PYTHON = f"python3.{sys.version_info.minor}"
_PIP = str(_HOME / "python/bin/python")  # one that has pip and virtualenv, which the plugins take
_IMPORTS = 7

_APP = """
from flask import Flask
from pydantic import BaseModel

app = Flask(__name__)


class Tea(BaseModel):
    name: str
    grams: int = 100


@app.get("/")
def tea():
    return Tea(name="Assam").model_dump()
"""
_REQUIREMENTS = "flask==3.1.2\npydantic==2.12.4\n"
_SERVICE = {
    "service": "tea",
    "frameworkVersion": "3",
    "provider": {"name": "aws", "runtime": _PYTHON, "architecture": "arm64"},
    "functions": {"api": {"handler": "wsgi_handler.handler", "events": [{"httpApi": "*"}]}},
}
_TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Tea": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": ".", "Handler": "app.app", "Runtime": _PYTHON, "Architectures": ["arm64"]},
        }
    },
}


@dataclass(frozen=True)
class Contender:
    """Somebody who packages.

    Attributes:
        command: what the user types.
        files: what the project has besides its code and requirements.
        result: the artifact; or the folder that is one once it is zipped, which does not count as time.
    """

    command: tuple[str, ...]
    files: Mapping[str, object]
    result: str = ".serverless/tea.zip"


def _bridge(*options: str) -> Contender:
    words = ("-m", "bridge", "package", "app:app", "--arch", "arm64", *options)
    return Contender((sys.executable, *words), {}, "build/function.zip")


def _serverless(*plugins: str, **custom: object) -> Contender:
    service = {**_SERVICE, "plugins": list(plugins), "custom": custom}
    # JSON is YAML, too.
    return Contender(("node", str(_HOME / "node_modules/.bin/serverless"), "package"), {"serverless.yml": service})


def _requirements(*, slim: bool) -> Contender:
    return _serverless(
        "serverless-python-requirements",
        "serverless-wsgi",
        wsgi={"app": "app.app", "packRequirements": False, "pythonBin": _PIP},
        pythonRequirements={
            "pythonBin": _PIP,
            "slim": slim,
            "dockerizePip": False,
            "pipCmdExtraArgs": ["--platform manylinux2014_aarch64", "--only-binary=:all:"],
        },
    )


ALONE = "serverless, no plugin"
CONTENDERS = {
    "bridge package": _bridge(),
    "bridge package --no-bytecode": _bridge("--no-bytecode"),
    ALONE: _serverless(),
    "serverless-bridge": _serverless(
        str(_ROOT / "bridge/serverless"), wsgi={"app": "app.app", "pythonBin": sys.executable}
    ),
    "serverless-python-requirements": _requirements(slim=False),
    "serverless-python-requirements, slim": _requirements(slim=True),
    "serverless-wsgi": _serverless("serverless-wsgi", wsgi={"app": "app.app", "pythonBin": _PIP}),
    "sam build --cached": Contender(
        (str(_HOME / "sam/bin/sam"), "build", "--cached"), {"template.yaml": _TEMPLATE}, ".aws-sam/build/Tea"
    ),
}
# Where the folder is that serverless-wsgi would have zipped, had Serverless not stopped.
_UNFINISHED = ".requirements"


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """For each contender seconds the first time and the next times, and what there is to say of its artifact."""
    _install()
    work = _HOME / "work"
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
        (folder / "project/app.py").write_text(f"{_APP}\n# Changed.\n")
        yield name, *_run(CONTENDERS[name], folder, found[name])


def _write(folder: Path, contender: Contender) -> None:
    folder.mkdir(parents=True)
    for name, content in contender.files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "app.py").write_text(_APP)
    (folder / "requirements.txt").write_text(_REQUIREMENTS)


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
    path = os.pathsep.join([str(_HOME / "python/bin"), os.environ["PATH"]])
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


def _install() -> None:
    """Bring the peers, if they are not there."""
    _HOME.mkdir(parents=True, exist_ok=True)
    listed = json.dumps({"private": True, "dependencies": _NPM})
    complete = _HOME / "node_modules/complete"
    if not complete.is_file() or complete.read_text() != listed:
        if shutil.which("npm") is None:
            raise SystemExit("The peers are npm packages: this takes Node.js and npm.")
        (_HOME / "package.json").write_text(listed)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=_HOME, check=True)
        complete.write_text(listed)
    for name, packages in (("python", ["virtualenv"]), ("sam", [_SAM])):
        place = _HOME / name
        if not (place / "complete").is_file():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
            python, uv = str(place / "bin/python"), find_uv()
            install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
            subprocess.run([*install, "--quiet", "--upgrade", "pip", *packages], check=True)
            (place / "complete").touch()


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
