"""What a project says of its functions, wherever it says it: pyproject.toml, serverless.yml, a SAM template."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli import CommandError

if TYPE_CHECKING:
    from bridge.gateway.cors import Cors
    from bridge.gateway.routes import RouteOf


class NoApplicationError(CommandError):
    """No application is named anywhere."""


@dataclass(slots=True)
class Function:
    """A function of the project.

    Attributes:
        name: its name.
        app: its application as ``BRIDGE_APP`` names one; or a Lambda handler, ``module.function``.
        folder: where its code lies.
        is_handler: whether *app* is a Lambda handler.
        environment: its variables.
        routes: its explicit routes.
        timeout: its own timeout in seconds, if it has one.
        has_url: whether it has a Function URL.
    """

    name: str
    app: str
    folder: Path = field(default_factory=Path.cwd)
    is_handler: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    routes: list[RouteOf] = field(default_factory=list)
    timeout: float | None = None
    has_url: bool = False


@dataclass(slots=True)
class Project:
    """What is to be served.

    Attributes:
        functions: the functions, at least one.
        source: the front door that the project's file describes; None if it does not say.
        binary_media_types: those of its REST API.
        cors: the CORS configuration of its HTTP API.
    """

    functions: list[Function] = field(default_factory=list)
    source: str | None = None
    binary_media_types: tuple[str, ...] = ()
    cors: Cors | None = None


def find_project(app: str | None, folder: Path) -> Project:
    """The functions to serve and their front door.

    Args:
        app: the application that the user named. It, or that of ``BRIDGE_APP`` or pyproject.toml, is one function with
            the environment of all, without routes.
        folder: the project.

    Raises:
        CommandError: no application is named anywhere, or a file cannot be read.
    """
    from bridge.cli import pyproject, sam, serverless

    described = serverless.read(folder) or sam.read(folder) or Project()
    app = app or os.environ.get("BRIDGE_APP") or pyproject.read(folder).get("app")
    if app:
        environment: dict[str, str] = {}
        for function in described.functions:
            environment |= function.environment
        return Project([Function("bridge", app, folder, environment=environment)])
    if not described.functions:
        raise NoApplicationError(
            "No application is named. Name it, as in `bridge serve app:app`, or put it into pyproject.toml: "
            '[tool.bridge] app = "app:app". (There is no Python function in serverless.yml or template.yaml here, '
            "either.)"
        )
    described.functions = _reachable(described.functions)
    return described


def _reachable(functions: list[Function]) -> list[Function]:
    """Those that a route leads to; else the one with a URL; else an application, not a handler of who knows what."""
    routed = [function for function in functions if function.routes]
    return routed or sorted(functions, key=lambda function: (not function.has_url, function.is_handler))[:1]
