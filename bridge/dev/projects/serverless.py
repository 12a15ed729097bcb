"""serverless.yml: functions, variables and routes, as the Serverless Framework reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError
from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects import cors
from bridge.dev.projects.project import Function, Project, other_doors
from bridge.dev.projects.references import Resolver
from bridge.dev.projects.yaml_file import (
    is_python,
    listing,
    load,
    mapping,
    read_content,
    route_method,
    seconds,
    unknown,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("serverless.yml", "serverless.yaml")
# The file in which the framework's plugin hands over what the framework itself has made of it.
_RESOLVED = "BRIDGE_SERVERLESS_CONFIG"
# Handlers that serve the application of `custom.wsgi.app`, or of BRIDGE_APP.
_OURS = ("wsgi_handler.handler", "wsgi.handler", "bridge.entrypoint.handler")


def read(folder: Path, given: Mapping[str, str]) -> Project | None:
    """What serverless.yml says; None without one that has Python functions.

    Args:
        folder: where it lies.
        given: what its ``${opt:…}`` refer to, by name.

    Raises:
        CommandError: it cannot be read.
    """
    resolved = os.environ.get(_RESOLVED)
    said = read_content(Path(resolved)) if resolved else load(folder, _NAMES)
    if said is None:
        return None
    content = mapping(said if resolved else Resolver(said, folder, given).resolve(said))
    found = Project()
    functions = _functions(content.get("functions"), found)
    if isinstance(said := mapping(content.get("provider")).get("environment"), str):
        _tell(found, "provider.environment", said)
    kinds: dict[str, list[str]] = {}
    for name, described in functions.items():
        function = _function(name, mapping(described), content, folder)
        if function is not None:
            events = listing(mapping(described).get("events"))
            function.routes = [route for event in events for route in _routes(event, name)]
            for event in events:
                for kind in [event] if isinstance(event, str) else mapping(event):
                    kinds.setdefault(kind, []).append(name)
            # https://www.serverless.com/framework/docs/providers/aws/guide/functions#lambda-function-urls: true, or a
            # mapping with authorizer, cors and invokeMode.
            url = mapping(described).get("url", False)
            function.has_url = url is not False
            function.url_cors = cors.serverless_url(mapping(url).get("cors"))
            found.functions.append(function)
    if not found.functions:
        return found if found.warnings else None
    _add_cors(found, content, functions)
    if "http" in kinds and "httpApi" not in kinds:
        found.source = "rest-api"
        api = mapping(mapping(content.get("provider")).get("apiGateway"))
        # The plugin serverless-apigw-binary has its own place for them, and was there first.
        plugin = mapping(mapping(content.get("custom")).get("apigwBinary"))
        types = [*listing(api.get("binaryMediaTypes")), *listing(plugin.get("types"))]
        found.binary_media_types = tuple(map(str, types))
    elif "httpApi" in kinds:
        is_v1 = str(mapping(mapping(content.get("provider")).get("httpApi")).get("payload")) == "1.0"
        found.source = "http-api-v1" if is_v1 else "http-api"
    elif any(function.has_url for function in found.functions):
        found.source = "function-url"
    doors = {"rest-api": "http", "http-api": "httpApi", "alb": "alb"}
    with_events = {source: kinds[kind] for source, kind in doors.items() if kind in kinds}
    served = "http-api" if found.source == "http-api-v1" else found.source
    found.mixed = other_doors(served, with_events, {function.name: function.app for function in found.functions})
    for function in found.functions:
        own = mapping(functions[function.name]).get("name")
        if isinstance(own, str) and own and "${" not in own:
            function.rename(own)
    return found


def _functions(said: Any, found: Project) -> dict[str, Any]:
    """The functions by name; the framework takes a list of such mappings, too. What is not followed is told."""
    functions: dict[str, Any] = {}
    for part in said if isinstance(said, list) else [said]:
        if isinstance(part, str):
            _tell(found, "functions", part)
        functions |= mapping(part)
    for name, described in functions.items():
        if isinstance(described, str):
            _tell(found, f"functions.{name}", described)
        for key in ("events", "environment"):
            if isinstance(said := mapping(described).get(key), str):
                _tell(found, f"functions.{name}.{key}", said)
    return functions


def _tell(found: Project, place: str, said: str) -> None:
    found.warnings.append(
        f"{_NAMES[0]}: {place} is {said!r}, which is not followed here: of other files only YAML and JSON ones that "
        "are there are read."
    )


def _add_cors(found: Project, content: dict[str, Any], functions: dict[str, Any]) -> None:
    """Each REST path with ``cors`` answers preflights; ``httpApi`` has one configuration for all."""
    routes = [route for function in found.functions for route in function.routes]
    settings = mapping(mapping(content.get("provider")).get("httpApi"))
    found.cors = cors.serverless_http_api(settings.get("cors"), routes)
    said: dict[str, list[tuple[Any, FunctionRoute]]] = {}
    for function in found.functions:
        for event in listing(mapping(functions.get(function.name)).get("events")):
            http = mapping(mapping(event).get("http"))
            if http.get("cors"):
                for route in _routes(event, function.name):
                    said.setdefault(route.template, []).append((http["cors"], route))
    for template, settled in said.items():
        rules = cors.serverless_rest_api(
            next((words for words, _ in settled if mapping(words)), True), [route for _, route in settled]
        )
        cors.add_preflight(found.functions, template, rules)


def _function(name: str, described: dict[str, Any], content: dict[str, Any], folder: Path) -> Function | None:
    """One function without its routes; None if it is not Python's, or serves no application that is named."""
    provider = mapping(content.get("provider"))
    if not is_python(described.get("runtime", provider.get("runtime"))):
        return None
    environment = variables(provider.get("environment")) | variables(described.get("environment"))
    handler = described.get("handler")
    handler = handler if isinstance(handler, str) else ""
    is_ours = _OURS[0] in handler or handler in _OURS
    # A variable that all functions have names no application for those with a handler of their own.
    named = mapping(described.get("wsgi")).get("app") if is_ours else None
    if named is None and (is_ours or not handler):
        named = environment.get("BRIDGE_APP")
    if named is None and is_ours:
        named = mapping(mapping(content.get("custom")).get("wsgi")).get("app")
    app = named or ("" if is_ours else handler)
    if not app:
        return None
    # serverless-python-requirements: the folder of a function that is packaged by itself.
    module = described.get("module")
    is_inside = isinstance(module, str) and "/" not in str(app) and (folder / module).is_dir()
    return Function(
        name,
        str(app),
        folder / str(module) if is_inside else folder,
        is_handler=named is None,
        environment=environment,
        unknown=unknown(provider.get("environment"), described.get("environment")),
        timeout=seconds(described.get("timeout"), f"{_NAMES[0]}: functions.{name}.timeout")
        or seconds(provider.get("timeout"), f"{_NAMES[0]}: provider.timeout"),
    )


def _routes(event: Any, function: str) -> list[FunctionRoute]:
    """The routes of an ``http`` or ``httpApi`` event, in their short and long forms."""
    if event == "httpApi":
        return [FunctionRoute("ANY", "$default", function)]
    event = mapping(event)
    kind = next((kind for kind in ("http", "httpApi") if kind in event), None)
    if kind is None:
        return []
    described, place = event[kind], f"{_NAMES[0]}: functions.{function}.events, {kind}"
    if isinstance(described, str):
        method, _, path = described.strip().partition(" ")
        path = path.strip()
        if not path and method in ("*", "$default"):
            method, path = "*", method
    elif isinstance(described, dict):
        method, path = str(described.get("method", "*")), str(described.get("path", "/"))
    else:
        method = path = ""
    if not path:
        allowed = "a method and a path, as in 'GET /dogs', or a mapping of both, indented below it"
        raise UsageError(f"{place} is {'empty' if described is None else repr(described)}; it must be {allowed}.")
    if path in ("*", "$default"):
        return [FunctionRoute("ANY", "$default", function)]
    return [FunctionRoute(route_method(method, f"{place}: {path}"), "/" + path.strip("/"), function)]
