"""Runs uv and pip."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bridge.dev.packaging.project_requirements import Requirements

# Lines of uv's error output that are not part of an error message.
_UV_PROGRESS = re.compile(
    r"(Using|Resolved|Prepared|Installed|Building|Built|Downloading|Downloaded|Updated|warning:|\+ )"
)
# VIRTUAL_ENV and PYTHONPATH change what an installer finds; the others contradict --target.
_HARMFUL_VARIABLES = {
    "VIRTUAL_ENV", "PYTHONPATH", "PIP_USER", "PIP_PREFIX", "PIP_TARGET", "PIP_ROOT", "PIP_EDITABLE", "PIP_DRY_RUN",
    "PIP_REPORT", "UV_SYSTEM_PYTHON", "UV_PROJECT",
}  # fmt: skip


def run_command(
    command: list[str], folder: Path, variables: Mapping[str, str] | None = None, *, shows_builds: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run an installer with the user's environment, but for settings that would break an artifact.

    Args:
        command: the program and its arguments.
        folder: the folder to run it in.
        variables: further environment variables; one that is empty is removed.
        shows_builds: whether the names of packages are printed when their builds begin and end.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _HARMFUL_VARIABLES}
    # A cached installation must not link into uv's own cache, which the user may clean.
    if environment.get("UV_LINK_MODE") == "symlink":
        environment["UV_LINK_MODE"] = "copy"
    # An editable installation is a path on this machine, and uv breaks the lines of its messages.
    environment |= {"UV_NO_EDITABLE": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "UV_NO_WRAP": "1"}
    environment |= variables or {}
    for name in [name for name, value in (variables or {}).items() if not value]:
        del environment[name]
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if shows_builds and line.strip().startswith(("Building ", "Built ")):
                print(line.strip(), file=sys.stderr, flush=True)
    return subprocess.CompletedProcess(command, process.returncode, "", "".join(lines))


def write_lines(file: Path, lines: Sequence[str]) -> str:
    """Write lines into a file, and return its path."""
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def uv_error(stderr: str) -> str:
    """Return uv's error message, indented, without the progress messages before it."""
    lines = [line for line in stderr.splitlines() if line.strip() and not _UV_PROGRESS.match(line.strip())]
    start = next((index for index, line in enumerate(lines) if line.startswith("error:")), 0)
    return "\n".join(f"  {line}" for line in lines[start:])


def installed_versions(folder: Path) -> list[str]:
    """Return the packages in a folder as lines of a constraints file."""
    infos = (info.name.removesuffix(".dist-info").rpartition("-") for info in sorted(folder.glob("*.dist-info")))
    return [f"{name}=={version}" for name, _, version in infos]


def subject(requirements: Requirements) -> str:
    """Return the subject of a message about requirements that cannot be installed."""
    return f"The requirements in {requirements.origin}" if requirements.origin else "The requirements of the bridge"
