"""What a project says of its functions: pyproject.toml, serverless.yml, a SAM template."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.cli import CommandError
from bridge.gateway.routes import RouteOf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SERVERLESS = ("serverless.yml", "serverless.yaml")
_SAM = ("template.yaml", "template.yml")
_REFERENCE = re.compile(r"\$\{([^${}]+)\}")


@dataclass(slots=True)
class Function:
    """A function of the project.

    Attributes:
        name: its name.
        app: its application as ``BRIDGE_APP`` names one; or a Lambda handler, ``module.function``.
        is_handler: whether *app* is a Lambda handler.
        environment: its variables.
        routes: its explicit routes.
        timeout: its own timeout in seconds, if it has one.
    """

    name: str
    app: str
    is_handler: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    routes: list[RouteOf] = field(default_factory=list)
    timeout: float | None = None


def find_functions(app: str | None, folder: Path) -> list[Function]:
    """The functions to serve.

    Args:
        app: the application that the user named; its function has the environment of the project's, and no routes.
        folder: the project.

    Raises:
        CommandError: no application is named anywhere, or a file cannot be read.
    """
    found = _serverless(folder) or _sam(folder)
    if app is not None:
        environment: dict[str, str] = {}
        for function in found:
            environment |= function.environment
        return [Function("bridge", app, environment=environment)]
    pyproject = folder / "pyproject.toml"
    if pyproject.is_file():
        try:
            named = tomllib.loads(pyproject.read_text()).get("tool", {}).get("bridge", {}).get("app")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"pyproject.toml cannot be read: {error}") from None
        if named:
            return [Function("bridge", str(named))]
    if not found:
        raise CommandError(
            "No application is named. Name it, as in `bridge serve app:app`, or put it into pyproject.toml: "
            '[tool.bridge] app = "app:app". (There is no function in serverless.yml or template.yaml here, either.)'
        )
    return found


def _serverless(folder: Path) -> list[Function]:
    content = _load(folder, _SERVERLESS)
    if content is None or not isinstance(content.get("functions", {}), dict):
        return []
    content = _Resolver(content).resolve(content)
    provider = content.get("provider") or {}
    wsgi = (content.get("custom") or {}).get("wsgi") or {}
    functions = []
    for name, described in (content.get("functions") or {}).items():
        described = described or {}
        environment = _texts(provider.get("environment")) | _texts(described.get("environment"))
        handler = str(described.get("handler", ""))
        is_ours = "wsgi_handler.handler" in handler or handler in ("wsgi.handler", "bridge.entrypoint.handler")
        app = environment.get("BRIDGE_APP") or (wsgi.get("app") if is_ours else handler)
        if not app:
            continue
        if (module := described.get("module")) and "/" not in str(app):
            app = f"{module}/{app}"
        is_handler = not is_ours and "BRIDGE_APP" not in environment
        functions.append(
            Function(
                name,
                str(app),
                is_handler,
                environment,
                [route for event in described.get("events") or [] for route in _serverless_routes(event, name)],
                described.get("timeout") or provider.get("timeout"),
            )
        )
    return functions


def _serverless_routes(event: Any, function: str) -> list[RouteOf]:
    """The routes of an ``http`` or ``httpApi`` event, in their short and long forms."""
    if not isinstance(event, dict):
        return [RouteOf("ANY", "$default", function)] if event == "httpApi" else []
    described = event.get("http") or event.get("httpApi")
    if described is None:
        return []
    if isinstance(described, str):
        if described in ("*", "$default"):
            return [RouteOf("ANY", "$default", function)]
        method, _, path = described.partition(" ")
    else:
        method, path = str(described.get("method", "*")), str(described.get("path", "/"))
    if path in ("*", "$default"):
        return [RouteOf("ANY", "$default", function)]
    method = method.upper()
    return [RouteOf("ANY" if method in ("*", "ANY") else method, "/" + path.strip().strip("/"), function)]


def _sam(folder: Path) -> list[Function]:
    content = _load(folder, _SAM)
    if content is None:
        return []
    shared = (content.get("Globals") or {}).get("Function") or {}
    functions = []
    for name, resource in (content.get("Resources") or {}).items():
        if not isinstance(resource, dict) or resource.get("Type") != "AWS::Serverless::Function":
            continue
        described = {**shared, **(resource.get("Properties") or {})}
        environment = _texts((shared.get("Environment") or {}).get("Variables"))
        environment |= _texts((described.get("Environment") or {}).get("Variables"))
        app = environment.get("BRIDGE_APP")
        handler = str(described.get("Handler", ""))
        if not app and not handler:
            continue
        code = str(described.get("CodeUri", "")).strip("./")
        named = app or handler
        if code and "/" not in named:
            named = f"{code}/{named}"
        events = (described.get("Events") or {}).values()
        routes = [route for event in events for route in _sam_routes(event, name)]
        functions.append(Function(name, named, app is None, environment, routes, described.get("Timeout")))
    return functions


def _sam_routes(event: Any, function: str) -> list[RouteOf]:
    """The route of an ``Api`` or ``HttpApi`` event."""
    if not isinstance(event, dict) or event.get("Type") not in ("Api", "HttpApi"):
        return []
    properties = event.get("Properties") or {}
    path = properties.get("Path")
    if path is None or path == "$default":
        return [RouteOf("ANY", "$default", function)]
    return [RouteOf(str(properties.get("Method", "ANY")).upper(), "/" + str(path).strip("/"), function)]


def _texts(values: Any) -> dict[str, str]:
    """Variables whose value is known here: CloudFormation's functions and unresolved references are not."""
    if not isinstance(values, dict):
        return {}
    known = {}
    for name, value in values.items():
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, (str, int, float)) and "${" not in str(value):
            known[str(name)] = str(value)
    return known


