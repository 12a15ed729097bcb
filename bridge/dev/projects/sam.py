"""Reading a SAM template: functions, environment variables, routes.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.function_settings import HANDLER
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects import cors_config
from bridge.dev.projects.cloudformation import TemplateResolver
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
from bridge.dev.projects.yaml_file import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE_NAMES = ("template.yaml", "template.yml")
_FUNCTION = "AWS::Serverless::Function"
# The front doors of the types of events; where a template has both, its HTTP API is served.
_SOURCES = {"HttpApi": "http-api", "Api": "rest-api"}


def read(folder: Path) -> Project | None:
    """Read the SAM template in *folder*; return None if there is none, or it has no Python function.

    Raises:
        CommandError: the template cannot be read.
        UsageError: the template has an invalid value.
    """
    template = load(folder, _FILE_NAMES)
    if template is None:
        return None
    resolver = TemplateResolver(template)
    resources = mapping(template.get("Resources"))
    # The resources with a condition that is false are not created.
    created = {
        key: resource
        for key, resource in resources.items()
        if "Condition" not in mapping(resource) or resolver.condition(resource["Condition"]) is not False
    }
    template = {"Globals": resolver.resolve(template.get("Globals")), "Resources": resolver.resolve(created)}
    shared = mapping(mapping(template.get("Globals")).get("Function"))
    project = Project()
    websocket_routes = _websocket_routes(mapping(template.get("Resources")), project)
    rest_routes: list[FunctionRoute] = []
    for key, resource in mapping(template.get("Resources")).items():
        if mapping(resource).get("Type") != _FUNCTION:
            continue
        properties = {**shared, **mapping(resource.get("Properties"))}
        function = _function(key, properties, shared, folder)
        if function is None:
            continue
        function.websocket_routes = websocket_routes.get(key, [])
        project.functions.append(function)
        for event in map(mapping, mapping(properties.get("Events")).values()):
            if source := _SOURCES.get(event.get("Type", "")):
                route = _route(event, key, function.name)
                function.routes.append(route)
                project.functions_by_source.setdefault(source, []).append(function)
                if source == "rest-api":
                    rest_routes.append(route)
    if not project.functions:
        return None
    has_url = any(function.has_url for function in project.functions)
    sources = [source for source in _SOURCES.values() if source in project.functions_by_source]
    project.source = next(iter(sources), "function-url" if has_url else None)
    types = sequence(mapping(mapping(template.get("Globals")).get("Api")).get("BinaryMediaTypes"))
    project.binary_media_types = tuple(str(item).replace("~1", "/") for item in types)
    project.cors = cors_config.sam_http_api(_api_property(template, "HttpApi", "CorsConfiguration"))
    if rest_cors := _api_property(template, "Api", "Cors"):
        routes = project.routes
        for path in dict.fromkeys(route.template for route in rest_routes):
            rules = cors_config.sam_rest_api(rest_cors, [route for route in rest_routes if route.template == path])
            project.preflight_routes += cors_config.preflight_route(rules, path, routes)
    return project


def _websocket_routes(resources: dict[str, Any], project: Project) -> dict[str, list[str]]:
    """Return the keys of the routes of the WebSocket API by the function's key, and set its selection expression.

    A route refers to an integration, and that to a function, by one of several functions of CloudFormation.
    """
    routes: dict[str, list[str]] = {}
    by_type: dict[Any, dict[str, Any]] = {}
    for key, resource in resources.items():
        properties = mapping(mapping(resource).get("Properties"))
        by_type.setdefault(mapping(resource).get("Type"), {})[key] = properties
    integrations = by_type.get("AWS::ApiGatewayV2::Integration", {})
    for api, properties in by_type.get("AWS::ApiGatewayV2::Api", {}).items():
        if properties.get("ProtocolType") != "WEBSOCKET":
            continue
        project.route_selection = str(properties.get("RouteSelectionExpression"))
        for route in by_type.get("AWS::ApiGatewayV2::Route", {}).values():
            integration = _reference_in(route.get("Target"), integrations)
            function = _reference_in(
                mapping(integrations.get(integration)).get("IntegrationUri"), by_type.get(_FUNCTION, {})
            )
            if _reference_in(route.get("ApiId"), [api]) and function and isinstance(route.get("RouteKey"), str):
                routes.setdefault(function, []).append(route["RouteKey"])
    return routes


def _reference_in(value: Any, keys: Iterable[str]) -> str:
    """Return the first of *keys* that occurs in a value; ``""`` if none does."""
    words = re.findall(r"\w+", json.dumps(value))
    return next((key for key in keys if key in words), "")


def _api_property(template: dict[str, Any], kind: str, name: str) -> Any:
    """Return a property of the API: that of the Globals, or of the first API that has it."""
    candidates = [mapping(mapping(template.get("Globals")).get(kind))]
    candidates += [
        mapping(mapping(resource).get("Properties"))
        for resource in mapping(template.get("Resources")).values()
        if mapping(resource).get("Type") == f"AWS::Serverless::{kind}"
    ]
    return next((properties[name] for properties in candidates if properties.get(name)), None)


def _function(key: str, properties: dict[str, Any], shared: dict[str, Any], folder: Path) -> ProjectFunction | None:
    """Return a function without its routes; None if its runtime is not Python, or it has no handler."""
    handler = properties.get("Handler")
    environments = [mapping(source.get("Environment")).get("Variables") for source in (shared, properties)]
    environment = variables(*environments)
    # BRIDGE_APP in the Globals does not apply to functions with a handler of their own.
    app = environment.get("BRIDGE_APP") if handler in (None, HANDLER) else None
    target = app or handler
    if not isinstance(target, str) or not target or not is_python(properties.get("Runtime")):
        return None
    code = properties.get("CodeUri")
    return ProjectFunction(
        function_name(properties.get("FunctionName"), key),
        target,
        folder / code if isinstance(code, str) and (folder / code).is_dir() else folder,
        is_handler=app is None,
        environment=environment,
        unresolved_variables=unresolved_variables(*environments),
        timeout=seconds(properties.get("Timeout"), f"{_FILE_NAMES[0]}: Resources.{key}.Properties.Timeout"),
        has_url="FunctionUrlConfig" in properties,
        url_cors=cors_config.sam_function_url(mapping(properties.get("FunctionUrlConfig")).get("Cors")),
    )


def _route(event: dict[str, Any], key: str, function: str) -> FunctionRoute:
    """Return the route of an ``Api`` or ``HttpApi`` event; ``$default`` for an event without a path."""
    properties = mapping(event.get("Properties"))
    path = properties.get("Path")
    if not isinstance(path, str) or path == "$default":
        return FunctionRoute("ANY", "$default", function)
    place = f"{_FILE_NAMES[0]}: Resources.{key}, the event for {path},"
    method = route_method(properties.get("Method", "ANY"), place)
    return FunctionRoute(method, route_template(path, place.rstrip(",")), function)
