"""The ASGI application that ``bridge serve`` serves, made of its options and the project's files."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.dev.cli.common_options import (
    choose_source,
    front_door_settings,
    gateway_arguments,
    serverless_options,
    websocket_arguments,
)
from bridge.dev.cli.function_loader import load_functions, warn_about_unset_variables
from bridge.dev.cli.output import print_message, print_warnings
from bridge.dev.cli.server.access_log import AccessLogMiddleware, log_access
from bridge.dev.cli.server.debugger import add_debugger
from bridge.dev.errors import CommandError, NoApplicationError
from bridge.dev.gateway import front_door, websocket_memory_store, websocket_sqlite_store
from bridge.dev.gateway.connections_endpoint import ConnectionsEndpoint
from bridge.dev.gateway.gateway import Gateway
from bridge.dev.gateway.lambda_service import LambdaService
from bridge.dev.gateway.websocket_api import WebSocketApi
from bridge.dev.gateway.websocket_events import stage_of
from bridge.dev.limits import LAMBDA_SECONDS
from bridge.dev.projects.discover import find_project
from bridge.dev.projects.env_file import read_env_file
from bridge.dev.projects.project import Project, ProjectFunction
from bridge.errors import BridgeError, GoneError
from bridge.handlers import Handler
from bridge.logs import logger
from bridge.websocket.outbox import send_kept
from bridge.wsgi.call import ENVIRON_DEFAULTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from bridge.dev.inspector import Recorder

# With -P Python does not import the runtime's own modules from the current folder, which is the function's.
_RUNTIME_COMMAND = (sys.executable, "-P", "-m", "bridge.runtime")
_RUNTIME_COMMAND_FOR_TERMINAL = (sys.executable, "-P", "-m", "bridge.dev.runtime_process")
# The longest timeout of a function: a stream may last longer than a front door waits for its beginning.


class ServedApplication(NamedTuple):
    """What the server serves.

    Attributes:
        app: the ASGI application.
        description: the application and its front door, for the greeting.
        websockets: whether the application accepts WebSockets.
        gateway: the gateway; None with ``--plain``.
        handlers: the gateway's handlers, by function name.
        apps: the names of the applications, by function name.
    """

    app: Any
    description: str
    websockets: bool = False
    gateway: Gateway | None = None
    handlers: Mapping[str, Any] = {}
    apps: Mapping[str, str] = {}


def make_application(options: argparse.Namespace, recorder: Recorder | None = None) -> ServedApplication:
    """Return the application of *options*: the gateway before the functions, or with ``--plain`` the user's own.

    Args:
        options: the options of ``bridge serve``.
        recorder: records the requests; None for none.

    Raises:
        CommandError: there is no application, or it cannot be imported.
        UsageError: an option does not apply to the project's front door.
    """
    if options.runtime:
        return _gateway_to_processes(options, recorder)
    project = find_project(
        options.app, Path.cwd(), serverless_options(options), env_file=options.env_file, websockets=not options.plain
    )
    if options.plain:
        print_warnings(project)
        return _plain(options, project)
    return _gateway_in_process(options, project, recorder)


def _gateway_in_process(options: argparse.Namespace, project: Project, recorder: Recorder | None) -> ServedApplication:
    if options.threads > 1:
        ENVIRON_DEFAULTS["wsgi.multithread"] = True
    _choose_source(options, project)

    def wrap(app: Any, interface: str) -> Any:
        app = _with_static_files(app)
        return add_debugger(app, interface, host=options.host) if options.debugger else app

    endpoint = _connections_endpoint(options, project)
    base_path = front_door_settings(options).base_path
    handlers = load_functions(project, options.env_file, wrap=wrap, settings={"base_path": base_path or None})
    names = ", ".join(dict.fromkeys(function.app for function in project.functions))
    gateway = _gateway(handlers, options, project, recorder, endpoint)
    return ServedApplication(
        gateway, f"{names} {_front_doors(options)}", options.websocket, gateway, handlers, _apps(project)
    )


def _with_static_files(app: Any) -> Any:
    """Return *app* with static files if it is a Django application in development."""
    if "django.core.handlers.base" not in sys.modules:
        return app
    from bridge.dev.cli.server.static_files import add_static_files

    return add_static_files(app)


def _gateway_to_processes(options: argparse.Namespace, recorder: Recorder | None) -> ServedApplication:
    try:
        project = find_project(
            options.app,
            Path.cwd(),
            serverless_options(options),
            detect=not options.command,
            env_file=options.env_file,
            websockets=True,
        )
    except NoApplicationError:
        if not options.command:
            raise
        project = Project([ProjectFunction("bridge", "")])
    _choose_source(options, project)
    # Each process ends a function at its own timeout, so the gateway has no timeouts for them.
    endpoint = _connections_endpoint(options, project)
    services = _services(options, project)
    gateway = _gateway(services, options, project, recorder, endpoint, timeouts={})
    mode = options.response_mode or os.environ.get("BRIDGE_RESPONSE_MODE")
    if mode == "stream" and not front_door(options.source).supports_streaming:
        print_message(
            f"{options.source} buffers responses, so they are not streamed. Use --source function-url or --source "
            "rest-api to stream them."
        )
    names = " ".join(options.command) or ", ".join(dict.fromkeys(function.app for function in project.functions))
    description = f"{names} in separate processes {_front_doors(options)}"
    return ServedApplication(gateway, description, options.websocket, gateway, services, _apps(project))


def _front_doors(options: argparse.Namespace) -> str:
    return f"behind {options.source}" + (" and a WebSocket API" if options.websocket else "")


def _connections_endpoint(options: argparse.Namespace, project: Project) -> ConnectionsEndpoint | None:
    """Return the endpoint of the WebSocket API, and set the variables of the functions that name it and their store.

    A store that the shell or the file of environment variables names counts before the local one; that of the
    project's file is on AWS.
    """
    if not options.websocket:
        return None
    endpoint = ConnectionsEndpoint(stage_of(front_door_settings(options).stage))
    variables = {"BRIDGE_WEBSOCKET_ENDPOINT": endpoint.url}
    if "BRIDGE_WEBSOCKET_STORE" in os.environ:
        variables["BRIDGE_WEBSOCKET_STORE"] = os.environ["BRIDGE_WEBSOCKET_STORE"]
    elif options.websocket_file is None:
        variables["BRIDGE_WEBSOCKET_STORE"] = f"{websocket_memory_store.__name__}:STORE"
    else:
        Path(options.websocket_file).unlink(missing_ok=True)  # restarts close all connections
        variables["BRIDGE_WEBSOCKET_STORE"] = f"{websocket_sqlite_store.__name__}:SqliteStore"
        variables["BRIDGE_WEBSOCKET_FILE"] = options.websocket_file
    for function in project.functions:
        function.environment |= variables
        function.unresolved_variables = [name for name in function.unresolved_variables if name not in variables]
    return endpoint


def _send_kept(connection_id: str) -> None:
    """Send what the function has sent while the client was connecting, as it is sent under :mod:`bridge.runtime`."""
    try:
        send_kept(connection_id)
    except GoneError:
        pass
    except BridgeError as error:
        logger.warning("What the function sent while a client was connecting is not sent yet: %s", error)


def _apps(project: Project) -> dict[str, str]:
    return {function.name: function.import_name for function in project.functions}


def _choose_source(options: argparse.Namespace, project: Project) -> None:
    print_warnings(project, sources=not options.source)
    choose_source(options, project.source)
    options.websocket = options.websocket or bool(project.websocket_routes)


def _gateway(
    handlers: Mapping[str, Any],
    options: argparse.Namespace,
    project: Project,
    recorder: Recorder | None,
    endpoint: ConnectionsEndpoint | None,
    **more: Any,
) -> Gateway:
    arguments = gateway_arguments(options, project) | more
    observe = partial(log_access, verbose=options.verbose)
    if recorder is not None:
        recorder.watch_functions(handlers.values())
    websockets = None
    if endpoint is not None:
        websockets = WebSocketApi(
            handlers,
            stage=arguments["stage"],
            base_path=arguments["base_path"],
            timeout=arguments["timeout"],
            timeouts=arguments["timeouts"],
            threads=options.threads,
            observe=observe,
            recorder=recorder,
            endpoint=endpoint,
            on_open=None if options.runtime else _send_kept,
            **websocket_arguments(options, project),
        )
    return Gateway(
        handlers,
        **arguments,
        threads=options.threads,
        observe=observe,
        recorder=recorder,
        answers_if_cancelled=True,  # uvicorn cancels the tasks of requests at its shutdown
        websockets=websockets,
    )


def _services(options: argparse.Namespace, project: Project) -> dict[str, LambdaService]:
    """Return a service for each function, by name.

    Raises:
        CommandError: the command does not exist.
        UsageError: the file of environment variables cannot be read.
    """
    command = options.command
    if command and shutil.which(command[0]) is None:
        raise CommandError(f"The command {command[0]} does not exist. Write its path, or the name of one on PATH.")
    runtime = _RUNTIME_COMMAND if options.verbose else _RUNTIME_COMMAND_FOR_TERMINAL
    settings = front_door_settings(options)
    variables = {"BRIDGE_RESPONSE_MODE": options.response_mode, "BRIDGE_BASE_PATH": settings.base_path}
    overrides = {name: value for name, value in variables.items() if value}
    overrides |= read_env_file(Path(options.env_file)) if options.env_file is not None else {}
    warn_about_unset_variables(project, overrides)
    return {
        function.name: LambdaService(
            command or (*runtime, function.import_name),
            name=function.name,
            folder=function.folder,
            handler=function.import_name,
            environment=function.environment | overrides,
            timeout=function.timeout or _default_timeout(options),
            concurrency=options.concurrency,
            sandboxes=options.sandboxes,
        )
        for function in project.functions
    }


def _default_timeout(options: argparse.Namespace) -> float:
    """Return the timeout of a function that has none, in seconds: one more than the front door waits for it."""
    rules = front_door(options.source)
    if options.timeout is None and rules.supports_streaming:
        return LAMBDA_SECONDS
    return float(options.timeout or rules.timeout) + 1


def _plain(options: argparse.Namespace, project: Project) -> ServedApplication:
    """Return the user's application as ASGI."""
    loaded: list[tuple[Any, str]] = []

    def wrap(app: Any, interface: str) -> Any:
        app = _with_static_files(app)
        if options.debugger:
            app = add_debugger(app, interface, host=options.host, streams=True)
        loaded.append((app, interface))
        return app

    function = project.functions[0]
    project.functions = [function]
    handlers = load_functions(project, options.env_file, wrap=wrap)
    if not loaded:
        raise CommandError(f"{function.app} is a Lambda handler, and --plain serves applications only. Remove --plain.")
    ((app, interface),) = loaded
    if interface == "wsgi":
        from bridge.dev.cli.server.wsgi_server import WsgiServer

        app = WsgiServer(app)
    else:
        handler = handlers[function.name]
        app = handler.asgi.app if isinstance(handler, Handler) and handler.asgi is not None else app
    return ServedApplication(AccessLogMiddleware(app), f"{function.app} itself", websockets=interface != "wsgi")
