"""The Serverless Framework, run in a service with the plugin."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.dev.cli.packages import uv_cache, write_files
from tests.dev.cli.serve_process import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

EDITIONS = ["serverless-3", "osls-4"]
PLUGIN = Path(__file__).parents[3] / "bridge" / "dev" / "serverless_plugin"
RUNTIME = f"python3.{sys.version_info.minor}"
_TIMEOUT = 180.0  # seconds


def in_turn(*cases: Any) -> list[Any]:
    """Return each case with one edition, for tests of what the plugin does alike in every edition."""
    return [*zip(itertools.cycle(EDITIONS), cases)]


class CommandResult(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


class Framework:
    """One edition of the framework.

    Args:
        home: the folder with the ``node_modules`` of the framework.
        cache: the folder for the caches of packaging.
    """

    def __init__(self, home: Path, cache: Path) -> None:
        self.home, self._cache = home, cache
        self.program = home / "node_modules" / ".bin" / "sls"

    def project(self, folder: Path, files: Mapping[str, str], config: Mapping[str, Any]) -> ServerlessProject:
        """Write a service.

        Args:
            folder: the folder of the service, which is made.
            files: the files of the service.
            config: the content of serverless.yml, without the service's name, its plugin and most of its provider.
        """
        plugins = ["serverless-bridge", *config.get("plugins", [])]
        content: dict[str, Any] = {
            "service": "shop",
            **config,
            "plugins": plugins,
            "provider": {"name": "aws", "runtime": RUNTIME, **config.get("provider", {})},
        }
        write_files(folder, {**files, "serverless.yml": json.dumps(content, indent=1)})  # JSON is YAML
        modules = folder / "node_modules"
        modules.mkdir()
        for plugin in plugins:
            if (folder / ".serverless_plugins" / plugin).is_dir():
                continue
            own = PLUGIN if plugin == "serverless-bridge" else self.home / "node_modules" / plugin
            (modules / plugin).symlink_to(own)
        return ServerlessProject(self, folder)

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        """Return the variables of a command in *folder*: an active environment with this Python, no AWS credentials."""
        home = folder.with_name(f"{folder.name}-home")
        home.mkdir(exist_ok=True)
        own = {
            "HOME": str(home),
            "VIRTUAL_ENV": sys.prefix,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self._cache),
            "UV_CACHE_DIR": uv_cache(),
            "SLS_TRACKING_DISABLED": "1",
            "SLS_NOTIFICATIONS_MODE": "off",
            "SLS_SCHEMA_CACHE_BASE_DIR": str(self.home),  # or each home compiles the schema, for 4 s
        }
        kept = {name: value for name, value in environment().items() if not name.startswith("AWS_")}
        return {**kept, **own, **more}


class ServerlessProject:
    """A service in a folder."""

    def __init__(self, framework: Framework, folder: Path) -> None:
        self.framework, self.folder = framework, folder

    def sls(self, *words: str, **env: str) -> CommandResult:
        """Run a command of the framework until it ends."""
        done = subprocess.run(
            [str(self.framework.program), *words],
            cwd=self.folder,
            env=self.framework.environment(self.folder, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def package(self, *words: str) -> PackagedService:
        """Run ``sls package``, which must succeed."""
        result = self.sls("package", *words)
        assert result.status == 0, result.out + result.err
        return PackagedService(self.folder / (words[-1] if words else ".serverless"), result)


class PackagedService:
    """The output of ``sls package``.

    Attributes:
        result: the result of the command.
    """

    def __init__(self, folder: Path, result: CommandResult) -> None:
        self._folder, self.result = folder, result
        template = json.loads((folder / "cloudformation-template-update-stack.json").read_text())
        self._resources = template["Resources"]

    def function(self, name: str) -> dict[str, Any]:
        """Return the properties of a function in the CloudFormation template."""
        properties: dict[str, Any] = self._resources[f"{name.capitalize()}LambdaFunction"]["Properties"]
        return properties

    def variables(self, name: str) -> dict[str, str]:
        """Return the environment variables of a function."""
        variables: dict[str, str] = self.function(name).get("Environment", {}).get("Variables", {})
        return variables

    def artifact(self, name: str) -> Path:
        """Return the artifact of a function."""
        return self._folder / str(self.function(name)["Code"]["S3Key"]).rpartition("/")[2]
