"""Reading serverless.yml: functions, environment variables, routes.

https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects import cors
from bridge.dev.projects.config_values import (
    function_name,
    is_python,
    mapping,
    route_method,
    seconds,
    sequence,
    unresolved_variables,
    variables,
)
from bridge.dev.projects.project import Project, ProjectFunction
from bridge.dev.projects.serverless_variables import VariableResolver
from bridge.dev.projects.yaml_file import load, read_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE_NAMES = ("serverless.yml", "serverless.yaml")
# The Serverless Framework plugin sets this variable to a file with the configuration as the framework has resolved it.
_RESOLVED_CONFIG = "BRIDGE_SERVERLESS_CONFIG"
_SOURCES = {"http": "rest-api", "httpApi": "http-api", "alb": "alb"}
# Handlers that serve the application of `custom.wsgi.app`, or of BRIDGE_APP.
_OURS = ("wsgi_handler.handler", "wsgi.handler", "bridge.entrypoint.handler")


def read(folder: Path, options: Mapping[str, str]) -> Project | None:
    """Read the service in *folder*; return None if there is none, or it has no Python function.

    Args:
        folder: the folder of serverless.yml.
        options: the values of ``${opt:…}``, by name.

    Raises:
        CommandError: the file cannot be read.
        UsageError: the file has an invalid value.
    """
    config = _load(folder, options)
    if config is None:
        return None
    functions = _function_configs(config)
    project = Project(warnings=list(_warnings(config, functions)))
    rest_cors: list[tuple[Any, FunctionRoute]] = []
    for key, function_config in functions.items():
        function = _function(key, mapping(function_config), config, folder)
        if function is None:
            continue
        project.functions.append(function)
        for event in sequence(mapping(function_config).get("events")):
            for kind in [event] if isinstance(event, str) else mapping(event):
                if kind in _SOURCES:
                    project.functions_by_source.setdefault(_SOURCES[kind], []).append(function)
            for route in _routes(event, key, function.name):
                function.routes.append(route)
                if settings := mapping(mapping(event).get("http")).get("cors"):
                    rest_cors.append((settings, route))
    if not project.functions:
        return project if project.warnings else None
    _add_front_door(project, config)
    for template in dict.fromkeys(route.template for _, route in rest_cors):
        here = [(settings, route) for settings, route in rest_cors if route.template == template]
        details = next((settings for settings, _ in here if mapping(settings)), True)
        rules = cors.serverless_rest_api(details, [route for _, route in here])
        project.preflight_routes += cors.preflight_route(rules, template, project.routes)
    return project


def _load(folder: Path, options: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the configuration with the Serverless Framework's variables resolved; None if there is no file."""
    if resolved := os.environ.get(_RESOLVED_CONFIG):
        return mapping(read_content(Path(resolved)))
    config = load(folder, _FILE_NAMES)
    return None if config is None else mapping(VariableResolver(config, folder, options).resolve(config))


def _function_configs(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of each function by its key; ``functions`` is a mapping, or a list of mappings."""
    functions = config.get("functions")
    return {
        key: value
        for part in (functions if isinstance(functions, list) else [functions])
        for key, value in mapping(part).items()
    }


def _warnings(config: Mapping[str, Any], functions: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each part of the configuration that is a reference without a value on this machine."""
    parts = config.get("functions")
    candidates = [("functions", part) for part in (parts if isinstance(parts, list) else [parts])]
    for key, function_config in functions.items():
        own = mapping(function_config)
        candidates.append((f"functions.{key}", function_config))
        candidates += [(f"functions.{key}.{name}", own.get(name)) for name in ("events", "environment")]
    candidates.append(("provider.environment", mapping(config.get("provider")).get("environment")))
    for place, value in candidates:
        if isinstance(value, str):
            yield (
                f"{_FILE_NAMES[0]}: {place} is {value!r}, which is ignored: of other files, only YAML and JSON files "
                "that exist are read."
            )


def _add_front_door(project: Project, config: Mapping[str, Any]) -> None:
    provider = mapping(config.get("provider"))
    http_api = mapping(provider.get("httpApi"))
    project.cors = cors.serverless_http_api(http_api.get("cors"), project.routes)
    if "http-api" in project.functions_by_source:
        project.source = "http-api-v1" if str(http_api.get("payload")) == "1.0" else "http-api"
    elif "rest-api" in project.functions_by_source:
        project.source = "rest-api"
        # The plugin serverless-apigw-binary has a key of its own, which is older than the framework's.
        plugin = mapping(mapping(config.get("custom")).get("apigwBinary"))
        types = sequence(mapping(provider.get("apiGateway")).get("binaryMediaTypes")) + sequence(plugin.get("types"))
        project.binary_media_types = tuple(map(str, types))
    elif any(function.has_url for function in project.functions):
        project.source = "function-url"


def _function(
    key: str, function_config: dict[str, Any], config: Mapping[str, Any], folder: Path
) -> ProjectFunction | None:
    """Return a function without its routes; None if its runtime is not Python, or it serves nothing that is named."""
    provider = mapping(config.get("provider"))
    if not is_python(function_config.get("runtime", provider.get("runtime"))):
        return None
    environment = variables(provider.get("environment"), function_config.get("environment"))
    handler = function_config.get("handler")
    handler = handler if isinstance(handler, str) else ""
    is_ours = _OURS[0] in handler or handler in _OURS
    # A variable that all functions have names no application for those with a handler of their own.
    named = mapping(function_config.get("wsgi")).get("app") if is_ours else None
    if named is None and (is_ours or not handler):
        named = environment.get("BRIDGE_APP")
    if named is None and is_ours:
        named = mapping(mapping(config.get("custom")).get("wsgi")).get("app")
    app = named or ("" if is_ours else handler)
    if not app:
        return None
    # serverless-python-requirements has the option `module`: the folder of a function that is packaged individually.
    module = function_config.get("module")
    has_folder = isinstance(module, str) and "/" not in str(app) and (folder / module).is_dir()
    # https://www.serverless.com/framework/docs/providers/aws/guide/functions#lambda-function-urls: true, a mapping, or
    # the key alone.
    url = function_config.get("url", False)
    return ProjectFunction(
        function_name(function_config.get("name"), key),
        str(app),
        folder / str(module) if has_folder else folder,
        is_handler=named is None,
        environment=environment,
        unresolved_variables=unresolved_variables(provider.get("environment"), function_config.get("environment")),
        timeout=seconds(function_config.get("timeout"), f"{_FILE_NAMES[0]}: functions.{key}.timeout")
        or seconds(provider.get("timeout"), f"{_FILE_NAMES[0]}: provider.timeout"),
        has_url=url is not False,
        url_cors=cors.serverless_function_url(mapping(url).get("cors")),
    )


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
    return [FunctionRoute(route_method(method, f"{place}: {path}"), "/" + path.strip("/"), function)]
