"""An event that ``bridge invoke`` is given instead of a request."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError, UsageError
from bridge.dev.gateway import SOURCES, Request
from bridge.errors import EventError
from bridge.settings import Settings
from bridge.sources import recognise, source_named

if TYPE_CHECKING:
    import argparse

    from bridge.request import Scope


def read_event(name: str) -> Any:
    """The event in a file, or for ``-`` on standard input.

    Raises:
        UsageError: it cannot be read.
        CommandError: it is no JSON.
    """
    try:
        return json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--event {name} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise CommandError(f"--event {name} cannot be read as JSON: {error}") from None


def check_alone(chosen: argparse.Namespace) -> None:
    """Refuse what describes a request beside an event, which has its own.

    Raises:
        UsageError: there is something.
    """
    words = {"-X": chosen.request, "-H": chosen.header, "-d": chosen.data, "--data-binary": chosen.data_binary}
    described = [word for word, value in words.items() if value] + ([chosen.url] if chosen.url else [])
    if described:
        what = " and ".join(described)
        raise UsageError(f"--event has a request of its own, so {what} means nothing with it. Leave one of both out.")


def source_of(event: Any) -> str | None:
    """The front door that sends such an event, if it is one's."""
    scope = _scope_of(event)
    return scope.source if scope is not None and scope.source in SOURCES else None


def request_in(event: Any) -> Request | None:
    """What a front door looks at in the request when it answers: a REST API at Accept."""
    scope = _scope_of(event)
    return Request(method=scope.method, headers=list(scope.headers)) if scope is not None else None


def _scope_of(event: Any) -> Scope | None:
    """The request in an event, if it is one; what is wrong with it the handler says."""
    name = recognise(event)
    try:
        return source_named(name).read(event, None, Settings(environ={})) if name else None
    except (AttributeError, LookupError, TypeError, EventError):
        return None
