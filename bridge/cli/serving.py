"""The serving process of ``bridge serve``: uvicorn with the front door, or with the application itself."""

from __future__ import annotations

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
from bridge.cli import CommandError
from bridge.cli.access import AccessLines, print_passage
from bridge.cli.load import load_functions, say
from bridge.cli.options import DEFAULT_SOURCE, base_path, media_types
from bridge.cli.project import find_project
from bridge.cli.server import Server
from bridge.errors import BridgeError
from bridge.gateway.app import Gateway

if TYPE_CHECKING:
    from bridge.cli.project import Project


def serve(listener: socket.socket, options: dict[str, Any]) -> int:
    """Serve on *listener* until Ctrl-C or SIGTERM.

    Args:
        listener: a socket that listens.
        options: those of the command line.

    Returns:
        The exit status: 0, or 3 if the application did not start up.

    Raises:
        CommandError: there is no application, or it cannot be imported.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    app, what = _application(options)
    scheme = "https" if options["ssl_certfile"] else "http"
    host = f"[{options['host']}]" if ":" in options["host"] else options["host"]
    prefix = "/".join(part for part in (options["stage"].strip("/"), options["base_path"].strip("/")) if part)
    below = f"URLs begin with /{prefix}; " if prefix else ""
    greeting = f"{what} at {scheme}://{host}:{options['port']}  ({below}Ctrl-C ends)"
    server = Server(app, greeting, options)
    signal.signal(signal.SIGTERM, _ended)  # uvicorn raises the signal again when all has ended in order
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    except SystemExit:  # uvicorn's, if the application does not start up
        if server.started:
            raise
    if not server.started:
        say("bridge: the application does not start up; what is above says why.")
    return server.status


def _application(options: dict[str, Any]) -> tuple[Any, str]:
    """What uvicorn serves, and the words for it."""
    from bridge.cli.debugger import with_debugger

    project = find_project(options["app"], Path.cwd())
    wrap = partial(with_debugger, host=options["host"]) if options["debugger"] else None
    if options["plain"]:
        app = _plain(project, options, wrap)
        return AccessLines(app), f"Serving {project.functions[0].app} itself"
    prefix = base_path(options["base_path"])
    source = options["source"] or project.source or DEFAULT_SOURCE
    handlers = load_functions(project, options["env_file"], wrap=wrap, settings={"base_path": prefix or None})
    gateway = Gateway(
        handlers,
        source,
        stage=options["stage"],
        base_path=prefix,
        binary_media_types=media_types(options["binary_media_types"]) or project.binary_media_types,
        timeout=options["timeout"],
        timeouts={function.name: function.timeout for function in project.functions if function.timeout},
        threads=options["threads"],
        routes=[route for function in project.functions for route in function.routes],
        observe=lambda passage: print_passage(passage, verbose=options["verbose"]),
    )
    return gateway, f"Serving {', '.join(function.app for function in project.functions)} behind {source}"


def _plain(project: Project, options: dict[str, Any], wrap: Any) -> Any:
    """The application itself as ASGI; a WSGI one through asgiref's WsgiToAsgi."""
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
        from bridge.interfaces.wsgi_to_asgi import WsgiApplication

        return WsgiApplication(app)
    (handler,) = handlers.values()
    return handler.hosted.app if isinstance(handler, Handler) and handler.hosted is not None else app


def _ended(number: int, frame: object) -> None:
    """SIGTERM, after the server has ended: the process ends by itself, with status 0."""


def _end_with(parent: int) -> None:
    """End when the process at the other end of a pipe is gone, however it went."""
    os.read(parent, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def child() -> None:
    """Serve as the child of :mod:`bridge.cli.reload`, which says in the environment what and where."""
    inherited, pipe = map(int, os.environ.pop("BRIDGE_DESCRIPTORS").split())
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    try:
        sys.exit(serve(socket.socket(fileno=inherited), json.loads(os.environ.pop("BRIDGE_SERVE"))))
    except BridgeError as error:
        say(f"bridge: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
