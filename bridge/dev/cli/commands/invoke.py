"""``bridge invoke``: calls the application once, with a request or with an event, and prints the result."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.dev.cli.common_options import (
    add_application_options,
    add_front_door_options,
    choose_source,
    front_door_settings,
    gateway_arguments,
    serverless_options,
)
from bridge.dev.cli.function_loader import load_functions
from bridge.dev.cli.output import print_message, print_warnings, to_json
from bridge.dev.cli.request_options import add_request_options, request_from
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.gateway import FRONT_DOORS, RefusedError, Request, front_door
from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.gateway import AccessRecord, Gateway
from bridge.dev.projects.discover import find_project
from bridge.dev.terminal_logs import set_up_logging
from bridge.errors import EventError
from bridge.handlers import Handler
from bridge.settings import Settings
from bridge.sources import recognise, source_named

if TYPE_CHECKING:
    import argparse

    from bridge.dev.gateway import Answer
    from bridge.dev.projects.project import Project
    from bridge.request import Scope


def add_parser(subparsers: Any) -> None:
    """Add the parser of the command."""
    parser = subparsers.add_parser(
        "invoke", help="call the application once, and print the payload or the HTTP response"
    )
    add_application_options(parser)
    add_request_options(parser)
    add_front_door_options(parser)
    parser.add_argument("-i", "--include", action="store_true", help="print the HTTP response that the client gets")
    parser.add_argument("--event", metavar="FILE", help="an event as JSON, instead of a request; - for standard input")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the payload as JSON, or with ``--include`` the HTTP response."""
    if options.url is None and options.app is not None and _is_url(options.app):
        options.app, options.url = None, options.app  # `bridge invoke /path` calls the application of the project
    has_event = options.event is not None
    if has_event:
        _check_no_request_options(options)
    set_up_logging()
    request = request_from(options)
    event = _read_event(options.event) if has_event else None
    scope = _read_scope(event) if has_event else None
    project = find_project(
        options.app, Path.cwd(), serverless_options(options), command="bridge invoke", env_file=options.env_file
    )
    print_warnings(project, sources=not options.source and not has_event)
    choose_source(options, scope.source if scope and scope.source in FRONT_DOORS else None, project.source)
    answer: Answer | None
    with contextlib.redirect_stdout(sys.stderr):  # so that standard output has nothing but the result
        if has_event:
            payload = _send_event(event, project, options)
            # The response of a REST API depends on the request's Accept header.
            request = Request(method=scope.method, headers=list(scope.headers)) if scope else request
            answer = _interpret(payload, request, options) if options.include else None
        else:
            record = asyncio.run(_send_request(request, project, options))
            payload, answer = record.payload, record.answer
    if options.include and answer is not None:
        _print_response(answer)
    elif answer is not None and answer.explanation:
        raise CommandError(
            f"{options.source} answered {answer.status} itself, for the reason above, so there is no payload. "
            "Add -i to print the response."
        )
    else:
        print(to_json(payload))
    return 0


def _is_url(text: str) -> bool:
    """Return whether the first argument is a URL: a whole one, or a path that is not an application's file."""
    file, colon, _ = text.partition(":")
    is_file = Path(file).is_file() or (bool(colon) and file.endswith(".py"))
    return text.startswith(("http://", "https://")) or (text.startswith("/") and not is_file)


def _check_no_request_options(options: argparse.Namespace) -> None:
    values = {"-X": options.request, "-H": options.header, "-d": options.data, "--data-binary": options.data_binary}
    written = [flag for flag, value in values.items() if value] + ([options.url] if options.url else [])
    if written:
        what = f"{' and '.join(written)} {'does' if len(written) == 1 else 'do'}"
        it = "it" if len(written) == 1 else "them"
        raise UsageError(f"{what} not apply with --event, which contains the request. Remove {it} or --event.")


def _read_event(name: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--event {name} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise CommandError(f"--event {name} is not valid JSON: {error}.") from None


def _read_scope(event: Any) -> Scope | None:
    """Return the request in *event*; None if there is none or it is malformed, which the handler reports."""
    name = recognise(event)
    try:
        return source_named(name).read(event, None, Settings(environ={})) if name else None
    except (AttributeError, LookupError, TypeError, EventError):
        return None


async def _send_request(request: Request, project: Project, options: argparse.Namespace) -> AccessRecord:
    """Send *request* through the gateway, between the startup and the shutdown of the application."""
    records: list[AccessRecord] = []
    base_path = front_door_settings(options).base_path
    handlers = load_functions(project, options.env_file, settings={"base_path": base_path or None})
    gateway = Gateway(handlers, **gateway_arguments(options, project), observe=records.append)
    to_gateway: asyncio.Queue[Any] = asyncio.Queue()
    from_gateway: asyncio.Queue[Any] = asyncio.Queue()
    lifespan = asyncio.create_task(gateway({"type": "lifespan"}, to_gateway.get, from_gateway.put))
    await to_gateway.put({"type": "lifespan.startup"})
    started = await from_gateway.get()
    if started["type"] == "lifespan.startup.failed":
        raise CommandError(f"The application did not start up: {started['message']}")

    async def receive() -> Any:
        return {"type": "http.request", "body": request.body}

    await gateway(_asgi_scope(request), receive, from_gateway.put)
    await to_gateway.put({"type": "lifespan.shutdown"})
    await lifespan
    return records[0]


def _asgi_scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "method": request.method,
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        "client": (request.client, 0),
        "scheme": request.scheme,
        "http_version": request.http_version,
    }


def _send_event(event: Any, project: Project, options: argparse.Namespace) -> Any:
    """Call the project's first function with *event* and return the payload."""
    project.functions = project.functions[:1]
    settings = {"base_path": front_door_settings(options).base_path or None}
    ((name, handler),) = load_functions(project, options.env_file, settings=settings).items()
    context = LocalContext(options.timeout or front_door(options.source).timeout, name)
    try:
        payload = handler(event, context)
        if inspect.iscoroutine(payload):
            payload = asyncio.run(payload)
    finally:
        if isinstance(handler, Handler):
            handler.close()
    return json.loads(json.dumps(payload))


def _interpret(payload: Any, request: Request, options: argparse.Namespace) -> Answer:
    """Return the response that the front door makes of *payload*, and print what it changes."""
    try:
        answer = front_door(options.source).interpret(payload, request, front_door_settings(options))
    except RefusedError as refusal:
        answer = refusal.answer
    if answer.explanation or answer.note:
        print_message(f"bridge: {options.source}: {answer.explanation or answer.note}")
    return answer


def _print_response(answer: Answer) -> None:
    reason = http.client.responses.get(answer.status, "")
    lines = [
        f"HTTP/1.1 {answer.status} {reason}".rstrip(),
        *(f"{name}: {value}" for name, value in answer.headers),
        "",
        "",
    ]
    sys.stdout.buffer.write("\r\n".join(lines).encode("latin-1", "replace") + answer.body)
    with contextlib.suppress(UnicodeDecodeError):  # a binary body stays as it is, for files
        if not answer.body.decode().endswith("\n"):
            sys.stdout.buffer.write(b"\n")  # the shell's prompt then begins a line
    sys.stdout.buffer.flush()
