"""The tools that the packaging benchmark compares, each with the command and the files of a user's project."""

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
# The tools are installed here once, which is not timed. Node finds plugins in the folders above a project.
HOME = _ROOT / ".cache" / "bench-npm"
_NPM = {"serverless": "3.40.0", "serverless-wsgi": "3.1.0", "serverless-python-requirements": "6.1.2"}
_SAM = "aws-sam-cli==1.170.0"
_PYTHON = f"python3.{sys.version_info.minor}"
_PYTHON_WITH_PIP = str(HOME / "python/bin/python")  # the plugins need pip and virtualenv

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
class Packager:
    """A tool that packages the project.

    Attributes:
        command: the command that the user runs.
        files: the project's files for this tool by name; each is written as JSON, which is YAML, too.
        result: the artifact; or a folder, which is zipped after the measurement.
    """

    command: tuple[str, ...]
    files: Mapping[str, object]
    result: str = ".serverless/tea.zip"


def _bridge(*options: str) -> Packager:
    command = (sys.executable, "-m", "bridge", "package", "app:app", "--arch", "arm64", *options)
    return Packager(command, {}, "build/function.zip")


def _serverless(*plugins: str, **custom: object) -> Packager:
    service = {**_SERVICE, "plugins": list(plugins), "custom": custom}
    return Packager(("node", str(HOME / "node_modules/.bin/serverless"), "package"), {"serverless.yml": service})


def _requirements(*, slim: bool) -> Packager:
    return _serverless(
        "serverless-python-requirements",
        "serverless-wsgi",
        wsgi={"app": "app.app", "packRequirements": False, "pythonBin": _PYTHON_WITH_PIP},
        pythonRequirements={
            "pythonBin": _PYTHON_WITH_PIP,
            "slim": slim,
            "dockerizePip": False,
            "pipCmdExtraArgs": ["--platform manylinux2014_aarch64", "--only-binary=:all:"],
        },
    )


SERVERLESS_ALONE = "serverless, no plugin"
PACKAGERS = {
    "bridge package": _bridge(),
    "bridge package --no-bytecode": _bridge("--no-bytecode"),
    "bridge package --no-bytecode --slim": _bridge("--no-bytecode", "--slim"),
    SERVERLESS_ALONE: _serverless(),
    "serverless-bridge": _serverless(
        str(_ROOT / "bridge/dev/serverless_plugin"), wsgi={"app": "app.app", "pythonBin": sys.executable}
    ),
    "serverless-python-requirements": _requirements(slim=False),
    "serverless-python-requirements, slim": _requirements(slim=True),
    "serverless-wsgi": _serverless("serverless-wsgi", wsgi={"app": "app.app", "pythonBin": _PYTHON_WITH_PIP}),
    "sam build --cached": Packager(
        (str(HOME / "sam/bin/sam"), "build", "--cached"), {"template.yaml": _TEMPLATE}, ".aws-sam/build/Tea"
    ),
}


def install() -> None:
    """Install the tools that are missing from :data:`HOME`."""
    HOME.mkdir(parents=True, exist_ok=True)
    package_json = json.dumps({"private": True, "dependencies": _NPM})
    complete = HOME / "node_modules/complete"
    if not complete.is_file() or complete.read_text() != package_json:
        if shutil.which("npm") is None:
            raise SystemExit(
                "npm was not found, and the Serverless Framework is an npm package. Install Node.js 20 or later, which "
                "includes npm, and run scripts/bench --only packaging again."
            )
        (HOME / "package.json").write_text(package_json)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=HOME, stdout=sys.stderr, check=True)
        complete.write_text(package_json)
    for name, packages in (("python", ["virtualenv"]), ("sam", [_SAM])):
        environment = HOME / name
        if not (environment / "complete").is_file():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
            python, uv = str(environment / "bin/python"), find_uv()
            command = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
            subprocess.run([*command, "--quiet", "--upgrade", "pip", *packages], check=True)
            (environment / "complete").touch()
