"""Options that several commands have, the rules for their combinations, and what the gateway takes from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError
from bridge.dev.gateway import FRONT_DOORS, FrontDoorConfig
from bridge.dev.gateway.websocket_events import (
    CONNECT,
    DEFAULT,
    DEFAULT_SELECTION,
    DISCONNECT,
    is_selection_expression,
)
from bridge.dev.projects import pyproject
from bridge.dev.projects.option_defaults import RESPONSE_MODES, WEBSOCKET, is_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.dev.projects.project import Project

DEFAULT_SOURCE = "http-api"
DEFAULT_THREADS, DEFAULT_SANDBOXES = 16, 4

# The options of a front door with their defaults, and those that only some front doors have.
_FRONT_DOOR_DEFAULTS: dict[str, Any] = {
    "source": None,
    "stage": "",
    "base_path": "",
    "binary_media_types": "",
    "timeout": None,
}
_FRONT_DOORS_WITH = {
    "stage": (("rest-api", "http-api", "http-api-v1"), "only rest-api, http-api and http-api-v1 have stages"),
    "binary_media_types": (("rest-api",), "only rest-api has binary media types"),
}
# The options that do not apply with --runtime, with their defaults and the reasons; and those that apply only with it.
_NOT_WITH_RUNTIME: dict[str, tuple[Any, str]] = {
    "debugger": (False, "the debugger runs in the server's process, and the function in another one"),
    "threads": (DEFAULT_THREADS, "--sandboxes and --concurrency limit how many requests a function answers at once"),
}
_RUNTIME_DEFAULTS: dict[str, Any] = {"response_mode": None, "concurrency": 1, "sandboxes": DEFAULT_SANDBOXES}

_APP_HELP = (
    "the application: module:attribute, module.attribute, dir/module.attribute, path/to/file.py:attribute, "
    "module:factory(), or a module alone for its app or application; default: the variable BRIDGE_APP, app in "
    "[tool.bridge] of pyproject.toml, the functions in serverless.yml or template.yaml, or the only one in the code"
)


def add_application_options(parser: argparse.ArgumentParser) -> None:
    """Add the application and the file of environment variables."""
    parser.add_argument("app", nargs="?", metavar="APP", help=_APP_HELP)
    parser.add_argument("--env-file", metavar="FILE", help="NAME=value lines, set before the application is imported")


class _SourceAction(argparse.Action):
    """Stores the front door for HTTP requests; a WebSocket API is beside it."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, value: Any, option: Any = None) -> None:  # noqa: ARG002
        if value == WEBSOCKET:
            namespace.websocket = True
        else:
            namespace.source = value


def add_front_door_options(parser: argparse.ArgumentParser, *, has_websockets: bool = False) -> None:
    """Add the front door and its configuration.

    Args:
        parser: the parser of a command.
        has_websockets: whether the command has WebSocket APIs.
    """
    add = parser.add_argument
    choices, beside = list(FRONT_DOORS), ""
    if has_websockets:
        choices.append(WEBSOCKET)
        beside = f"; {WEBSOCKET} adds a WebSocket API beside it"
    add("--source", choices=choices, metavar="SOURCE", action=_SourceAction,
        help=f"one of {', '.join(FRONT_DOORS)}; default: the one of the project, or "
        f"{DEFAULT_SOURCE}{beside}")  # fmt: skip
    add("--stage", type=_stage, default="",
        help="the stage of API Gateway, with which URLs begin; also ${opt:stage} in serverless.yml")  # fmt: skip
    add_serverless_options(parser)
    add("--base-path", default="", help="the base path of a custom domain, with which URLs begin")
    add("--binary-media-types", default="", metavar="TYPES", help="binaryMediaTypes of a REST API: 'image/*,*/*'")
    add("--timeout", type=_seconds, metavar="SECONDS",
        help="how long the front door waits for the function; default: as on AWS")  # fmt: skip


def add_websocket_options(parser: argparse.ArgumentParser) -> None:
    """Add the configuration of a WebSocket API."""
    add = parser.add_argument
    add("--websocket-route", action="append", default=[], metavar="KEY",
        help="a route of the WebSocket API beside $connect, $default and $disconnect; repeatable")  # fmt: skip
    add("--route-selection-expression", type=_selection_expression, metavar="EXPRESSION",
        help="the part of a message that names its route; default: $request.body.action")  # fmt: skip


def add_serverless_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--opt``, which stands for an option of the Serverless Framework's own command line."""
    parser.add_argument("--opt", action="append", type=_name_and_value, default=[], metavar="NAME=VALUE",
        help="the value of ${opt:NAME} in serverless.yml, such as stage=prod; repeatable")  # fmt: skip


