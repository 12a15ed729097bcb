"""Reading serverless.yml: functions, environment variables, routes.

https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects import cors_config
from bridge.dev.projects.config_values import (
    function_name,
    is_python,
    mapping,
    route_method,
    route_template,
    seconds,
    sequence,
    unresolved_variables,
    variables,
)
from bridge.dev.projects.project import Project, ProjectFunction
from bridge.dev.projects.serverless_applications import ServerlessService
from bridge.dev.projects.serverless_cli import PROGRAMS, FrameworkError, resolve_with_framework
from bridge.dev.projects.serverless_variables import VariableResolver
from bridge.dev.projects.yaml_file import load, read_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE_NAMES = ("serverless.yml", "serverless.yaml", "serverless.json")
# The Serverless Framework plugin sets this variable to a file with the configuration as the framework has resolved it.
_RESOLVED_CONFIG = "BRIDGE_SERVERLESS_CONFIG"
_SOURCES = {"http": "rest-api", "httpApi": "http-api", "alb": "alb"}


def read(folder: Path, options: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Project | None:
    """Read the service in *folder*; return None if there is none, or it has no Python function.

    Args:
        folder: the folder of serverless.yml, serverless.json, or a program such as serverless.ts.
        options: the values of ``${opt:…}``, by name.
        environment: the values of ``${env:…}`` before those of this process.

    Raises:
        CommandError: the file cannot be read.
        UsageError: the file has an invalid value.
    """
    try:
        config = _load(folder, options, environment or {})
    except FrameworkError as error:
        return Project(warnings=[str(error)])
    if config is None:
        return None
    service = ServerlessService(config, folder)
    project = Project(warnings=list(_warnings(config)))
    rest_cors: list[tuple[Any, FunctionRoute]] = []
    for key, settings in service.functions.items():
        function = _function(service, key)
        if function is None:
            continue
        project.functions.append(function)
        for event in sequence(settings.get("events")):
            for kind in [event] if isinstance(event, str) else mapping(event):
                if kind in _SOURCES:
                    project.functions_by_source.setdefault(_SOURCES[kind], []).append(function)
            function.websocket_routes += _websocket_routes(event, key)
            for route in _routes(event, key, function.name):
                function.routes.append(route)
                if route_cors := mapping(mapping(event).get("http")).get("cors"):
                    rest_cors.append((route_cors, route))
    if not project.functions:
        return project if project.warnings else None
    _add_front_door(project, service)
    selection = service.provider.get("websocketsApiRouteSelectionExpression")
    project.route_selection = selection if isinstance(selection, str) else None
    for template in dict.fromkeys(route.template for _, route in rest_cors):
        on_template = [(value, route) for value, route in rest_cors if route.template == template]
        details = next((value for value, _ in on_template if mapping(value)), True)
        rules = cors_config.serverless_rest_api(details, [route for _, route in on_template])
        project.preflight_routes += cors_config.preflight_route(rules, template, project.routes)
    return project


def _load(folder: Path, options: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the configuration with the framework's variables resolved; None if there is no file."""
    if resolved := os.environ.get(_RESOLVED_CONFIG):
        return mapping(read_content(Path(resolved)))
    config = load(folder, _FILE_NAMES)
    if config is not None:
        return mapping(VariableResolver(config, folder, options, environment).resolve(config))
    program = next((name for name in PROGRAMS if (folder / name).is_file()), None)
    return None if program is None else resolve_with_framework(folder, program, options, environment)


