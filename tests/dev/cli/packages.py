"""Projects to package, and what becomes of them."""

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

HOST = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())

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

# For each project: its files, its application, and what it answers to GET /.
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


def write(folder: Path, files: dict[str, str]) -> Path:
    """Make the project's files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def package(folder: Path, cache: Path, *words: str, **env: str) -> tuple[int, str, str]:
    """``bridge package`` with a cache of its own; uv's stays what it is."""
    temporary(folder).mkdir(exist_ok=True)
    own = {"XDG_CACHE_HOME": str(cache), "UV_CACHE_DIR": uv_cache(), "TMPDIR": str(temporary(folder))}
    return run(folder, "package", *words, **{**own, **env})


def temporary(folder: Path) -> Path:
    """Where ``bridge package`` in *folder* has its temporary files."""
    return folder.with_name(f"{folder.name}-temporary")


def packaged(folder: Path, cache: Path, *words: str, **env: str) -> Path:
    """The zip that it makes."""
    status, out, err = package(folder, cache, *words, **env)
    assert status == 0, out + err
    return folder / "build" / "function.zip"


@functools.cache
def uv_cache() -> str:
    """The folder of uv's cache."""
    return subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()


def names(file: Path) -> set[str]:
    """What is in a zip."""
    with ZipFile(file) as archive:
        return set(archive.namelist())


def unpacked(file: Path, folder: Path) -> Path:
    """A zip's files as Lambda has them: with their modes, and nobody may write."""
    subprocess.run(["unzip", "-q", str(file), "-d", str(folder)], check=True)
    for place, _, _ in os.walk(folder):
        Path(place).chmod(0o555)
    return folder


def listing(folder: Path) -> dict[str, str]:
    """Every file with what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def aws_client(folder: Path) -> Path:
    """AWS's runtime client and what it needs, in a folder where nothing else is."""
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for file in importlib.metadata.files(name) or ():
            place = Path(str(file.locate()))
            if place.is_file() and ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(place, folder / file)
    return folder


def bare_python() -> list[str]:
    """This Python without any package that is installed for it: what an artifact lacks it does not find there."""
    return [getattr(sys, "_base_executable", sys.executable), "-S"]
