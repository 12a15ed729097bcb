"""The serving process of ``bridge serve``: uvicorn with the front door, or with the application itself."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.adapter import Handler
from bridge.dev.cli.function_loader import load_functions, say
from bridge.dev.cli.options import DEFAULT_SOURCE, base_path, framework_options, media_types, settle_front_door
from bridge.dev.cli.server.access_log import AccessLines, print_passage
from bridge.dev.cli.server.error_page import Broken, ended, trace_of
from bridge.dev.cli.server.uvicorn_server import Server
from bridge.dev.errors import CommandError
from bridge.dev.gateway import Door
from bridge.dev.gateway.gateway import Gateway
from bridge.dev.projects import pyproject
from bridge.dev.projects.project import find_project
from bridge.errors import BridgeError
from bridge.wsgi.environ import answer_in_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.dev.projects.project import Project


# Said after the reason.
_NOT_STARTED = "bridge: the application does not start up; what is above says why."
_OFF = "(With BRIDGE_LIFESPAN=off in the environment it is served without its lifespan.)"


def serve(listener: socket.socket, options: dict[str, Any], *, stays: bool = False) -> int:
    """Serve on *listener* until Ctrl-C or SIGTERM.

    Args:
        listener: a socket that listens.
        options: those of the command line.
        stays: if the application cannot be served, answer with what is wrong until somebody has mended it.

    Returns:
        The exit status: 0, or 3 if the application did not start up.

    Raises:
        CommandError: there is no application, or it cannot be imported.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        app, what, websockets = _application(options)
    except Exception as error:
        if not stays:
            raise
        report = trace_of(error)
        # The application's traceback has been printed.
        say(f"bridge: {error}" if isinstance(error, BridgeError) else report)
        return serve_broken(listener, options, report)
    greeting = f"{what} at {_url(options)}  (Ctrl-C ends){_prefix_hint(options)}"
    server = Server(app, greeting, options, websockets=websockets)
    _run(server, listener)
    if server.started:
        return server.status
    report = f"{server.failure}\n{_NOT_STARTED}" + ("" if options["plain"] else f" {_OFF}")
    say(report)
    return serve_broken(listener, options, report) if stays else server.status


def serve_broken(listener: socket.socket, options: dict[str, Any], report: str) -> int:
    """Answer with *report* what is asked on *listener*, until a signal comes."""
    say("The next change of code starts it again (Ctrl-C ends).")
    server = Server(AccessLines(Broken(report if options["debugger"] else "")), "", {**options, "plain": True})
    _run(server, listener)
    return server.status


def _run(server: Server, listener: socket.socket) -> None:
    signal.signal(signal.SIGTERM, _ended)  # uvicorn raises the signal again when all has ended in order
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    except SystemExit:  # uvicorn's, if the application does not start up
        if server.started:
            raise


def _url(options: dict[str, Any]) -> str:
    scheme = "https" if options["ssl_certfile"] else "http"
    host = f"[{options['host']}]" if ":" in options["host"] else options["host"]
    prefix = Door(options["stage"], options["base_path"]).prefix
    return f"{scheme}://{host}:{options['port']}" + (f"{prefix}/" if prefix else "")


def _prefix_hint(options: dict[str, Any]) -> str:
    """A line on what stands before the application's own paths."""
    door = Door(options["stage"], options["base_path"])
    if not door.prefix:
        return ""
    option = f"--stage {door.stage}: URLs begin with {door.prefix}" if door.stage else ""
    option = option or f"--base-path {door.base_path}: URLs begin with it"
    return f"\n{option}; the application sees its path without it (which is its SCRIPT_NAME or root_path)."


def _application(options: dict[str, Any]) -> tuple[Any, str, bool]:
    """What uvicorn serves, the words for it, and whether it is asked for WebSockets."""
    from bridge.dev.cli.server.debugger import with_debugger

    if options["runtime"]:
        return _in_processes(options)
    project = find_project(options["app"], Path.cwd(), framework_options(options["stage"], options["opt"]))
    debug = partial(with_debugger, host=options["host"], streams=options["plain"])
    wrap = debug if options["debugger"] else None
    if options["plain"]:
        app, interface = _plain(project, options, wrap)
        return AccessLines(app), f"Serving {project.functions[0].app} itself", interface != "wsgi"
    if options["threads"] > 1:
        answer_in_threads()
    prefix = base_path(options["base_path"])
    source = _source(options, project)
    handlers = load_functions(project, options["env_file"], wrap=wrap, settings={"base_path": prefix or None})
    timeouts = {function.name: function.timeout for function in project.functions if function.timeout}
    gateway = _gateway(handlers, project, source, options, timeouts)
    return gateway, f"Serving {', '.join(function.app for function in project.functions)} behind {source}", False