def _warnings(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each part of the configuration that is a reference without a value on this machine."""
    functions = config.get("functions")
    parts = functions if isinstance(functions, list) else [functions]
    references = [("functions", part) for part in parts]
    for key, function in [item for part in parts for item in mapping(part).items()]:
        references.append((f"functions.{key}", function))
        references += [(f"functions.{key}.{name}", mapping(function).get(name)) for name in ("events", "environment")]
    references.append(("provider.environment", mapping(config.get("provider")).get("environment")))
    for place, reference in references:
        if isinstance(reference, str):
            yield (
                f"{_FILE_NAMES[0]}: {place} is {reference!r}, which is ignored: of other files, only YAML and JSON "
                "files that exist are read."
            )


def _add_front_door(project: Project, service: ServerlessService) -> None:
    http_api = mapping(service.provider.get("httpApi"))
    project.cors = cors_config.serverless_http_api(http_api.get("cors"), project.routes)
    if "http-api" in project.functions_by_source:
        project.source = "http-api-v1" if str(http_api.get("payload")) == "1.0" else "http-api"
    elif "rest-api" in project.functions_by_source:
        project.source = "rest-api"
        types = sequence(mapping(service.provider.get("apiGateway")).get("binaryMediaTypes"))
        # The plugin serverless-apigw-binary has an option of its own, which is older than the framework's.
        types += sequence(mapping(service.custom.get("apigwBinary")).get("types"))
        project.binary_media_types = tuple(map(str, types))
    elif any(function.has_url for function in project.functions):
        project.source = "function-url"


def _function(service: ServerlessService, key: str) -> ProjectFunction | None:
    """Return a function without its routes; None if its runtime is not Python, or it serves nothing that is named."""
    settings = service.functions[key]
    if not is_python(settings.get("runtime", service.provider.get("runtime"))):
        return None
    raw_environment = service.environment(key)
    environment = variables(raw_environment)
    handler = settings.get("handler")
    app = service.application(key) if handler else environment.get("BRIDGE_APP")  # an image has no handler
    if app:
        environment |= service.text_types_variable(key)
    target = handler if app is None else app
    if not isinstance(target, str) or not target:
        return None
    # serverless-python-requirements has the option `module`: the folder of a function that is packaged individually.
    module = settings.get("module")
    has_folder = isinstance(module, str) and "/" not in target and (service.folder / module).is_dir()
    # https://www.serverless.com/framework/docs/providers/aws/guide/functions#lambda-function-urls: true, a mapping, or
    # the key alone.
    url = settings.get("url", False)
    return ProjectFunction(
        function_name(settings.get("name"), key),
        target,
        service.folder / str(module) if has_folder else service.folder,
        is_handler=app is None,
        environment=environment,
        unresolved_variables=unresolved_variables(raw_environment),
        timeout=seconds(settings.get("timeout"), f"{_FILE_NAMES[0]}: functions.{key}.timeout")
        or seconds(service.provider.get("timeout"), f"{_FILE_NAMES[0]}: provider.timeout"),
        has_url=url is not False,
        url_cors=cors_config.serverless_function_url(mapping(url).get("cors")),
    )


def _websocket_routes(event: Any, key: str) -> list[str]:
    """Return the key of the route of a ``websocket`` event, in its short or long form; nothing for other events.

    https://www.serverless.com/framework/docs/providers/aws/events/websocket
    """
    event = mapping(event)
    if "websocket" not in event:
        return []
    value = event["websocket"]
    route = mapping(value).get("route") if isinstance(value, dict) else value
    if not isinstance(route, str) or not route:
        raise UsageError(
            f"{_FILE_NAMES[0]}: functions.{key}.events, websocket is {value!r}; it must be a route, such as $connect, "
            "or a mapping with the key route, indented below it."
        )
    return [route]


def _routes(event: Any, key: str, function: str) -> list[FunctionRoute]:
    """Return the route of an ``http`` or ``httpApi`` event, in its short or long form; nothing for other events."""
    if event == "httpApi":
        return [FunctionRoute("ANY", "$default", function)]
    event = mapping(event)
    kind = next((kind for kind in ("http", "httpApi") if kind in event), None)
    if kind is None:
        return []
    value, place = event[kind], f"{_FILE_NAMES[0]}: functions.{key}.events, {kind}"
    method = path = ""
    if isinstance(value, str):
        method, _, path = value.strip().partition(" ")
        path = path.strip()
        if not path and method in ("*", "$default"):
            method, path = "*", method
    elif isinstance(value, dict):
        method, path = str(value.get("method", "*")), str(value.get("path", "/"))
    if not path:
        raise UsageError(
            f"{place} is {'empty' if value is None else repr(value)}; it must be a method and a path, as in "
            "'GET /dogs', or a mapping with the keys method and path, indented below it."
        )
    if path in ("*", "$default"):
        return [FunctionRoute("ANY", "$default", function)]
    return [FunctionRoute(route_method(method, f"{place}: {path}"), route_template(path, place), function)]
