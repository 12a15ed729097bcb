"""``bridge serve``: the application behind this machine's version of a front door."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.function_loader import needs
from bridge.dev.cli.options import THREADS, add_application, add_front_door, add_runtime
from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("serve", help="serve the application behind a local front door")
    add_application(parser)
    add_front_door(parser)
    add_runtime(parser)
    add = parser.add_argument
    flag = argparse.BooleanOptionalAction
    add("--plain", action="store_true", help="serve the application itself, without a front door")
    add("-p", "--port", type=int, default=5000, help="default 5000; 0 for any free one")
    addresses = "default localhost; 0.0.0.0 for all of this machine's addresses"
    add("--host", type=_host, default="localhost", help=addresses)
    add("--reload", action=flag, default=True, help="start again when code changes (default on)")
    add("--debugger", action=flag, help="a debugger for WSGI, a traceback page for ASGI (default on)")
    add("--threads", type=int, default=THREADS, help="requests that a WSGI application answers at once; default 16")
    add("--disable-threading", action="store_const", const=1, dest="threads", help="the same as --threads 1")
    add("--num-processes", type=int, default=1, help=argparse.SUPPRESS)
    add("-v", "--verbose", action="store_true", help="print each event and payload")
    add("--ssl-certfile", "--ssl-pub", metavar="FILE", help="serve https with this certificate …")
    add("--ssl-keyfile", "--ssl-pri", metavar="FILE", help="… and its key")
    add("--ssl-adhoc", "--ssl", action="store_true", help="serve https with a certificate made for it")
    parser.takes_command = True
    parser.set_defaults(run=run, command=[])


def run(chosen: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    _check(chosen)
    if chosen.debugger is None:
        chosen.debugger = not chosen.runtime
    options = {key: value for key, value in vars(chosen).items() if key not in ("run", "reload")}
    with contextlib.ExitStack() as ending:
        if chosen.ssl_adhoc:
            options["ssl_certfile"], options["ssl_keyfile"] = ending.enter_context(_certificate(chosen.host))
        if chosen.env_file is not None and not Path(chosen.env_file).is_file():
            options["env_file"] = ending.enter_context(_copy(chosen.env_file))
        listener = ending.enter_context(_listen(chosen.host, chosen.port))
        options["port"] = listener.getsockname()[1]
        if chosen.reload:
            from bridge.dev.cli.server.reloader import supervise

            os.environ["BRIDGE_SERVE"] = json.dumps(options)
            return supervise(listener, _folders(chosen.app))
        from bridge.dev.cli.server.process import serve

        return serve(listener, options)


def _host(text: str) -> str:
    """An address or name; one of IPv6 may be in brackets, as in URLs."""
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _check(chosen: argparse.Namespace) -> None:
    for package in ("uvicorn", "werkzeug", "watchfiles"):
        if importlib.util.find_spec(package) is None:
            raise needs(package)
    if chosen.command and not chosen.runtime:
        raise UsageError("The words after -- are the command that --runtime runs; it is not there.")
    if chosen.runtime and chosen.plain:
        raise UsageError("--plain serves the application itself, --runtime as Lambda runs it: not both.")
    if chosen.runtime and os.name != "posix":
        raise CommandError("--runtime needs the processes and signals of Linux or macOS.")
    if chosen.threads < 1:
        raise UsageError(f"--threads is {chosen.threads}; it must be 1 or more.")
    if chosen.num_processes != 1:
        raise UsageError("--num-processes: the server is one process; --threads N answers N at once.")
    if chosen.plain:
        for option in ("source", "stage", "base_path", "binary_media_types", "timeout"):
            if value := getattr(chosen, option):
                name = f"--{option.replace('_', '-')} {value}"
                raise UsageError(f"--plain serves without a front door, so {name} means nothing with it.")
    if chosen.env_file is not None and (not Path(chosen.env_file).exists() or Path(chosen.env_file).is_dir()):
        raise UsageError(f"There is no file {chosen.env_file}.")
    if chosen.ssl_certfile is not None or chosen.ssl_keyfile is not None:
        _check_certificate(chosen)
    if chosen.ssl_adhoc and importlib.util.find_spec("cryptography") is None:
        raise CommandError("--ssl-adhoc makes a certificate with the package cryptography: pip install cryptography")


def _check_certificate(chosen: argparse.Namespace) -> None:
    files = {"--ssl-certfile": chosen.ssl_certfile, "--ssl-keyfile": chosen.ssl_keyfile}
    for option, file in files.items():
        if file is None:
            raise UsageError(f"https needs a certificate and its key: {option} is missing. (Or --ssl-adhoc for both.)")
        if not Path(file).is_file():
            raise UsageError(f"There is no file {file}.")
    if chosen.ssl_adhoc:
        raise UsageError("Either --ssl-adhoc or a certificate and its key: not both.")
    import ssl

    try:
        ssl.create_default_context().load_cert_chain(*files.values())
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"{' and '.join(files.values())} are no certificate and its key in PEM format: {error}"
        ) from None


@contextlib.contextmanager
def _copy(pipe: str) -> Iterator[str]:
    """A file with what comes through *pipe*, such as the shell's ``<(…)``: it can be read once, and each start does."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:  # nobody else may look into it
        file = Path(folder) / "env"
        try:
            file.write_bytes(Path(pipe).read_bytes())
        except OSError as error:
            raise UsageError(f"--env-file {pipe} cannot be read: {error.strerror}.") from None
        yield str(file)


@contextlib.contextmanager
def _certificate(host: str) -> Iterator[tuple[str, str]]:
    """The files of a certificate made for *host* and its key, while they are needed."""
    import tempfile

    from werkzeug.serving import make_ssl_devcert

    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:
        yield make_ssl_devcert(f"{folder}/adhoc", host=host)


def _folders(app: str | None) -> list[Path]:
    """Where code lies that is watched: here, and where the application is named if that is elsewhere."""
    here = Path.cwd()
    if not app:
        return [here]
    place = (here / app.partition(":")[0]).resolve().parent
    return [here] if place.is_relative_to(here) or not place.is_dir() else [here, place]


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; open before any child starts, so that none loses a connection.

    Raises:
        CommandError: the port is taken.
        UsageError: it is none, or the host is none of this machine's.
    """
    if not 0 <= port < 65536:
        raise UsageError(f"--port is {port}; it must be from 0 to 65535.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if host == "localhost":  # IPv4 first: not every client tries both
            family, address = socket.AF_INET, ("127.0.0.1", port)
        # With its protocol named: asyncio turns Nagle's algorithm off only where it sees TCP, and without that each
        # answer on a kept connection waits 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except socket.gaierror as error:
        raise UsageError(f"--host {host} is no address or name of this machine: {error.strerror}.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                f"--host {host} is no address of this machine; leave it out for localhost, or take 0.0.0.0 for all "
                "of the machine's addresses."
            ) from None
        hint = " (on macOS, AirPlay uses port 5000)" if port == 5000 and sys.platform == "darwin" else ""
        raise CommandError(
            f"Port {port} of {host} cannot be used: {error.strerror}{hint}. Choose another one with --port; --port 0 "
            "takes any that is free."
        ) from None
    listener.set_inheritable(True)
    return listener
