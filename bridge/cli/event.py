"""``bridge event``: the event that a front door sends for a request, to feed other tools."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from bridge.cli import CommandError
from bridge.cli.access import as_json
from bridge.cli.options import DEFAULT_SOURCE, add_front_door, add_request, base_path, media_types
from bridge.gateway import Door, RefusedError, Request, front_door

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
    print(as_json(compose(request_of(chosen), chosen.source or DEFAULT_SOURCE, door_of(chosen))))
    return 0


def compose(request: Request, source: str, door: Door) -> Any:
    """The event for *request* by the front door *source*.

    Raises:
        CommandError: the front door refuses it.
    """
    try:
        return front_door(source).compose(request, door)
    except RefusedError as refusal:
        answer = refusal.answer
        raise CommandError(f"{source} answers {answer.status} by itself: {answer.why}.") from None


def door_of(chosen: argparse.Namespace) -> Door:
    """The front door's set-up in the options."""
    return Door(chosen.stage, base_path(chosen.base_path), media_types(chosen.binary_media_types))


def request_of(chosen: argparse.Namespace) -> Request:
    """The request that the options describe.

    Raises:
        CommandError: an option is malformed or names a file that cannot be read.
    """
    asked = chosen.url or "/"
    is_whole = re.match(r"https?://", asked)
    url = urlsplit(asked if is_whole else f"https://localhost/{asked.removeprefix('/')}")
    headers: list[tuple[str, str]] = []
    for line in chosen.header:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise CommandError(f"-H {line!r}: write a header as 'Name: value'.")
        headers.append((name.strip(), os.fsencode(value.strip()).decode("latin-1")))
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
        raise CommandError(f"{item[1:]} cannot be read: {error.strerror}.") from None
