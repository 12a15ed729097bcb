"""A project's functions and their front door, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.dev.gateway.cors import Cors, FunctionUrlCors
    from bridge.dev.gateway.routes import FunctionRoute


@dataclass(slots=True)
class ProjectFunction:
    """A Lambda function of a project.

    Attributes:
        name: the function's name on AWS, or its key in the project's file if a deployment makes up the name.
        app: the application, as ``BRIDGE_APP`` names one, or a Lambda handler, ``module.function``.
        folder: the folder with the function's code.
        is_handler: whether *app* is a Lambda handler.
        environment: the environment variables with known values.
        unresolved_variables: the names of the environment variables whose values are set by a deployment.
        routes: the routes of API Gateway to the function.
        websocket_routes: the keys of the routes of a WebSocket API to the function.
        timeout: the function's timeout in seconds; None if the file sets none.
        has_url: whether the function has a Function URL.
        url_cors: the CORS configuration of the Function URL.
    """

    name: str
    app: str
    folder: Path = field(default_factory=Path.cwd)
    is_handler: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    unresolved_variables: list[str] = field(default_factory=list)
    routes: list[FunctionRoute] = field(default_factory=list)
    websocket_routes: list[str] = field(default_factory=list)
    timeout: float | None = None
    has_url: bool = False
    url_cors: FunctionUrlCors | None = None

    @property
    def import_name(self) -> str:
        """*app* as :func:`bridge.loading.find_application` takes it.

        In a Lambda handler a slash is a dot; in the name of an application, what stands before it is a folder.
        """
        return self.app.replace("/", ".") if self.is_handler else self.app


@dataclass(slots=True)
class Project:
    """The functions of a project and the front door before them.

    Attributes:
        functions: the functions.
        source: the front door that the functions' events name; None if no event names one.
        functions_by_source: the functions with events of a front door, by the name of the front door.
        binary_media_types: the binary media types of the REST API.
        cors: the CORS configuration of the HTTP API.
        preflight_routes: the routes for OPTIONS that a REST API with CORS answers without a function.
        warnings: parts of the project's file that are ignored, a sentence for each.
        detection: the place of the application in the code, if no file names one; a sentence, or ``""``.
        route_selection: the route selection expression of the WebSocket API; None if the file has none.
        source_warnings: events that *source* does not serve, a sentence for each other front door.
    """

    functions: list[ProjectFunction] = field(default_factory=list)
    source: str | None = None
    functions_by_source: dict[str, list[ProjectFunction]] = field(default_factory=dict)
    binary_media_types: tuple[str, ...] = ()
    cors: Cors | None = None
    preflight_routes: list[FunctionRoute] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    detection: str = ""
    route_selection: str | None = None
    source_warnings: list[str] = field(default_factory=list)

    @property
    def routes(self) -> list[FunctionRoute]:
        """The routes of all functions, and the routes for CORS preflights."""
        return [*(route for function in self.functions for route in function.routes), *self.preflight_routes]

    @property
    def websocket_routes(self) -> dict[str, str]:
        """The names of functions, by the keys of their routes of the WebSocket API."""
        return {key: function.name for function in self.functions for key in function.websocket_routes}

    def cors_behind(self, source: str) -> Cors | None:
        """Return the CORS configuration by which the front door *source* adds headers to responses."""
        if source == "function-url":
            is_single = len(self.functions) == 1 and not self.functions[0].routes
            return self.functions[0].url_cors if is_single else None
        return self.cors if source in ("http-api", "http-api-v1") else None
