"""Running the Serverless Framework as a person does, in a project with the plugin."""

from __future__ import annotations

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
_PATIENCE = 180.0


class Ran(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Framework:
    """One edition of the framework.

    Args:
        home: the folder with its ``node_modules``.
        cache: the folder for what packaging keeps.
    """

    def __init__(self, home: Path, cache: Path) -> None:
        self.home, self._cache = home, cache
        self.program = home / "node_modules" / ".bin" / "sls"

    def project(self, folder: Path, files: Mapping[str, str], config: Mapping[str, Any]) -> Project:
        """A service in *folder*.

        Args:
            folder: made if it is not there.
            files: its files.
            config: what serverless.yml says beside name, provider and plugin; ``provider`` adds to that.
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
            own = PLUGIN if plugin == "serverless-bridge" else self.home / "node_modules" / plugin
            (modules / plugin).symlink_to(own)
        return Project(self, folder)

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        """What a command finds in *folder*: this Python as that of an active environment, no account."""
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
            "SLS_SCHEMA_CACHE_BASE_DIR": str(self.home),  # else each home makes a validator of its own, for 4 s
        }
        kept = {name: value for name, value in environment().items() if not name.startswith("AWS_")}
        return {**kept, **own, **more}


class Project:
    """A service."""

    def __init__(self, framework: Framework, folder: Path) -> None:
        self.framework, self.folder = framework, folder

    def sls(self, *words: str, **env: str) -> Ran:
        """Run a command to its end."""
        done = subprocess.run(
            [str(self.framework.program), *words],
            cwd=self.folder,
            env=self.framework.environment(self.folder, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def package(self, *words: str) -> Packaged:
        """``sls package``, which must go well."""
        ran = self.sls("package", *words)
        assert ran.status == 0, ran.out + ran.err
        return Packaged(self.folder / (words[-1] if words else ".serverless"), ran)


class Packaged:
    """What ``sls package`` has made.

    Attributes:
        ran: how that went.
    """

    def __init__(self, folder: Path, ran: Ran) -> None:
        self._folder, self.ran = folder, ran
        template = json.loads((folder / "cloudformation-template-update-stack.json").read_text())
        self._resources = template["Resources"]

    def function(self, name: str) -> dict[str, Any]:
        """The properties of a function in CloudFormation's template."""
        properties: dict[str, Any] = self._resources[f"{name.capitalize()}LambdaFunction"]["Properties"]
        return properties

    def variables(self, name: str) -> dict[str, str]:
        """A function's environment."""
        variables: dict[str, str] = self.function(name).get("Environment", {}).get("Variables", {})
        return variables

    def artifact(self, name: str) -> Path:
        """The zip of a function."""
        return self._folder / str(self.function(name)["Code"]["S3Key"]).rpartition("/")[2]
