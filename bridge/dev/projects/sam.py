"""A SAM template: functions, variables and routes, as AWS's Serverless Application Model reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects import cors
from bridge.dev.projects.project import Function, Project, other_doors
from bridge.dev.projects.yaml_file import is_python, listing, load, mapping, route_method, seconds, unknown, variables

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("template.yaml", "template.yml")
_SOURCES = {"Api": "rest-api", "HttpApi": "http-api"}


def read(folder: Path) -> Project | None:
    """What the template says; None without one that has Python functions.

    Raises:
        CommandError: it cannot be read.
    """
    content = load(folder, _NAMES)
    if content is None:
        return None
    content = _with_defaults(content, mapping(content.get("Parameters")))
    globals_ = mapping(content.get("Globals"))
    shared = mapping(globals_.get("Function"))
    found = Project()
    sources: dict[str, list[str]] = {}
    for name, resource in mapping(content.get("Resources")).items():
        if mapping(resource).get("Type") != "AWS::Serverless::Function":
            continue
        described = {**shared, **mapping(resource.get("Properties"))}
        function = _function(name, described, shared, folder)
        if function is None:
            continue
        events = [mapping(event) for event in mapping(described.get("Events")).values()]
        function.routes = [_route(event, name) for event in events if event.get("Type") in _SOURCES]
        for event in events:
            if event.get("Type") in _SOURCES:
                sources.setdefault(_SOURCES[event["Type"]], []).append(name)
        function.has_url = "FunctionUrlConfig" in described
        function.url_cors = cors.sam_url(mapping(described.get("FunctionUrlConfig")).get("Cors"))
        found.functions.append(function)
    if not found.functions:
        return None
    _add_cors(found, content)
    has_url = any(function.has_url for function in found.functions)
    doors = [source for source in ("http-api", "rest-api") if source in sources] + ["function-url"] * has_url
    found.source = doors[0] if doors else None
    found.mixed = other_doors(found.source, sources, {})
    for function in found.functions:
        own = mapping(mapping(content["Resources"][function.name]).get("Properties")).get("FunctionName")
        if isinstance(own, str) and own and "${" not in own:
            function.rename(own)
    types = listing(mapping(globals_.get("Api")).get("BinaryMediaTypes"))
    found.binary_media_types = tuple(str(item).replace("~1", "/") for item in types)
    return found


def _with_defaults(value: Any, parameters: dict[str, Any]) -> Any:
    """*value* with the parameters' defaults in the place of references to them."""
    if isinstance(value, list):
        return [_with_defaults(inner, parameters) for inner in value]
    if not isinstance(value, dict):
        return value
    name = value.get("Ref")
    default = mapping(parameters.get(name)).get("Default") if len(value) == 1 and isinstance(name, str) else None
    if default is not None:
        return default
    return {key: _with_defaults(inner, parameters) for key, inner in value.items()}


def _add_cors(found: Project, content: dict[str, Any]) -> None:
    """An HTTP API's configuration; for a REST API's, each path answers preflights."""
    found.cors = cors.sam_http_api(_of_api(content, "HttpApi", "CorsConfiguration"))
    said = _of_api(content, "Api", "Cors")
    if not said:
        return
    resources = mapping(content.get("Resources"))
    of_rest = {
        route
        for function in found.functions
        for event in mapping(mapping(mapping(resources[function.name]).get("Properties")).get("Events")).values()
        if mapping(event).get("Type") == "Api"
        for route in [_route(mapping(event), function.name)]
    }
    routes = [route for function in found.functions for route in function.routes if route in of_rest]
    for template in dict.fromkeys(route.template for route in routes):
        here = [route for route in routes if route.template == template]
        cors.add_preflight(found.functions, template, cors.sam_rest_api(said, here))


def _of_api(content: dict[str, Any], kind: str, name: str) -> Any:
    """A property of the API: that of the Globals, or of the first API that has it."""
    described = [mapping(mapping(content.get("Globals")).get(kind))]
    described += [
        mapping(mapping(resource).get("Properties"))
        for resource in mapping(content.get("Resources")).values()
        if mapping(resource).get("Type") == f"AWS::Serverless::{kind}"
    ]
    return next((properties[name] for properties in described if properties.get(name)), None)


def _function(name: str, described: dict[str, Any], shared: dict[str, Any], folder: Path) -> Function | None:
    """One function without its routes; None if it is not Python's."""
    handler = described.get("Handler")
    said = [mapping(place.get("Environment")).get("Variables") for place in (shared, described)]
    environment = variables(said[0]) | variables(said[1])
    # A variable that all functions have names no application for those with a handler of their own.
    named = environment.get("BRIDGE_APP") if handler in (None, "bridge.entrypoint.handler") else None
    app = named or handler
    if not isinstance(app, str) or not app or not is_python(described.get("Runtime")):
        return None
    code = described.get("CodeUri")
    place = folder / code if isinstance(code, str) and (folder / code).is_dir() else folder
    timeout = seconds(described.get("Timeout"), f"{_NAMES[0]}: Resources.{name}.Properties.Timeout")
    return Function(name, app, place, named is None, environment, timeout=timeout, unknown=unknown(*said))


def _route(event: dict[str, Any], function: str) -> FunctionRoute:
    """The route of an ``Api`` or ``HttpApi`` event; one without a path is HTTP API's ``$default``."""
    properties = mapping(event.get("Properties"))
    path = properties.get("Path")
    if not isinstance(path, str) or path == "$default":
        return FunctionRoute("ANY", "$default", function)
    method = route_method(properties.get("Method", "ANY"), f"{_NAMES[0]}: Resources.{function}, the event for {path},")
    return FunctionRoute(method, "/" + path.strip("/"), function)
