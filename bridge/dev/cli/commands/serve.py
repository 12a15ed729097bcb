"""``bridge serve``: serves the application behind a local front door."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib.util
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.common_options import (
    DEFAULT_THREADS,
    add_application_options,
    add_front_door_options,
    add_runtime_options,
    add_websocket_options,
    positive_integer,
)
from bridge.dev.cli.output import missing_package, print_message
from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser("serve", help="serve the application behind a local front door")
    add_application_options(parser)
    add_front_door_options(parser, has_websockets=True)
    add_websocket_options(parser)
    add_runtime_options(parser)
    add = parser.add_argument
    switch = argparse.BooleanOptionalAction
    add("--plain", action="store_true", help="serve the application itself, without a front door")
    add("-p", "--port", type=int, default=5000, help="the port; 0 for any free one; default: 5000")
    add("--host", type=_host, default="localhost",
        help="the host; 0.0.0.0 for all addresses of this machine; default: localhost")  # fmt: skip
    add("--reload", action=switch, default=True, help="restart when code changes; default: on")
    add("--debugger", action=switch,
        help="respond to an exception with a debugger (WSGI) or its traceback (ASGI); default: on")  # fmt: skip
    add("--threads", type=positive_integer, default=DEFAULT_THREADS, metavar="N",
        help=f"how many requests a WSGI application answers at once; default: {DEFAULT_THREADS}")  # fmt: skip
    add("--disable-threading", action="store_const", const=1, dest="threads", help="the same as --threads 1")
    add("--num-processes", type=int, default=1, help=argparse.SUPPRESS)  # of `sls wsgi serve`
    add("--inspector", action=switch, default=True,
        help="show each request on a page at a second address, for this machine only; default: on")  # fmt: skip
    add("-v", "--verbose", action="store_true", help="print the event and the payload of each request")
    add("--ssl-certfile", "--ssl-pub", metavar="FILE", help="serve https with this certificate")
    add("--ssl-keyfile", "--ssl-pri", metavar="FILE", help="the key of the certificate")
    add("--ssl-adhoc", "--ssl", action="store_true", help="serve https with a temporary certificate")
    parser.takes_words = True
    parser.set_defaults(run=run, command=[], websocket=False)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    _check(options)
    options = argparse.Namespace(**{name: value for name, value in vars(options).items() if name != "run"})
    if options.debugger is None:
        options.debugger = not options.runtime
    with contextlib.ExitStack() as cleanup:
        if options.ssl_adhoc:
            options.ssl_certfile, options.ssl_keyfile = cleanup.enter_context(_temporary_certificate(options.host))
        if options.env_file is not None and not Path(options.env_file).is_file():
            options.env_file = cleanup.enter_context(_copied(options.env_file))
        listener = cleanup.enter_context(_listen(options.host, options.port))
        options.websocket_file = None
        if options.runtime:
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bridge-"))
            options.websocket_file = str(Path(folder) / "connections.sqlite3")
        options.inspector_listener = None
        if options.inspector and not options.plain:
            from bridge.dev.cli.server.inspector_server import listen_for_inspector
            from bridge.dev.inspector.access_token import user_token

            options.inspector_listener = cleanup.enter_context(listen_for_inspector(options.port)).fileno()
            options.inspector_token = user_token()
            options.inspector_file = cleanup.enter_context(tempfile.TemporaryFile()).fileno()
        options.port = listener.getsockname()[1]
        if options.debugger and not _is_local(options.host):
            print_message(
                f"The debugger is on: everyone who can reach {options.host} sees the tracebacks of the application; "
                "--no-debugger turns it off."
            )
        if options.reload:
            from bridge.dev.cli.server.reloader import run_with_reloader

            return run_with_reloader(listener, options, _watched_folders(options.app))
        from bridge.dev.cli.server.process import serve

        return serve(listener, options)


def _host(text: str) -> str:
    """Return *text* without the brackets that an IPv6 address has in a URL."""
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _is_local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _check(options: argparse.Namespace) -> None:
    for package in ("uvicorn", "werkzeug", "watchfiles", "websockets"):
        if importlib.util.find_spec(package) is None:
            raise missing_package("bridge serve", package, "serve")
    if options.command and not options.runtime:
        raise UsageError("The words after -- are a command for --runtime. Add --runtime, or remove -- and the words.")
    if options.runtime and options.plain:
        raise UsageError(
            "--plain does not apply with --runtime: --plain serves the application itself, and --runtime runs it as "
            "Lambda does. Remove one of them."
        )
    if options.runtime and os.name != "posix":
        raise CommandError("--runtime runs on Linux and macOS only. Run `bridge serve` without --runtime.")
    if options.num_processes != 1:
        raise UsageError(
            "--num-processes is not supported, because the server is a single process. Use --threads N to answer N "
            "requests at once."
        )
    if options.env_file is not None and (not Path(options.env_file).exists() or Path(options.env_file).is_dir()):
        raise UsageError(f"--env-file {options.env_file} does not exist, or is a folder.")
    if options.ssl_certfile is not None or options.ssl_keyfile is not None:
        _check_certificate(options)
    if options.ssl_adhoc and importlib.util.find_spec("cryptography") is None:
        raise CommandError("--ssl-adhoc needs the package cryptography. Install it: pip install cryptography")


def _check_certificate(options: argparse.Namespace) -> None:
    files = {"--ssl-certfile": options.ssl_certfile, "--ssl-keyfile": options.ssl_keyfile}
    for option, file in files.items():
        if file is None:
            raise UsageError(f"https needs a certificate and its key. Add {option}, or use --ssl-adhoc for both.")
        if not Path(file).is_file():
            raise UsageError(f"{option} {file} does not exist.")
    if options.ssl_adhoc:
        raise UsageError("--ssl-adhoc does not apply with --ssl-certfile and --ssl-keyfile. Remove it, or the two.")
    import ssl

    try:
        ssl.create_default_context().load_cert_chain(*files.values())
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"{options.ssl_certfile} and {options.ssl_keyfile} are not a certificate and key in PEM format: {error}."
        ) from None


@contextlib.contextmanager
def _copied(pipe: str) -> Iterator[str]:
    """Provide a file with the content of *pipe*, such as a shell's ``<(…)``: each restart reads the file again."""
    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:  # only this user can read it
        file = Path(folder) / "env"
        try:
            file.write_bytes(Path(pipe).read_bytes())
        except OSError as error:
            raise UsageError(f"--env-file {pipe} cannot be read: {error.strerror}.") from None
        yield str(file)


