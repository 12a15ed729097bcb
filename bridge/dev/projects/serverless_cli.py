"""The configuration of a service as the Serverless Framework itself resolves it, for files that are programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError
from bridge.dev.projects.config_values import mapping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# In the order in which the framework searches for them, after serverless.yml, serverless.yaml and serverless.json.
PROGRAMS = (
    "serverless.js", "serverless.cjs", "serverless.mjs", "serverless.ts", "serverless.cts", "serverless.mts",
)  # fmt: skip
_COMMANDS = ("serverless", "osls", "sls")
_TIMEOUT_SECONDS = 120


class FrameworkError(CommandError):
    """The framework is not installed, or it cannot resolve the configuration."""


def resolve_with_framework(
    folder: Path, file: str, options: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the configuration in *file*, with all variables resolved, as ``serverless print`` prints it.

    Args:
        folder: the folder of the service.
        file: the name of the file, one of ``PROGRAMS``.
        options: options of the framework's command line, such as stage.
        environment: variables that are set for the framework in addition.

    Raises:
        FrameworkError: the framework is not installed, or it cannot resolve the configuration.
    """
    program = _find_program(folder)
    if program is None:
        raise FrameworkError(
            f"{file} is a program that the Serverless Framework runs. The framework is neither in node_modules nor on "
            "the PATH; install it with `npm install`."
        )
    words = [f"--{name}={value}" for name, value in options.items()]
    try:
        done = subprocess.run(  # noqa: S603
            [program, "print", "--format", "json", *words],
            cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FrameworkError(f"{file} cannot be read, because `serverless print` failed: {error}") from None
    try:
        return mapping(json.loads(done.stdout[max(done.stdout.find("{"), 0) :]))
    except ValueError:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        details = "\n".join(f"  {line}" for line in lines[:6]) or f"  it ended with status {done.returncode}"
        raise FrameworkError(f"{file} cannot be read, because `serverless print` failed:\n{details}") from None


def _find_program(folder: Path) -> str | None:
    """Return the framework's program: that of the service or of a folder above it, or one on the PATH."""
    for place in (folder.resolve(), *folder.resolve().parents):
        for name in _COMMANDS:
            if (program := shutil.which(name, path=str(place / "node_modules" / ".bin"))) is not None:
                return program
    return next((program for name in _COMMANDS if (program := shutil.which(name)) is not None), None)
