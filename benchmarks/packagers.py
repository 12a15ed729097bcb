"""Who packages one project for arm64: ``bridge package``, the plugins of today, and SAM, each as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging.installer import find_uv

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parents[1]
# What is installed once, and not counted. Node looks for plugins in the folders above a project.
HOME = _ROOT / ".cache" / "bench-npm"
_NPM = {"serverless": "3.40.0", "serverless-wsgi": "3.1.0", "serverless-python-requirements": "6.1.2"}
_SAM = "aws-sam-cli==1.170.0"
_PYTHON = f"python3.{sys.version_info.minor}"
_PIP = str(HOME / "python/bin/python")  # one that has pip and virtualenv, which the plugins take

APP = """
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
REQUIREMENTS = "flask==3.1.2\npydantic==2.12.4\n"
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
    return Contender(("node", str(HOME / "node_modules/.bin/serverless"), "package"), {"serverless.yml": service})


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
    "bridge package --no-bytecode --slim": _bridge("--no-bytecode", "--slim"),
    ALONE: _serverless(),
    "serverless-bridge": _serverless(
        str(_ROOT / "bridge/dev/serverless_plugin"), wsgi={"app": "app.app", "pythonBin": sys.executable}
    ),
    "serverless-python-requirements": _requirements(slim=False),
    "serverless-python-requirements, slim": _requirements(slim=True),
    "serverless-wsgi": _serverless("serverless-wsgi", wsgi={"app": "app.app", "pythonBin": _PIP}),
    "sam build --cached": Contender(
        (str(HOME / "sam/bin/sam"), "build", "--cached"), {"template.yaml": _TEMPLATE}, ".aws-sam/build/Tea"
    ),
}


def install() -> None:
    """Bring the peers, if they are not there."""
    HOME.mkdir(parents=True, exist_ok=True)
    listed = json.dumps({"private": True, "dependencies": _NPM})
    complete = HOME / "node_modules/complete"
    if not complete.is_file() or complete.read_text() != listed:
        if shutil.which("npm") is None:
            raise SystemExit("The peers are npm packages: this takes Node.js and npm.")
        (HOME / "package.json").write_text(listed)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=HOME, stdout=sys.stderr, check=True)
        complete.write_text(listed)
    for name, packages in (("python", ["virtualenv"]), ("sam", [_SAM])):
        place = HOME / name
        if not (place / "complete").is_file():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
            python, uv = str(place / "bin/python"), find_uv()
            command = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
            subprocess.run([*command, "--quiet", "--upgrade", "pip", *packages], check=True)
            (place / "complete").touch()
