"""Runs ``bridge deploy`` and the commands beside it on small projects, against ministack."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.dev.cli.packages import uv_cache, write_files
from tests.dev.cli.serve_process import BRIDGE, environment
from tests.end_to_end.ministack import CREDENTIALS
from tests.remote.fake_lambda import NO_AWS_CONFIG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAIN = """
import os

def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    print("answering", environ["PATH_INFO"])
    return [f"{WORD} {os.environ.get('TEA')}".encode()]

WORD = "one"
"""
# ministack runs functions by this Python, on this machine's C library.
TARGET = ("--python", f"3.{sys.version_info.minor}", "--platform", "manylinux_2_17")


class DeployProject:
    """A project that is deployed.

    Args:
        folder: the project's folder; its name is that of the deployment.
        cache: a folder for the packager's cache.
        url: the endpoint.
    """

    def __init__(self, folder: Path, cache: Path, url: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.url = folder, url
        self._environment = {
            **CREDENTIALS,
            **NO_AWS_CONFIG,
            "XDG_CACHE_HOME": str(cache),
            "XDG_STATE_HOME": str(folder.parent / f"{folder.name}-state"),
            "UV_CACHE_DIR": uv_cache(),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        write_files(folder, {"app.py": PLAIN, "requirements.txt": ""})

    def edit(self, old: str, new: str, file: str = "app.py") -> None:
        """Replace a text in a file of the project."""
        path = self.folder / file
        path.write_text(path.read_text().replace(old, new))

    def start(
        self, *arguments: str, stdin: int = subprocess.DEVNULL, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a command of ``bridge`` in the project."""
        return subprocess.Popen(
            [BRIDGE, *arguments],
            cwd=self.folder,
            env=environment(**{**self._environment, **(env or {})}),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        """Run a command of ``bridge`` in the project, and return exit status, output and error output."""
        process = self.start(*arguments, env=env)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def deploy(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        """Run ``bridge deploy --yes``."""
        return self.run("deploy", "--yes", "--endpoint-url", self.url, *TARGET, *arguments, **env)

    def deploy_successfully(self, *arguments: str) -> str:
        """Deploy, and return the URL."""
        status, out, err = self.deploy(*arguments)
        assert status == 0, err
        (url,) = out.splitlines()
        return url
