"""Runs ``bridge package`` on sample projects, and inspects the artifacts."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from tests.dev.cli.serve_process import run

# This machine's processor as Lambda names it; None if Lambda does not have it.
HOST = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())

PLAIN = """
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"tea"]
"""

FLASK = """
from importlib.metadata import version
from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return f"flask {version('flask')} {Path(__file__).with_name('data.txt').read_text()}"
"""

FASTAPI = """
from fastapi import FastAPI
from pydantic import BaseModel


class Tea(BaseModel):
    cups: int


app = FastAPI()


@app.get("/")
async def index(cups: int = 2) -> Tea:
    return Tea(cups=cups)
"""

MODULES = """
import six
from jaraco.context import suppress
from jaraco.functools import compose
from own.space.words import WORD


def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [compose(six.ensure_binary, str.upper)(WORD)]
"""

# Each project's files, its application, and the body of its response to GET /.
PROJECTS: dict[str, tuple[dict[str, str], str, str]] = {
    "flask": ({"app.py": FLASK, "data.txt": "tea", "requirements.txt": "flask==3.1.2\n"}, "app:app", "flask 3.1.2 tea"),
    "fastapi": ({"main.py": FASTAPI, "requirements.txt": "fastapi\npydantic\n"}, "main:app", '{"cups":2}'),
    "modules": (
        {
            "app.py": MODULES,
            "own/space/words.py": "WORD = 'tea'\n",
            "requirements.txt": "six\njaraco.context\njaraco.functools\n",
        },
        "app.app",
        "TEA",
    ),
    "subfolder": (
        {"web/app.py": FLASK, "web/data.txt": "sub", "web/requirements.txt": "flask==3.1.2\n", "other.py": ""},
        "web/app.app",
        "flask 3.1.2 sub",
    ),
}


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write files, by their paths in *folder*, and return *folder*."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run_package(folder: Path, cache: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Run ``bridge package`` with the bridge's cache in *cache*, and return exit status, output and error output."""
    temporary_folder(folder).mkdir(exist_ok=True)
    own = {"XDG_CACHE_HOME": str(cache), "UV_CACHE_DIR": uv_cache(), "TMPDIR": str(temporary_folder(folder))}
    return run(folder, "package", *arguments, **{**own, **env})


def temporary_folder(folder: Path) -> Path:
    """Return the folder in which :func:`run_package` has its temporary files."""
    return folder.with_name(f"{folder.name}-temporary")


def build_zip(folder: Path, cache: Path, *arguments: str, **env: str) -> Path:
    """Run ``bridge package`` successfully, and return the path of the artifact."""
    status, out, err = run_package(folder, cache, *arguments, **env)
    assert status == 0, out + err
    return folder / "build" / "function.zip"


@functools.cache
def uv_cache() -> str:
    """Return the folder of uv's cache."""
    return subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()


def zip_names(file: Path) -> set[str]:
    """Return the paths of the files in a zip file."""
    with ZipFile(file) as archive:
        return set(archive.namelist())


def unpack(file: Path, folder: Path) -> Path:
    """Unpack a zip file into *folder* as Lambda does: with the modes of files, and read-only."""
    subprocess.run(["unzip", "-q", str(file), "-d", str(folder)], check=True)
    for place, _, _ in os.walk(folder):
        Path(place).chmod(0o555)
    return folder


def file_digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file below *folder* by its path; ``"folder"`` for folders."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def aws_client(folder: Path) -> Path:
    """Copy AWS's runtime client and its requirements, and nothing else, into *folder*."""
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for file in importlib.metadata.files(name) or ():
            place = Path(str(file.locate()))
            if place.is_file() and ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(place, folder / file)
    return folder


def other_python(folder: Path) -> tuple[str, dict[str, str]]:
    """Return a version of Python that Lambda has, and the environment of a machine without it, but with uv."""
    version = "3.13" if sys.version_info[:2] != (3, 13) else "3.12"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv")
    if uv is not None and not (folder / "bin" / "uv").exists():
        (folder / "bin" / "uv").symlink_to(uv)
    return version, {"PATH": str(folder / "bin"), "PYENV_ROOT": str(folder), "UV_PYTHON_INSTALL_DIR": str(folder)}


def without_uv(folder: Path) -> dict[str, str]:
    """Return the environment of a machine that has pip, but not uv."""
    (folder / "bin").mkdir(parents=True)
    for name in ("git", "pip", "pip3"):
        if program := shutil.which(name):
            (folder / "bin" / name).symlink_to(program)
    return {"PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"}


def bare_python() -> list[str]:
    """Return the command of this Python without installed packages, so that all imports come from an artifact."""
    return [str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")), "-S"]
