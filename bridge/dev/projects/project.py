"""What a project says of its functions, wherever it says it: pyproject.toml, serverless.yml, a SAM template."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.errors import NoApplicationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.dev.gateway.cors import Cors, FunctionUrlCors
    from bridge.dev.gateway.routes import FunctionRoute


@dataclass(slots=True)
class Function:
    """A function of the project.

    Attributes:
        name: its name.
        app: its application as ``BRIDGE_APP`` names one; or a Lambda handler, ``module.function``.
        folder: where its code lies.
        is_handler: whether *app* is a Lambda handler.
        environment: its variables.
        unknown: the names of those whose value only a deployment knows.
        routes: its explicit routes.
        timeout: its own timeout in seconds, if it has one.
        has_url: whether it has a Function URL.
        url_cors: the CORS configuration of that.
    """

    name: str
    app: str
    folder: Path = field(default_factory=Path.cwd)
    is_handler: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    routes: list[FunctionRoute] = field(default_factory=list)
    timeout: float | None = None
    has_url: bool = False
    url_cors: FunctionUrlCors | None = None
    unknown: list[str] = field(default_factory=list)

    @property
    def target(self) -> str:
        """*app* as it is imported: Lambda takes the slashes of a handler for dots; an application's are folders."""
        return self.app.replace("/", ".") if self.is_handler else self.app

    def rename(self, name: str) -> None:
        """Call it *name*, as its context does on AWS."""
        self.name = name
        self.routes = [replace(route, function=name) for route in self.routes]


@dataclass(slots=True)
class Project:
    """What is to be served.

    Attributes:
        functions: the functions, at least one.
        source: the front door that the project's file describes; None if it does not say.
        binary_media_types: those of its REST API.
        cors: the CORS configuration of its HTTP API.
        warnings: what of the file is not followed here, a line each.
        mixed: what of it belongs to other front doors than *source*, a line each.
    """

    functions: list[Function] = field(default_factory=list)
    source: str | None = None
    binary_media_types: tuple[str, ...] = ()
    cors: Cors | None = None
    warnings: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)

    @property
    def routes(self) -> list[FunctionRoute]:
        """The routes of all functions."""
        return [route for function in self.functions for route in function.routes]

    def cors_behind(self, source: str) -> Cors | None:
        """The CORS configuration by which the front door adds headers to answers."""
        if source == "function-url":
            return self._url_cors
        return self.cors if source in ("http-api", "http-api-v1") else None

    @property
    def _url_cors(self) -> FunctionUrlCors | None:
        """That of the one function that is served; with routes a Function URL is none of them."""
        return self.functions[0].url_cors if len(self.functions) == 1 and not self.functions[0].routes else None


def find_project(app: str | None, folder: Path, given: Mapping[str, str] | None = None) -> Project:
    """The functions to serve and their front door.

    Args:
        app: the application that the user named. It, or that of ``BRIDGE_APP`` or pyproject.toml, is one function with
            the environment of all, without routes.
        folder: the project.
        given: what ``${opt:…}`` in serverless.yml refers to, by name.

    Raises:
        CommandError: no application is named anywhere, or a file cannot be read.
    """
    from bridge.dev.projects import pyproject, sam, serverless

    described = serverless.read(folder, given or {}) or sam.read(folder) or Project()
    app = app or os.environ.get("BRIDGE_APP") or pyproject.read(folder).get("app")
    if app:
        environment: dict[str, str] = {}
        for function in sorted(described.functions, key=lambda function: function.app == app):  # its own counts most
            environment |= function.environment
        names = [name for function in described.functions for name in function.unknown if name not in environment]
        return Project([Function("bridge", app, folder, environment=environment, unknown=names)])
    if not described.functions:
        raise NoApplicationError(
            "No application is named. Name it, as in `bridge serve app:app`, or put it into pyproject.toml: "
            '[tool.bridge] app = "app:app". (There is no Python function in serverless.yml or template.yaml here, '
            f"either.{' ' if described.warnings else ''}{' '.join(described.warnings)})"
        )
    described.functions = _reachable(described.functions)
    return described


def _reachable(functions: list[Function]) -> list[Function]:
    """Those that a route leads to; else the one with a URL; else an application, not a handler of who knows what."""
    routed = [function for function in functions if function.routes]
    return routed or sorted(functions, key=lambda function: (not function.has_url, function.is_handler))[:1]


def other_doors(served: str | None, functions: Mapping[str, list[str]], apps: Mapping[str, str]) -> list[str]:
    """What is told of events that belong to other front doors than the one that is served, a line each.

    Args:
        served: the front door.
        functions: the names of the functions with events of a front door, by its name.
        apps: their handlers or applications.
    """
    lines = []
    for source, names in functions.items():
        one = ", ".join(dict.fromkeys(names))
        if source == "alb" and served != "alb":
            lines.append(
                f"alb events are no routes here: {one}. `bridge serve {apps[names[0]]} --source alb` serves one "
                "function behind a load balancer."
            )
        elif source != "alb" and served and source != served:
            lines.append(
                f"One front door is served at a time, here {served} for all routes, though on AWS those of {one} are "
                f"behind {source}: `--source {source}` serves all behind that."
            )
    return lines
