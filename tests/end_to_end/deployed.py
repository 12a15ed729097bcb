"""Applications packaged by ``bridge package`` and deployed to ministack as functions."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from tests.dev.cli.packages import HOST, packaged
from tests.end_to_end.front_doors import BASE_PATH
from tests.examples.applications import ALL_EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.literals import RuntimeType

    from tests.end_to_end.front_doors import FrontDoor
    from tests.end_to_end.ministack import Ministack

RUNTIME = f"python3.{sys.version_info.minor}"
# What a shop is given. The base path is that of `http_api_on_a_domain`; a path that does not begin with it stays whole.
VARIABLES = {"SECRET_KEY": "of the sessions", "BRIDGE_REMOTE_COMMANDS": "on", "BRIDGE_BASE_PATH": f"/{BASE_PATH}"}

# Of Django's five thousand files those that are translations, or bytecode, take long to unpack and are not missed.
_OPTIONS = {
    "django-wsgi": ["--no-bytecode", "--exclude", "LC_MESSAGES/", "--include", "/django/conf/locale/en/LC_MESSAGES/"]
}


class Packager:
    """Makes artifacts for the Lambda that this machine is, of copies of projects.

    Args:
        new_folder: makes one, with a name that begins as it is told.
    """

    def __init__(self, new_folder: Callable[[str], Path]) -> None:
        self._new_folder = new_folder
        self._cache = new_folder("cache")

    def __call__(self, project: Path, app: str, *options: str) -> Path:
        """The zip of an application; with ``--layer`` there is one of its layer beside it."""
        copy = self._new_folder(project.name) / "project"
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return packaged(copy, self._cache, app, "--arch", str(HOST), "--platform", "manylinux_2_17", *options)


def deploy(
    ministack: Ministack,
    name: str,
    artifact: Path,
    variables: dict[str, str],
    *,
    layers: Sequence[Path] = (),
    runtime: str = RUNTIME,
) -> str:
    """A new function of an artifact and its layers; its ARN."""
    lambdas: LambdaClient = ministack.client("lambda")
    named: RuntimeType = runtime  # type: ignore[assignment]  # one of a list
    made = lambdas.create_function(
        FunctionName=name,
        Runtime=named,
        Role="arn:aws:iam::000000000000:role/function",
        Handler="bridge.entrypoint.handler",
        Code={"ZipFile": artifact.read_bytes()},
        Layers=[
            lambdas.publish_layer_version(LayerName=name, Content={"ZipFile": layer.read_bytes()})["LayerVersionArn"]
            for layer in layers
        ],
        Environment={"Variables": variables},
        Timeout=30,
    )
    return made["FunctionArn"]


class Shops:
    """The tea shops of the examples, deployed when they are first asked for, and the front doors before them."""

    def __init__(self, ministack: Ministack, package: Packager) -> None:
        self._ministack, self._package = ministack, package
        self._artifacts: dict[str, Path] = {}
        self._functions: dict[str, str] = {}
        self._doors: dict[tuple[str, str], FrontDoor] = {}

    def artifact(self, name: str) -> Path:
        """A shop's zip."""
        if name not in self._artifacts:
            (example,) = (example for example in ALL_EXAMPLES if example.name == name)
            app = example.path.partition("/")[2]
            self._artifacts[name] = self._package(example.folder, app, *_OPTIONS.get(name, ()))
        return self._artifacts[name]

    def function(self, name: str) -> str:
        """A shop's function: its ARN."""
        if name not in self._functions:
            self._functions[name] = deploy(self._ministack, name, self.artifact(name), VARIABLES)
        return self._functions[name]

    def door(self, name: str, make: Callable[[Ministack, str], FrontDoor]) -> FrontDoor:
        """A front door before it."""
        key = name, make.__name__
        if key not in self._doors:
            self._doors[key] = make(self._ministack, self.function(name))
        return self._doors[key]