def _in_processes(options: dict[str, Any]) -> tuple[Any, str, bool]:
    """The same with the functions in processes of their own, which end by their timeouts themselves."""
    from bridge.dev.cli.server import function_processes as runtime

    project = runtime.project_of(options, Path.cwd())
    source = _source(options, project)
    handlers = runtime.services(project, options, source, base_path(options["base_path"]))
    gateway = _gateway(handlers, project, source, options, {})
    if hint := runtime.stream_hint(options, source):
        say(hint)
    return gateway, runtime.description(project, options, source), False


def _source(options: dict[str, Any], project: Project) -> str:
    """The front door, once the project is known; it is told what of the project it leaves out.

    Raises:
        UsageError: an option means nothing to it.
    """
    for line in project.warnings if options["source"] else project.warnings + project.mixed:
        say(line)
    chosen = argparse.Namespace(**options | {"source": options["source"] or project.source or DEFAULT_SOURCE})
    settle_front_door(chosen, pyproject.options(Path.cwd()))
    options.update(vars(chosen))
    return str(options["source"])


def _gateway(
    handlers: Mapping[str, Any],
    project: Project,
    source: str,
    options: dict[str, Any],
    timeouts: Mapping[str, float],
) -> Gateway:
    return Gateway(
        handlers,
        source,
        stage=options["stage"],
        base_path=base_path(options["base_path"]),
        binary_media_types=media_types(options["binary_media_types"]) or project.binary_media_types,
        timeout=options["timeout"],
        timeouts=timeouts,
        threads=options["threads"],
        routes=project.routes,
        cors=project.cors_behind(source),
        observe=lambda passage: print_passage(passage, verbose=options["verbose"]),
        shows_events=options["verbose"],
        detach=False,  # uvicorn has a task for each request
    )


def _plain(project: Project, options: dict[str, Any], wrap: Any) -> tuple[Any, str]:
    """The application itself as ASGI, a WSGI one through asgiref's WsgiToAsgi; and its own interface."""
    seen: list[tuple[Any, str]] = []

    def note(app: Any, interface: str) -> Any:
        app = wrap(app, interface) if wrap else app
        seen.append((app, interface))
        return app

    project.functions = project.functions[:1]
    handlers = load_functions(project, options["env_file"], wrap=note)
    if not seen:
        raise CommandError(f"{project.functions[0].app} is a Lambda handler, no application; serve it without --plain.")
    app, interface = seen[0]
    if interface == "wsgi":
        from bridge.wsgi.on_event_loop import WsgiApplication

        return WsgiApplication(app), interface
    (handler,) = handlers.values()
    return handler.hosted.app if isinstance(handler, Handler) and handler.hosted is not None else app, interface


def _ended(number: int, frame: object) -> None:
    """SIGTERM, after the server has ended: the process ends by itself, with status 0."""


def _end_with(parent: int) -> None:
    """End when the process at the other end of a pipe is gone, however it went."""
    os.read(parent, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def child() -> None:
    """Serve as the child of :mod:`bridge.dev.cli.server.reloader`, which says in the environment what and where."""
    inherited, pipe = map(int, os.environ.pop("BRIDGE_DESCRIPTORS").split())
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    listener, options = socket.socket(fileno=inherited), json.loads(os.environ.pop("BRIDGE_SERVE"))
    before = os.environ.pop("BRIDGE_CHILD_BEFORE")
    try:
        if before not in ("", "changed"):
            say(ended(before))
            sys.exit(serve_broken(listener, options, ended(before)))
        sys.exit(serve(listener, options, stays=before == "changed"))
    except BridgeError as error:
        say(f"bridge: {error}")
        sys.exit(error.exit_status if isinstance(error, CommandError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
