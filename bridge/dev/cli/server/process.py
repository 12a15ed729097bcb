"""The process of ``bridge serve`` that serves: the command's own, or a child of the reloader."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
from functools import partial
from typing import Any

from bridge.dev.cli.common_options import front_door_settings
from bridge.dev.cli.output import print_message
from bridge.dev.cli.server.access_log import AccessLogMiddleware
from bridge.dev.cli.server.error_page import ErrorPageApplication, error_report
from bridge.dev.cli.server.inspector_server import InspectorServer
from bridge.dev.cli.server.reloader import ARGUMENTS_VARIABLE
from bridge.dev.cli.server.served_application import make_application
from bridge.dev.cli.server.uvicorn_server import DevelopmentServer
from bridge.dev.errors import CommandError
from bridge.dev.inspector import InspectorApplication, Recorder, Served, handover
from bridge.dev.terminal_logs import set_up_logging
from bridge.errors import BridgeError

_NOT_STARTED = "bridge: The application did not start up; see the messages above."
_LIFESPAN_HINT = " To serve it without its lifespan, set BRIDGE_LIFESPAN=off in the environment."


def serve(listener: socket.socket, options: argparse.Namespace, *, is_restart: bool = False) -> int:
    """Serve on *listener* until Ctrl-C or SIGTERM.

    Args:
        listener: a listening socket.
        options: the options of ``bridge serve``.
        is_restart: whether to serve the error if the application cannot be served, instead of returning.

    Returns:
        The exit status: 0, or 3 if the application did not start up.

    Raises:
        CommandError: there is no application, or it cannot be imported.
        UsageError: an option does not apply to the project's front door.
    """
    set_up_logging(full_tracebacks=options.verbose)
    recorder = _recorder(options)
    try:
        application = make_application(options, recorder)
    except Exception as error:
        if not is_restart:
            raise
        report = error_report(error)
        # The loader has already printed the traceback of an application that cannot be imported.
        print_message(f"bridge: {error}" if isinstance(error, BridgeError) else report)
        return serve_error(listener, options, report)
    greeting = f"Serving {application.description} at {_url(options)}  (press Ctrl-C to stop){_prefix_hint(options)}"
    if application.gateway is not None and application.websockets:
        greeting += f"\nWebSocket API at ws{_url(options).removeprefix('http').rstrip('/')}/"
    inspector = None
    if recorder is not None:
        served = Served(
            application.description, _url(options, with_prefix=False), application.gateway, application.handlers,
            application.apps,
        )  # fmt: skip
        inspector = _inspector(options, recorder, served)
        greeting += f"\nInspector at {inspector.url}/#token={options.inspector_token}  (for you on this machine only)"
    server = DevelopmentServer(
        application.app, greeting, options, websockets=application.websockets, inspector=inspector
    )
    _run(server, listener)
    if server.started:
        return server.exit_status
    report = f"{server.startup_error}\n{_NOT_STARTED}" + ("" if options.plain else _LIFESPAN_HINT)
    print_message(report)
    return serve_error(listener, options, report) if is_restart else server.exit_status


def serve_error(listener: socket.socket, options: argparse.Namespace, report: str) -> int:
    """Respond to each request with *report*, until Ctrl-C or SIGTERM; without a debugger clients do not see it.

    Returns:
        The exit status.
    """
    print_message("The next change of code restarts the server (press Ctrl-C to stop).")
    app = AccessLogMiddleware(ErrorPageApplication(report if options.debugger else ""))
    inspector, recorder = None, _recorder(options)
    if recorder is not None:
        served = Served("The application cannot be served.", _url(options, with_prefix=False))
        inspector = _inspector(options, recorder, served)
    server = DevelopmentServer(app, "", argparse.Namespace(**vars(options) | {"plain": True}), inspector=inspector)
    _run(server, listener)
    return server.exit_status


def run_child() -> None:
    """Serve as a child of the reloader, with the arguments that :class:`ServerProcess` passes, and exit."""
    arguments = json.loads(os.environ.pop(ARGUMENTS_VARIABLE))
    threading.Thread(target=_stop_with_parent, args=(arguments["parent"],), daemon=True).start()
    listener, options = socket.socket(fileno=arguments["listener"]), argparse.Namespace(**arguments["options"])
    failed_status = arguments["failed_status"]
    try:
        if failed_status is not None:
            report = f"bridge: The application exited with status {failed_status}; see the output above."
            print_message(report)
            sys.exit(serve_error(listener, options, report))
        sys.exit(serve(listener, options, is_restart=arguments["is_restart"]))
    except BridgeError as error:
        print_message(f"bridge: {error}")
        sys.exit(error.exit_status if isinstance(error, CommandError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(server: DevelopmentServer, listener: socket.socket) -> None:
    # After its shutdown uvicorn raises the signal again; then the process is to exit with its own status.
    signal.signal(signal.SIGTERM, _ignore)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    except SystemExit:  # raised by uvicorn if the application does not start up
        if server.started:
            raise


def _ignore(number: int, frame: Any) -> None:
    pass


def _stop_with_parent(pipe: int) -> None:
    """Send SIGTERM to this process when the process at the other end of *pipe* is gone."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _recorder(options: argparse.Namespace) -> Recorder | None:
    """Return a recorder with the requests of the process before; None without an inspector."""
    if options.inspector_listener is None:
        return None
    recorder = Recorder()
    handover.load(recorder, options.inspector_file)
    return recorder


def _inspector(options: argparse.Namespace, recorder: Recorder, served: Served) -> InspectorServer:
    listener = socket.socket(fileno=os.dup(options.inspector_listener))  # asyncio closes it with the server
    save = partial(handover.save, recorder, options.inspector_file)
    return InspectorServer(InspectorApplication(recorder, served, options.inspector_token), listener, save)


def _url(options: argparse.Namespace, *, with_prefix: bool = True) -> str:
    scheme = "https" if options.ssl_certfile else "http"
    host = f"[{options.host}]" if ":" in options.host else options.host
    prefix = front_door_settings(options).prefix if with_prefix else ""
    return f"{scheme}://{host}:{options.port}" + (f"{prefix}/" if prefix else "")


def _prefix_hint(options: argparse.Namespace) -> str:
    settings = front_door_settings(options)
    if not settings.prefix:
        return ""
    option = "--stage" if settings.stage else "--base-path"
    return (
        f"\nURLs begin with {settings.prefix}, because of {option}. The application gets the rest as its path, and "
        f"{settings.prefix} as SCRIPT_NAME or root_path."
    )
