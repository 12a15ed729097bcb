"""Finding the functions of a project in its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bridge.dev.errors import NoApplicationError
from bridge.dev.projects import pyproject, sam, serverless
from bridge.dev.projects.project import Project, ProjectFunction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def find_project(
    app: str | None, folder: Path, options: Mapping[str, str] | None = None, *, command: str = "bridge serve"
) -> Project:
    """Return the functions of a project and their front door.

    An application that is named outside serverless.yml and the SAM template is a single function without routes. Its
    environment is that of all functions in the file.

    Args:
        app: the application that the command line names; None for that of ``BRIDGE_APP``, of pyproject.toml, or of the
            functions in serverless.yml or in the SAM template, in this order.
        folder: the project.
        options: the values of ``${opt:…}`` in serverless.yml, by name.
        command: the command after which the user names an application, for the message that none is named.

    Raises:
        NoApplicationError: no application is named.
        CommandError: a file cannot be read.
        UsageError: a file has an invalid value.
    """
    project = serverless.read(folder, options or {}) or sam.read(folder) or Project()
    app = app or os.environ.get("BRIDGE_APP") or pyproject.read(folder).get("app")
    if app:
        return Project([_single_function(app, folder, project.functions)])
    if not project.functions:
        raise NoApplicationError(
            f"No application is named. Name it on the command line, as in `{command} app:app`, or in pyproject.toml: "
            '[tool.bridge] app = "app:app". (serverless.yml and template.yaml, if there are any, have no Python '
            f"function.{' ' if project.warnings else ''}{' '.join(project.warnings)})"
        )
    project.functions = _served(project.functions)
    project.source_warnings = list(_source_warnings(project))
    return project


def _single_function(app: str, folder: Path, functions: list[ProjectFunction]) -> ProjectFunction:
    environment: dict[str, str] = {}
    for function in sorted(functions, key=lambda function: function.app == app):  # the application's own values win
        environment |= function.environment
    unresolved = [name for function in functions for name in function.unresolved_variables if name not in environment]
    return ProjectFunction("bridge", app, folder, environment=environment, unresolved_variables=unresolved)


def _served(functions: list[ProjectFunction]) -> list[ProjectFunction]:
    """Return the functions with routes; without any, one function: with a URL, or else with an application."""
    routed = [function for function in functions if function.routes]
    return routed or sorted(functions, key=lambda function: (not function.has_url, function.is_handler))[:1]


def _source_warnings(project: Project) -> Iterator[str]:
    served = "http-api" if project.source == "http-api-v1" else project.source
    for source, functions in project.functions_by_source.items():
        names = ", ".join(dict.fromkeys(function.name for function in functions))
        if source == "alb" and served != "alb":
            yield (
                f"The load balancer's events of {names} are not routed on this machine. To serve one function behind a "
                f"load balancer, run `bridge serve {functions[0].app} --source alb`."
            )
        elif source != "alb" and served and source != served:
            yield (
                f"All routes are served behind one front door, {served}. On AWS those of {names} are behind {source}; "
                f"to serve all routes behind {source}, add `--source {source}`."
            )