def add_runtime_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--runtime`` and the options of the processes in which it runs a function."""
    add = parser.add_argument
    add("--runtime", action=argparse.BooleanOptionalAction, default=False,
        help="run each function in separate processes, as Lambda does; their command may follow --")  # fmt: skip
    add("--response-mode", choices=RESPONSE_MODES,
        help="whether functions stream responses; default: the variable BRIDGE_RESPONSE_MODE, or buffer")  # fmt: skip
    add("--concurrency", type=positive_integer, default=1, metavar="N",
        help="how many requests one process answers at once; default: 1")  # fmt: skip
    add("--sandboxes", type=positive_integer, default=DEFAULT_SANDBOXES, metavar="N",
        help=f"how many processes a function has at most; default: {DEFAULT_SANDBOXES}")  # fmt: skip


def discard_inapplicable_options(options: argparse.Namespace, project_defaults: Mapping[str, Any]) -> None:
    """Reset the options of pyproject.toml that do not apply together with the others.

    The command line counts before pyproject.toml, so an option of the command line that does not apply is an error.

    Args:
        options: the options of the command; changed in place.
        project_defaults: the options that pyproject.toml sets.

    Raises:
        UsageError: an option of the command line does not apply.
    """
    if getattr(options, "plain", False) and project_defaults.get("runtime") and options.runtime:
        options.runtime = False
    for name, default, reason in _inapplicable_options(options):
        if getattr(options, name) != project_defaults.get(name):
            raise UsageError(reason)
        setattr(options, name, default)


def _inapplicable_options(options: argparse.Namespace) -> Iterator[tuple[str, Any, str]]:
    """Yield the options that are set and do not apply, with their defaults and the reasons."""
    values = vars(options)
    has_runtime, is_plain, source = (values.get(name) for name in ("runtime", "plain", "source"))
    if is_plain and values.get("websocket"):
        why = "it serves the application's WebSockets without a WebSocket API"
        yield "websocket", False, f"--source {WEBSOCKET} does not apply with --plain: {why}. Remove one of them."
    for name in ("websocket_route", "route_selection_expression"):
        if values.get(name) and not values.get("websocket"):
            reason = f"{flag(name)} applies only with --source {WEBSOCKET}. Add it, or remove {flag(name)}."
            yield name, None, reason
    for name, (default, why) in _NOT_WITH_RUNTIME.items():
        if has_runtime and values.get(name) not in (None, default):
            yield name, default, f"{flag(name)} does not apply with --runtime: {why}. Remove {flag(name)}."
    for name, default in _RUNTIME_DEFAULTS.items():
        if not has_runtime and values.get(name) not in (None, default):
            yield name, default, f"{flag(name)} applies only with --runtime. Add --runtime, or remove {flag(name)}."
    for name, default in _FRONT_DOOR_DEFAULTS.items():
        value = values.get(name)
        if value in (None, default):
            continue
        sources, why = _FRONT_DOORS_WITH.get(name, ((), ""))
        if is_plain:
            why = f"it serves the application without a front door. Remove --plain or {flag(name)}"
            yield name, default, f"{flag(name)} {value} does not apply with --plain: {why}."
        elif source and sources and source not in sources:
            reason = f"{flag(name)} {value} does not apply to {source}: {why}. Remove {flag(name)}."
            if name == "stage":
                reason += f" To set ${{opt:stage}} of serverless.yml, use --opt stage={value}."
            yield name, default, reason


def choose_source(options: argparse.Namespace, *candidates: str | None) -> None:
    """Set ``options.source`` if the command line does not: to the first of *candidates*, or to the default.

    Raises:
        UsageError: an option of the command line does not apply to that source.
    """
    options.source = options.source or next(filter(None, candidates), DEFAULT_SOURCE)
    discard_inapplicable_options(options, pyproject.options(Path.cwd(), options.stage))


def front_door_settings(options: argparse.Namespace) -> FrontDoorConfig:
    """Return the configuration of the front door that the options describe."""
    return FrontDoorConfig(options.stage, options.base_path, split_list(options.binary_media_types))


def gateway_arguments(options: argparse.Namespace, project: Project) -> dict[str, Any]:
    """Return the keyword arguments of :class:`bridge.dev.gateway.Gateway` that the options and the project set."""
    settings = front_door_settings(options)
    return {
        "source": options.source,
        "stage": settings.stage,
        "base_path": settings.base_path,
        "binary_media_types": settings.binary_media_types or project.binary_media_types,
        "timeout": options.timeout,
        "timeouts": {function.name: function.timeout for function in project.functions if function.timeout},
        "routes": project.routes,
        "cors": project.cors_behind(options.source),
    }


def websocket_arguments(options: argparse.Namespace, project: Project) -> dict[str, Any]:
    """Return the keyword arguments of :class:`bridge.dev.gateway.websocket_api.WebSocketApi` of its routes."""
    default = project.functions[0].name
    routes = project.websocket_routes or dict.fromkeys((CONNECT, DEFAULT, DISCONNECT), default)
    for key in options.websocket_route:
        routes.setdefault(key, routes.get(DEFAULT, default))
    selection = options.route_selection_expression or project.route_selection or DEFAULT_SELECTION
    return {"routes": routes, "selection": selection}


def serverless_options(options: argparse.Namespace) -> dict[str, str]:
    """Return the values of ``${opt:NAME}`` in serverless.yml: those of ``--opt``, and the stage.

    The stage may come from pyproject.toml, also for a command without ``--stage``.
    """
    stage = getattr(options, "stage", "")
    values = {"stage": stage} if stage and not stage.startswith("$") else {}
    return values | dict(pair.split("=", 1) for pair in options.opt)


def flag(name: str) -> str:
    """Return the option as typed: ``--env-file`` for ``env_file``."""
    return f"--{name.replace('_', '-')}"


def split_list(text: str) -> tuple[str, ...]:
    """Return the items of a comma-separated list."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def positive_integer(text: str) -> int:
    """Parse an integer of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number


def _selection_expression(text: str) -> str:
    if not is_selection_expression(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an expression such as '$request.body.action'")
    return text


def _stage(text: str) -> str:
    name = text.strip("/")
    if name and not is_stage(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not a stage: its name has letters, digits, - and _ only")
    return name


def _name_and_value(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE, such as stage=prod")
    return text
