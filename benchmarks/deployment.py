"""Measures deploying one project to ministack: ``bridge deploy``, the Serverless Framework, and SAM.

The project is that of the packaging benchmark. ministack takes no time for resources for which AWS takes seconds, so
that the figures are those of the tools: packaging, uploads, and the intervals between their polls.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.packagers import APP, HOME, PACKAGERS, REQUIREMENTS, install
from benchmarks.table import table
from bridge.dev.packaging.installer import find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SCRIPTS = HOME.parents[1] / "scripts"
_START_SECONDS = 30
_TRANSLATOR = HOME / "translator"
_SAM = str(HOME / "sam/bin/sam")
_SERVERLESS = ("node", str(HOME / "node_modules/.bin/serverless"))
# Serverless 3 has version 2 of AWS's SDK, which ignores AWS_ENDPOINT_URL.
_ENDPOINT_PLUGIN = """
module.exports = class {
  constructor(serverless) {
    const { config } = serverless.getProvider('aws').sdk;
    config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  }
};
"""


@dataclass(frozen=True)
class DeployTool:
    """A tool that deploys the project.

    Attributes:
        commands: the commands that the user runs.
        files: the project's files for this tool by name; what is no text is written as JSON.
    """

    commands: Sequence[Sequence[str]]
    files: Mapping[str, object] = field(default_factory=dict)


def _serverless() -> DeployTool:
    service: Any = PACKAGERS["serverless-python-requirements"].files["serverless.yml"]
    provider = {**service["provider"], "region": "us-east-1"}
    plugins = [*service["plugins"], "./endpoint.js"]
    files = {"serverless.yml": {**service, "provider": provider, "plugins": plugins}, "endpoint.js": _ENDPOINT_PLUGIN}
    return DeployTool([[*_SERVERLESS, "deploy"]], files)


def _sam() -> DeployTool:
    template: Any = PACKAGERS["sam build --cached"].files["template.yaml"]
    deploy = [_SAM, "deploy", "--stack-name", "tea-sam", "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
    deploy += ["--no-confirm-changeset", "--no-progressbar"]
    return DeployTool([[_SAM, "build", "--cached"], deploy], {"template.yaml": template})


TOOLS = {
    "bridge deploy": DeployTool(
        [[sys.executable, "-m", "bridge", "deploy", "--yes", "--no-check", "--arch", "arm64", "--name", "tea-bridge"]]
    ),
    "serverless deploy": _serverless(),
    "sam build, sam deploy": _sam(),
}


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """Return for each tool the seconds of the first deployment and of one after a change to the code."""
    install()
    _install_translator()
    work = HOME / "deployments"
    results: dict[str, dict[str, Any]] = {name: {"first": [], "next": [], "nothing": []} for name in TOOLS}
    for _ in range(rounds):
        shutil.rmtree(work, ignore_errors=True)
        with _ministack(work) as url:
            for index, (name, tool) in enumerate(TOOLS.items()):
                folder = work / str(index)
                _write_project(folder / "project", tool)
                results[name]["first"].append(_deploy(tool, folder, url))
                (folder / "project/app.py").write_text(f"{APP}\n# Changed.\n")
                results[name]["next"].append(_deploy(tool, folder, url))
                results[name]["nothing"].append(_deploy(tool, folder, url, may_fail=True))
    shutil.rmtree(work)
    return {name: {key: median(seconds) for key, seconds in figures.items()} for name, figures in results.items()}


def _install_translator() -> None:
    """Install the package with which ministack reads SAM templates."""
    if not (_TRANSLATOR / "complete").is_file():
        uv = find_uv()
        pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
        command = [*pip, "--quiet", "--target", str(_TRANSLATOR), "aws-sam-translator"]
        subprocess.run(command, stdout=sys.stderr, check=True)
        (_TRANSLATOR / "complete").touch()


@contextlib.contextmanager
def _ministack(work: Path) -> Iterator[str]:
    """Run ministack, and provide its URL."""
    script = [sys.executable, str(_SCRIPTS / "ministack")]
    python = subprocess.run(script, check=True, capture_output=True, text=True).stdout.strip()
    folder = work / "ministack"
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(folder),
        "PYTHONPATH": str(_TRANSLATOR),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "ministack"], cwd=folder, env={**os.environ, **variables}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/_ministack/health").close()
                break
            except (URLError, OSError):
                if time.monotonic() > deadline:
                    raise SystemExit(f"ministack did not start: see {folder / 'log'}") from None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _write_project(folder: Path, tool: DeployTool) -> None:
    folder.mkdir(parents=True)
    for name, content in tool.files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text(REQUIREMENTS)


def _deploy(tool: DeployTool, folder: Path, url: str, *, may_fail: bool = False) -> float:
    """Run the commands of a tool and return their seconds; `sam deploy` fails if nothing has changed."""
    inherited = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    variables = {
        "PATH": os.pathsep.join([str(HOME / "python/bin"), os.environ["PATH"]]),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
        "SAM_CLI_TELEMETRY": "0",
        "CI": "1",
    }
    start = time.monotonic()
    for command in tool.commands:
        process = subprocess.run(
            command, cwd=folder / "project", env={**inherited, **variables}, capture_output=True, text=True, check=False
        )
        if process.returncode and not may_fail:
            raise SystemExit(f"{' '.join(command)} failed:\n{process.stdout}\n{process.stderr}")
    return time.monotonic() - start


def report(results: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of times."""
    keys = ("first", "next", "nothing")
    rows = [[name, *(f"{figures[key]:.1f}" for key in keys)] for name, figures in results.items()]
    return [
        "### Deploying Flask and pydantic for arm64 to ministack: seconds",
        table(["", "the first time", "after a change", "without a change"], rows),
    ]
