"""``bridge event``: the event that a front door sends for a request, to feed other tools."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from bridge.dev.cli.options import (
    DEFAULT_SOURCE,
    add_front_door,
    add_request,
    base_path,
    framework_options,
    media_types,
    settle,
)
from bridge.dev.cli.server.access_log import as_json
from bridge.dev.errors import CommandError, NoApplicationError, UsageError
from bridge.dev.gateway import Answer, Door, RefusedError, Request, front_door
from bridge.dev.gateway.cors import FunctionUrlCors, is_preflight
from bridge.dev.gateway.events import strip_prefix
from bridge.dev.gateway.routes import match
from bridge.dev.projects import pyproject
from bridge.dev.projects.project import Project, find_project
from bridge.response import TOKEN

if TYPE_CHECKING:
    import argparse


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("event", help="print the event that AWS sends for a request")
    add_request(parser)
    add_front_door(parser)
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print the event as JSON."""
    request = request_of(chosen)
    try:
        project = find_project(None, Path.cwd(), framework_options(chosen.stage, chosen.opt))
    except NoApplicationError:  # an event needs none
        project = Project()
    chosen.source = chosen.source or project.source or DEFAULT_SOURCE
    settle(chosen, pyproject.options(Path.cwd()))  # what the source makes meaningless
    door = door_of(chosen)
    if not door.binary_media_types:
        door = replace(door, binary_media_types=project.binary_media_types)
    print(as_json(compose(request, chosen.source, door, project)))
    return 0


_PREFLIGHT = "it is a preflight, which reaches no function"


def compose(request: Request, source: str, door: Door, project: Project) -> Any:
    """The event for *request* by the front door *source*, by the route of the project that takes it.

    Raises:
        CommandError: the front door refuses it.
    """
    rules = front_door(source)
    routes = project.routes
    try:
        if isinstance(project.cors_behind(source), FunctionUrlCors) and is_preflight(request):
            raise RefusedError(Answer(200, why=_PREFLIGHT))
        if routes:
            path = strip_prefix(request, door, rules.no_route) or "/"
            found = match(routes, request.method, path, rest=source == "rest-api")
            if found is None or found[0].preflight is not None:
                why = "no route takes it" if found is None else _PREFLIGHT
                raise RefusedError(replace(rules.no_route if found is None else Answer(200), why=why))
            door = replace(door, route=found[1])
        return rules.compose(request, door)
    except RefusedError as refusal:
        answer = refusal.answer
        raise CommandError(f"{source} answers {answer.status} by itself: {answer.why}.") from None


def door_of(chosen: argparse.Namespace) -> Door:
    """The front door's set-up in the options."""
    return Door(chosen.stage, base_path(chosen.base_path), media_types(chosen.binary_media_types))


def request_of(chosen: argparse.Namespace) -> Request:
    """The request that the options describe.

    Raises:
        UsageError: an option is malformed or names a file that cannot be read.
    """
    asked = chosen.url or "/"
    is_whole = re.match(r"https?://", asked)
    try:
        url = urlsplit(asked if is_whole else f"https://localhost/{asked.removeprefix('/')}")
    except ValueError as error:
        raise UsageError(f"{asked!r} is no URL: {error}.") from None
    if chosen.request is not None and not (chosen.request and TOKEN.issuperset(chosen.request)):
        raise UsageError(f"-X {chosen.request!r} is no method: HTTP allows letters, digits and a few signs in one.")
    headers: list[tuple[str, str]] = []
    for line in chosen.header:
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon and name.endswith(";"):  # curl's way to say that a header is empty
            name, colon = name[:-1].rstrip(), ":"
        if not colon or not name:
            raise UsageError(f"-H {line!r}: write a header as 'Name: value'.")
        if not TOKEN.issuperset(name) or re.search(r"[\r\n\0]", value):
            raise UsageError(f"-H {line!r}: HTTP allows no such name, or no line break in a value.")
        headers.append((name, os.fsencode(value).decode("latin-1")))
    given = {name.lower() for name, _ in headers}
    usual = (("host", url.netloc), ("user-agent", "bridge"), ("accept", "*/*"))
    headers = [*(pair for pair in usual if pair[0] not in given), *headers]
    body = _body(chosen)
    if body is not None:
        if "content-type" not in given:
            headers.append(("content-type", "application/x-www-form-urlencoded"))
        headers.append(("content-length", str(len(body))))
    keep = "/%:@!$&'()*+,;=-._~"
    return Request(
        method=chosen.request or ("GET" if body is None else "POST"),
        path=quote(os.fsencode(url.path or "/"), safe=keep),
        query=quote(os.fsencode(url.query), safe=keep + "?"),
        headers=headers,
        body=body or b"",
        scheme=url.scheme,
    )


def _body(chosen: argparse.Namespace) -> bytes | None:
    if chosen.data_binary is not None:
        return _read(chosen.data_binary)
    if not chosen.data:
        return None
    return b"&".join(
        _read(item).translate(None, b"\r\n") if item.startswith("@") else os.fsencode(item) for item in chosen.data
    )


def _read(item: str) -> bytes:
    if not item.startswith("@"):
        return os.fsencode(item)
    if item == "@-":
        import sys

        return sys.stdin.buffer.read()
    from pathlib import Path

    try:
        return Path(item[1:]).read_bytes()
    except OSError as error:
        raise UsageError(f"{item[1:]} cannot be read: {error.strerror}.") from None
