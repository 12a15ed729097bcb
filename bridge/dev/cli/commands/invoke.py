"""``bridge invoke``: the application answers one request or event."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.adapter import Handler
from bridge.dev.cli.commands.event import door_of, request_of
from bridge.dev.cli.commands.given_event import check_alone, read_event, request_in, source_of
from bridge.dev.cli.function_loader import load_functions, say
from bridge.dev.cli.options import (
    DEFAULT_SOURCE,
    add_application,
    add_front_door,
    add_request,
    framework_options,
    settle,
)
from bridge.dev.cli.server.access_log import as_json
from bridge.dev.errors import CommandError
from bridge.dev.gateway import RefusedError, front_door
from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.gateway import AccessRecord, Gateway
from bridge.dev.projects import pyproject
from bridge.dev.projects.project import find_project

if TYPE_CHECKING:
    import argparse

    from bridge.dev.gateway import Answer, Request
    from bridge.dev.projects.project import Project


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("invoke", help="answer one request, print the payload or the HTTP response")
    add_application(parser)
    add_request(parser)
    add_front_door(parser)
    parser.add_argument("-i", "--include", action="store_true", help="print the HTTP response that the client gets")
    parser.add_argument("--event", metavar="FILE", help="an event as JSON instead of a request; - for standard input")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print the payload as JSON, or with ``-i`` the response."""
    if chosen.url is None and chosen.app is not None and _is_url(chosen.app):
        chosen.app, chosen.url = None, chosen.app  # `bridge invoke /path`: the application is the project's
    if chosen.event is not None:
        check_alone(chosen)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    request = request_of(chosen)
    event = None if chosen.event is None else read_event(chosen.event)
    project = find_project(chosen.app, Path.cwd(), framework_options(chosen.stage, chosen.opt))
    for line in project.warnings if chosen.source or event else project.warnings + project.mixed:
        say(line)
    chosen.source = chosen.source or source_of(event) or project.source or DEFAULT_SOURCE
    settle(chosen, pyproject.options(Path.cwd()))  # what the source makes meaningless
    if event is None:
        with contextlib.redirect_stdout(sys.stderr):  # what the application prints is no part of the payload
            passage = asyncio.run(_passed(request, project, chosen))
        if chosen.include:
            return _print_response(passage.answer)
        if passage.answer.why:
            raise CommandError(f"{chosen.source} answers {passage.answer.status} by itself; -i shows the answer.")
        payload = passage.payload
    else:
        with contextlib.redirect_stdout(sys.stderr):
            payload = _answer_event(event, project, chosen)
        if chosen.include:
            return _print_response(_interpreted(payload, request_in(event) or request, chosen))
    print(as_json(payload))
    return 0


def _is_url(text: str) -> bool:
    """Whether *text*, the first word, is the request's URL: a whole one, or a path that names no application."""
    place, colon, _ = text.partition(":")
    is_file = Path(place).is_file() or (bool(colon) and place.endswith(".py"))
    return text.startswith(("http://", "https://")) or (text.startswith("/") and not is_file)


async def _passed(request: Request, project: Project, chosen: argparse.Namespace) -> AccessRecord:
    """The request's way through the gateway."""
    passages: list[AccessRecord] = []
    door = door_of(chosen)
    gateway = Gateway(
        load_functions(project, chosen.env_file, settings={"base_path": door.base_path or None}),
        chosen.source,
        stage=door.stage,
        base_path=door.base_path,
        binary_media_types=door.binary_media_types or project.binary_media_types,
        timeout=chosen.timeout,
        timeouts={function.name: function.timeout for function in project.functions if function.timeout},
        routes=project.routes,
        cors=project.cors_behind(chosen.source),
        observe=passages.append,
    )
    told: asyncio.Queue[Any] = asyncio.Queue()
    answers: asyncio.Queue[Any] = asyncio.Queue()
    lifespan = asyncio.create_task(gateway({"type": "lifespan"}, told.get, answers.put))
    await told.put({"type": "lifespan.startup"})
    started = await answers.get()
    if started["type"] == "lifespan.startup.failed":
        raise CommandError(f"the application does not start up: {started['message']}")

    async def receive() -> Any:
        return {"type": "http.request", "body": request.body}

    await gateway(_scope_of(request), receive, answers.put)
    await told.put({"type": "lifespan.shutdown"})
    await lifespan
    return passages[0]


def _scope_of(request: Request) -> dict[str, Any]:
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


def _answer_event(event: Any, project: Project, chosen: argparse.Namespace) -> Any:
    """The payload, through JSON, of the project's first function."""
    project.functions = project.functions[:1]
    settings = {"base_path": door_of(chosen).base_path or None}
    ((name, handler),) = load_functions(project, chosen.env_file, settings=settings).items()
    context = LocalContext.starting(chosen.timeout or front_door(chosen.source).timeout, name)
    try:
        payload = handler(event, context)
        if inspect.iscoroutine(payload):
            payload = asyncio.run(payload)
    finally:
        if isinstance(handler, Handler):
            handler.close()
    return json.loads(json.dumps(payload))


def _interpreted(payload: Any, request: Request, chosen: argparse.Namespace) -> Answer:
    try:
        answer = front_door(chosen.source).interpret(payload, request, door_of(chosen))
    except RefusedError as refusal:
        answer = refusal.answer
    if answer.why or answer.note:
        print(f"bridge: {chosen.source}: {answer.why or answer.note}", file=sys.stderr)
    return answer


def _print_response(answer: Answer) -> int:
    lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in answer.headers), "", ""]
    sys.stdout.buffer.write("\r\n".join(lines).encode("latin-1", "replace") + answer.body)
    sys.stdout.buffer.flush()
    return 0
