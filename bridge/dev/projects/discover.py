"""Finding the functions of a project in its files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.deploying.function_settings import HANDLER
from bridge.dev.errors import NoApplicationError, UsageError
from bridge.dev.projects import pyproject, sam, serverless_yml
from bridge.dev.projects.application_detection import detect_applications, find_syntax_errors
from bridge.dev.projects.env_file import read_env_file
from bridge.dev.projects.project import Project, ProjectFunction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def find_project(
    app: str | None,
    folder: Path,
    options: Mapping[str, str] | None = None,
    *,
    command: str = "bridge serve",
    detect: bool = True,
    env_file: str | None = None,
    websockets: bool = False,
) -> Project:
    """Return the functions of a project and their front door.

    An application that is named outside serverless.yml and the SAM template is a single function without routes. Its
    environment is that of all functions in the file.

    Args:
        app: the application that the command line names; None for that of ``BRIDGE_APP``, of pyproject.toml, of the
            functions in serverless.yml or in the SAM template, or the only one in the code, in this order.
        folder: the project.
        options: the values of ``${opt:…}`` in serverless.yml, by name.
        command: the command after which the user names an application, for messages.
        detect: whether to search the code for an application.
        env_file: a file with values of ``${env:…}`` in serverless.yml.
        websockets: whether the command has WebSocket APIs.

    Raises:
        NoApplicationError: no application is named, and the code has none.
        CommandError: a file cannot be read.
        UsageError: a file has an invalid value, or the code has several applications.
    """
    environment = {} if env_file is None else read_env_file(Path(env_file))
    project = serverless_yml.read(folder, options or {}, environment) or sam.read(folder) or Project()
    app = app or os.environ.get("BRIDGE_APP") or pyproject.read(folder).get("app")
    if app:
        return Project([_single_function(app, folder, project.functions)])
    if not project.functions:
        return _project_in_code(folder, project.warnings, command, detect=detect)
    project.functions = _served(project.functions, websockets=websockets)
    if all(map(_is_unresolved, project.functions)):
        function = project.functions[0]
        place = "its variable BRIDGE_APP" if function.app == HANDLER else repr(function.app)
        raise UsageError(
            f"The application of the function {function.name} is unknown, because only a deployment knows a part of "
            f"{place}. Name the application on the command line: {command} app:app"
        )
    project.source_warnings = list(_source_warnings(project, command))
    return project


def _is_unresolved(function: ProjectFunction) -> bool:
    """Return whether only a deployment knows the application of a function."""
    return "${" in function.app or (function.app == HANDLER and "BRIDGE_APP" in function.unresolved_variables)


def _project_in_code(folder: Path, warnings: list[str], command: str, *, detect: bool) -> Project:
    """Return the only application in the Python files of *folder*, as a project."""
    detected = detect_applications(folder) if detect else []
    if not detected:
        broken = find_syntax_errors(folder) if detect else []
        problem = (
            f"No application was found, because a file has a syntax error: {'; '.join(broken[:3])}. Correct it, or name"
            if broken
            else "No application is named, and the Python files in this folder define none. Name"
        )
        raise NoApplicationError(
            f"{problem} the application on the command line, as in `{command} app:app`, or in pyproject.toml: "
            f'[tool.bridge] app = "app:app".{" ".join(["", *warnings])}'
        )
    if len(detected) > 1:
        names = [shlex.quote(each.app) for each in detected]
        width = max(map(len, names))
        lines = "".join(
            f"\n  {command} {name:<{width}}    {each.description}" for name, each in zip(names, detected, strict=True)
        )
        raise UsageError(
            f"This folder has several applications. Name one on the command line:{lines}\n"
            f'To make it the default, write it into pyproject.toml: [tool.bridge] app = "{detected[0].app}"'
        )
    (application,) = detected
    detection = f"Found {application.app}: {application.description}."
    return Project([ProjectFunction("bridge", application.app, folder)], warnings=warnings, detection=detection)


def _single_function(app: str, folder: Path, functions: list[ProjectFunction]) -> ProjectFunction:
    environment: dict[str, str] = {}
    for function in sorted(functions, key=lambda function: function.app == app):  # the application's own values win
        environment |= function.environment
    unresolved = [name for function in functions for name in function.unresolved_variables if name not in environment]
    return ProjectFunction("bridge", app, folder, environment=environment, unresolved_variables=unresolved)


def _served(functions: list[ProjectFunction], *, websockets: bool) -> list[ProjectFunction]:
    """Return the functions with routes; without any, one function: with a URL, or else with an application."""
    routed = [function for function in functions if function.routes or (websockets and function.websocket_routes)]
    return routed or sorted(functions, key=lambda function: (not function.has_url, function.is_handler))[:1]


def _source_warnings(project: Project, command: str) -> Iterator[str]:
    served = "http-api" if project.source == "http-api-v1" else project.source
    for source, functions in project.functions_by_source.items():
        names = ", ".join(dict.fromkeys(function.name for function in functions))
        if source == "alb" and served != "alb":
            yield (
                f"The load balancer's events of {names} are not routed on this machine. To serve one function behind a "
                f"load balancer, run `{command} {functions[0].app} --source alb`."
            )
        elif source != "alb" and served and source != served:
            yield (
                f"All routes are served behind one front door, {served}. On AWS those of {names} are behind {source}; "
                f"to serve all routes behind {source}, add `--source {source}`."
            )