@contextlib.contextmanager
def _temporary_certificate(host: str) -> Iterator[tuple[str, str]]:
    """Provide the files of a new certificate for *host* and of its key."""
    from werkzeug.serving import make_ssl_devcert

    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:
        yield make_ssl_devcert(f"{folder}/adhoc", host=host)


def _watched_folders(app: str | None) -> list[Path]:
    """Return the current folder, and the application's if that is not below it."""
    here = Path.cwd()
    if not app:
        return [here]
    folder = (here / app.partition(":")[0]).resolve().parent
    return [here] if folder.is_relative_to(here) or not folder.is_dir() else [here, folder]


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, opened before any child process starts, so that no restart refuses a connection.

    Raises:
        CommandError: the port is in use.
        UsageError: the port is out of range, or the host is not an address of this machine.
    """
    if not 0 <= port < 65536:
        raise UsageError(f"--port is {port}; it must be from 0 to 65535.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if host == "localhost":  # IPv4, because not every client tries both
            family, address = socket.AF_INET, ("127.0.0.1", port)
        # asyncio sets TCP_NODELAY only on sockets with an explicit protocol. Without it each response on a persistent
        # connection waits 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except socket.gaierror as error:
        raise UsageError(
            f"--host {host} cannot be resolved: {error.strerror}. Correct it, or remove it to listen on localhost."
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                f"--host {host} is not an address of this machine. Remove it to listen on localhost, or use "
                "--host 0.0.0.0 for all addresses of the machine."
            ) from None
        hint = " (on macOS, AirPlay uses port 5000)" if port == 5000 and sys.platform == "darwin" else ""
        raise CommandError(
            f"Port {port} of {host} cannot be used: {error.strerror}{hint}. Choose another port with --port; --port 0 "
            "chooses any free one."
        ) from None
    listener.set_inheritable(True)
    return listener
