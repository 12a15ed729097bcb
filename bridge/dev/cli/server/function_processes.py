"""``bridge serve --runtime``: each function in processes of its own, as Lambda runs it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.function_loader import tell_of_unknown
from bridge.dev.cli.options import framework_options
from bridge.dev.errors import CommandError, NoApplicationError
from bridge.dev.gateway import front_door
from bridge.dev.gateway.lambda_service import LambdaService
from bridge.dev.projects.env_file import read_env_file
from bridge.dev.projects.project import Function, Project, find_project

if TYPE_CHECKING:
    from collections.abc import Mapping

# -P: the current folder is the function's; its `bridge`, if it has one, is not ours.
_RUNTIME = (sys.executable, "-P", "-m", "bridge.runtime")
# The longest that Lambda lets a function take: a stream may outlive what a front door waits for its beginning.
_LONGEST_SECONDS = 900.0


def project_of(options: Mapping[str, Any], folder: Path) -> Project:
    """What is served; a command needs no application.

    Raises:
        CommandError: there is neither, or a file cannot be read.
    """
    try:
        return find_project(options["app"], folder, framework_options(options["stage"], options["opt"]))
    except NoApplicationError:
        if not options["command"]:
            raise
        return Project([Function("bridge", "", folder)])


def services(project: Project, options: Mapping[str, Any], source: str, base_path: str) -> dict[str, LambdaService]:
    """A service for each function, by name.

    Args:
        project: the functions.
        options: those of the command line.
        source: the front door.
        base_path: what URLs begin with.

    Raises:
        CommandError: the command is not there, or the file of variables cannot be read.
    """
    command = options["command"]
    if command and shutil.which(command[0]) is None:
        raise CommandError(f"{command[0]} is no program that can be run; give a path, or one that is found on PATH.")
    own = {"BRIDGE_RESPONSE_MODE": options["response_mode"], "BRIDGE_BASE_PATH": base_path}
    given = {name: value for name, value in own.items() if value}
    given |= read_env_file(Path(options["env_file"])) if options["env_file"] is not None else {}
    tell_of_unknown(project, given)
    made = {}
    for function in project.functions:
        made[function.name] = LambdaService(
            command or (*_RUNTIME, function.target),
            name=function.name,
            folder=function.folder,
            handler=function.target,
            environment=function.environment | given,
            timeout=function.timeout or _timeout(source, options["timeout"]),
            concurrency=options["concurrency"],
            sandboxes=options["sandboxes"],
        )
    return made


def description(project: Project, options: Mapping[str, Any], source: str) -> str:
    """What is said of it at the start."""
    what = " ".join(options["command"]) or ", ".join(function.app for function in project.functions)
    return f"Serving {what} in processes of its own behind {source}"


def stream_hint(options: Mapping[str, Any], source: str) -> str:
    """A line for who wants streams where there are none."""
    mode = options["response_mode"] or os.environ.get("BRIDGE_RESPONSE_MODE")
    if mode != "stream" or front_door(source).begin is not None:
        return ""
    return f"{source} hands on whole responses only; --source function-url and --source rest-api stream them."


def _timeout(source: str, patience: float | None) -> float:
    """How long a function takes that has no timeout of its own: a second more than the front door waits."""
    door = front_door(source)
    if patience is None and door.begin is not None:
        return _LONGEST_SECONDS
    return (patience or door.timeout) + 1
