"""The serving process of ``bridge serve``: uvicorn with the front door, or with the application itself."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from bridge.adapter import Handler
from bridge.cli import CommandError
from bridge.cli.access import print_passage
from bridge.cli.load import load_functions, say
from bridge.cli.options import base_path, media_types
from bridge.gateway.app import Gateway

if TYPE_CHECKING:
    from bridge.cli.project import Function

# Seconds that requests have to end after Ctrl-C.
_GRACE = 10


class _Server(uvicorn.Server):
    """Says where it listens once the application has started up."""

    greeting = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            say(self.greeting)


def serve(listener: socket.socket, options: dict[str, Any]) -> int:
    """Serve on *listener* until Ctrl-C or SIGTERM.

    Args:
        listener: a socket that listens.
        options: those of the command line.

    Returns:
        The exit status: 0, or 3 if the application did not start up.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    app, what = _application(options)
    certificate, key = _certificate(options)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="auto" if options["plain"] else "on",
        log_config=None,
        log_level="warning",
        access_log=options["plain"],
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the gateway writes it, as the front door does
        timeout_graceful_shutdown=_GRACE,
        # A header that is too large gets the front door's own answer, not the server's.
        h11_max_incomplete_event_size=1024 * 1024,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    host = f"[{options['host']}]" if ":" in options["host"] else options["host"]
    server = _Server(config)
    server.greeting = f"{what} at {'https' if certificate else 'http'}://{host}:{options['port']}  (Ctrl-C ends)"
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    status = 0 if server.started else 3
    if any(thread.name.startswith("bridge function") for thread in threading.enumerate() if thread.is_alive()):
        # A thread that hangs in the application would keep the process for ever.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _application(options: dict[str, Any]) -> tuple[Any, str]:
    """What uvicorn serves, and the words for it."""
    from bridge.cli.debugger import with_debugger

    wrap = with_debugger if options["debugger"] else None
    prefix = base_path(options["base_path"])
    if options["plain"]:
        app, function = _plain(options, wrap)
        return app, f"Serving {function.app} itself"
    functions = load_functions(options["app"], options["env_file"], wrap=wrap, settings={"base_path": prefix or None})
    timeouts = [function.timeout for function, _ in functions if function.timeout]
    gateway = Gateway(
        {function.name: handler for function, handler in functions},
        options["source"],
        stage=options["stage"],
        base_path=prefix,
        binary_media_types=media_types(options["binary_media_types"]),
        timeout=options["timeout"] or (float(max(timeouts)) if timeouts else None),
        threads=options["threads"],
        routes=[route for function, _ in functions for route in function.routes],
        observe=lambda passage: print_passage(passage, verbose=options["verbose"]),
    )
    return gateway, f"Serving {', '.join(function.app for function, _ in functions)} behind {options['source']}"


def _plain(options: dict[str, Any], wrap: Any) -> tuple[Any, Function]:
    """The application itself as ASGI; a WSGI one through asgiref's WsgiToAsgi."""
    seen: list[tuple[Any, str]] = []

    def note(app: Any, interface: str) -> Any:
        app = wrap(app, interface) if wrap else app
        seen.append((app, interface))
        return app

    function, handler = load_functions(options["app"], options["env_file"], wrap=note)[0]
    if not seen:
        raise CommandError(f"{function.app} is a Lambda handler, no application; serve it without --plain.")
    app, interface = seen[0]
    if interface == "wsgi":
        from bridge.interfaces.wsgi_to_asgi import WsgiApplication

        return WsgiApplication(app), function
    if isinstance(handler, Handler) and handler.hosted is not None:
        app = handler.hosted.app
    return app, function


def _certificate(options: dict[str, Any]) -> tuple[str | None, str | None]:
    """The files of the certificate and its key; None without https."""
    if not options["ssl_adhoc"]:
        return options["ssl_certfile"], options["ssl_keyfile"]
    import tempfile

    from werkzeug.serving import make_ssl_devcert

    folder = tempfile.mkdtemp(prefix="bridge-")
    return make_ssl_devcert(f"{folder}/adhoc", host=options["host"])


if __name__ == "__main__":
    try:
        inherited = socket.socket(fileno=int(os.environ["BRIDGE_LISTENER"]))
        sys.exit(serve(inherited, json.loads(os.environ["BRIDGE_SERVE"])))
    except CommandError as error:
        say(f"bridge: {error}")
        sys.exit(1)
