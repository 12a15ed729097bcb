"""Applications packaged by ``bridge package`` and deployed to ministack as functions."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from tests.dev.cli.packages import HOST, build_zip
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
# The base path is for `http_api_on_a_domain`. A path that does not begin with it is left as it is.
VARIABLES = {"SECRET_KEY": "of the sessions", "BRIDGE_REMOTE_COMMANDS": "on", "BRIDGE_BASE_PATH": f"/{BASE_PATH}"}

# Unpacking Django's translations and bytecode, most of its five thousand files, takes long.
_PACKAGE_OPTIONS = {
    "django-wsgi": ["--no-bytecode", "--exclude", "LC_MESSAGES/", "--include", "/django/conf/locale/en/LC_MESSAGES/"]
}


class Packager:
    """Packages copies of projects for a function that runs on this machine.

    Args:
        make_folder: creates a folder whose name begins with its argument.
        cache: the folder for the packager's cache.
    """

    def __init__(self, make_folder: Callable[[str], Path], cache: Path) -> None:
        self._make_folder = make_folder
        self._cache = cache

    def __call__(self, project: Path, app: str, *options: str) -> Path:
        """Return the zip of an application. With ``--layer`` that of the layer is beside it."""
        copy = self._make_folder(project.name) / "project"
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return build_zip(copy, self._cache, app, "--arch", str(HOST), "--platform", "manylinux_2_17", *options)


def deploy(
    ministack: Ministack,
    name: str,
    artifact: Path,
    variables: dict[str, str],
    *,
    layers: Sequence[Path] = (),
    runtime: str = RUNTIME,
) -> str:
    """Create a function of an artifact and its layers, and return its ARN."""
    client: LambdaClient = ministack.client("lambda")
    runtime_name: RuntimeType = runtime  # type: ignore[assignment]  # any of a list of literals
    function = client.create_function(
        FunctionName=name,
        Runtime=runtime_name,
        Role="arn:aws:iam::000000000000:role/function",
        Handler="bridge.entrypoint.handler",
        Code={"ZipFile": artifact.read_bytes()},
        Layers=[
            client.publish_layer_version(LayerName=name, Content={"ZipFile": layer.read_bytes()})["LayerVersionArn"]
            for layer in layers
        ],
        Environment={"Variables": variables},
        Timeout=30,
    )
    return function["FunctionArn"]


class DeployedExamples:
    """The example applications. Each is packaged, deployed, and given a front door when a test first needs it."""

    def __init__(self, ministack: Ministack, package: Packager) -> None:
        self._ministack, self._package = ministack, package
        self._artifacts: dict[str, Path] = {}
        self._functions: dict[str, str] = {}
        self._front_doors: dict[tuple[str, str], FrontDoor] = {}

    def artifact(self, name: str) -> Path:
        """Return the zip of an example."""
        if name not in self._artifacts:
            (example,) = (example for example in ALL_EXAMPLES if example.name == name)
            options = _PACKAGE_OPTIONS.get(name, ())
            self._artifacts[name] = self._package(example.folder, example.path.partition("/")[2], *options)
        return self._artifacts[name]

    def function(self, name: str) -> str:
        """Return the ARN of an example's function."""
        if name not in self._functions:
            self._functions[name] = deploy(self._ministack, name, self.artifact(name), VARIABLES)
        return self._functions[name]

    def front_door(self, name: str, create: Callable[[Ministack, str], FrontDoor]) -> FrontDoor:
        """Return the front door that *create* puts before an example."""
        key = name, create.__name__
        if key not in self._front_doors:
            self._front_doors[key] = create(self._ministack, self.function(name))
        return self._front_doors[key]
