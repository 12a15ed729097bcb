"""The access log of ``bridge serve``: one line for each request, with ``--verbose`` also its event and payload."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.output import to_json
from bridge.logs import printable

if TYPE_CHECKING:
    from bridge.dev.gateway.gateway import AccessRecord

# Longer paths, and longer strings in an event or payload, are cut; colouring megabytes takes seconds.
_MAX_PATH_LENGTH = 200
_MAX_STRING_LENGTH = 2_000


def log_access(record: AccessRecord, *, verbose: bool) -> None:
    """Print the line of a request that passed the gateway; with *verbose* its event and payload before it."""
    if verbose:
        _print_json("event", record.event)
        _print_json("payload", record.payload)
    answer, request = record.answer, record.request
    size = len(answer.body) if record.streamed is None else record.streamed
    target = request.target
    if record.connection:
        size, target = max(size, len(request.body)), f"{record.connection} {target}"
    _print_line(request.method, target, answer.status, record.seconds, size, record.encoding)


class AccessLogMiddleware:
    """ASGI middleware that prints the same line for each request to an application without a gateway."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = size = 0

        async def send_counted(message: Any) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            query = scope.get("query_string", b"")
            target = (scope.get("raw_path") or scope["path"].encode()) + (b"?" + query if query else b"")
            seconds = time.perf_counter() - start
            # If the application raises before it responds, uvicorn responds 500.
            _print_line(scope["method"], target.decode("latin-1"), status or 500, seconds, size, "-")


def _print_line(method: str, target: str, status: int, seconds: float, size: int, encoding: str) -> None:
    request = printable(f"{method} {_cut(target, _MAX_PATH_LENGTH)}")
    line = f"{request} {status} {seconds * 1000:.0f} ms {size} B {encoding}\n"
    sys.stdout.write(line)  # one write, so that lines of several processes do not mix
    sys.stdout.flush()


def _print_json(title: str, value: Any) -> None:
    if value is None:
        return
    text = to_json(_with_short_strings(value))
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.syntax import Syntax
        except ImportError:
            pass
        else:
            console = Console()
            console.print(f"[bold]{title}[/bold]")
            console.print(Syntax(text, "json", word_wrap=True, background_color="default"))
            return
    print(title, text, flush=True)


def _with_short_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_short_strings(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_short_strings(inner) for inner in value]
    return _cut(value, _MAX_STRING_LENGTH) if isinstance(value, str) else value


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"