def _load(folder: Path, names: tuple[str, ...]) -> dict[str, Any] | None:
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        import yaml
    except ImportError:
        raise CommandError(f"To read {path.name}: pip install 'serverless-bridge[serve]' (it lacks PyYAML).") from None

    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's short forms, ``!Ref`` and the like, as values that are not known here."""

    Loader.add_multi_constructor("!", lambda _loader, suffix, _node: {f"Fn::{suffix}": None})
    try:
        content = yaml.load(path.read_text(), Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path.name} cannot be read: {error}") from None
    return content if isinstance(content, dict) else None


class _Resolver:
    """Serverless Framework's variables, as far as a file and the environment tell."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def resolve(self, value: Any) -> Any:
        """*value* with its references filled in; one that is not known stays."""
        if isinstance(value, dict):
            return {key: self.resolve(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner) for inner in value]
        if not isinstance(value, str):
            return value
        for _ in range(8):  # references within references, no endless ones
            whole = _REFERENCE.fullmatch(value)
            if whole:
                found = self._look_up(whole[1])
                if not isinstance(found, str) and found is not None:
                    return found
            replaced = _REFERENCE.sub(lambda m: m[0] if (known := self._look_up(m[1])) is None else str(known), value)
            if replaced == value:
                break
            value = replaced
        return value

    def _look_up(self, reference: str) -> Any:
        first, *defaults = [part.strip() for part in reference.split(",")]
        kind, _, name = first.partition(":")
        found: Any = None
        if kind == "env":
            found = os.environ.get(name)
        elif first in ("opt:stage", "sls:stage"):
            found = (self._content.get("provider") or {}).get("stage", "dev")
        elif kind == "self":
            found = self._content
            for word in name.split("."):
                found = found.get(word) if isinstance(found, dict) else None
        if found is None and defaults:
            default = defaults[0]
            return default.strip("'\"") if default[:1] in "'\"" else self._look_up(", ".join(defaults))
        return found
