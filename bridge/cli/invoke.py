"""``bridge invoke``: the application answers one request or event."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.adapter import Handler
from bridge.cli import CommandError
from bridge.cli.event import compose, door_of, request_of
from bridge.cli.load import load_functions
from bridge.cli.options import add_application, add_front_door, add_request
from bridge.gateway import RefusedError, Request, front_door
from bridge.gateway.context import Context

if TYPE_CHECKING:
    import argparse


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
    """Print the payload as JSON, or with ``-i`` the response; 1 if the function failed."""
    if chosen.app is not None and (chosen.app.startswith("/") or "://" in chosen.app):
        # `bridge invoke /path`: the application is found in the project
        chosen.app, chosen.url = None, chosen.app
    request = request_of(chosen)
    event = compose(request, chosen) if chosen.event is None else _read_event(chosen.event)
    _, handler = load_functions(chosen.app, chosen.env_file)[0]
    context = Context.starting(chosen.timeout or front_door(chosen.source).timeout)
    try:
        payload = json.loads(json.dumps(handler(event, context)))
    finally:
        if isinstance(handler, Handler):
            handler.close()
    if not chosen.include:
        print(json.dumps(payload, indent=2, ensure_ascii=False))
        return 0
    return _print_response(payload, request, chosen)


def _print_response(payload: Any, request: Request, chosen: argparse.Namespace) -> int:
    try:
        answer = front_door(chosen.source).interpret(payload, request, door_of(chosen))
    except RefusedError as refusal:
        answer = refusal.answer
    if answer.why:
        print(f"bridge: {chosen.source}: {answer.why}", file=sys.stderr)
    lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in answer.headers), "", ""]
    sys.stdout.buffer.write("\r\n".join(lines).encode("latin-1", "replace") + answer.body)
    sys.stdout.buffer.flush()
    return 0


def _read_event(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
        return json.loads(text)
    except (OSError, ValueError) as error:
        raise CommandError(f"--event {name} cannot be read as JSON: {error}") from None
