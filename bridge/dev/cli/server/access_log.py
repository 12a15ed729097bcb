"""One line for each request, and event and payload for who asked."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.dev.gateway.gateway import AccessRecord

# More of a path or of a text in an event is not read by anybody, and takes long to colour.
_LONGEST_PATH = 200
_LONGEST_TEXT = 2_000


def print_passage(passage: AccessRecord, *, verbose: bool) -> None:
    """Print method, path, status, time, size and encoding of the body; with *verbose* event and payload before it."""
    if verbose:
        _print_json("event", passage.event)
        _print_json("payload", passage.payload)
    answer, request = passage.answer, passage.request
    size, encoding = len(answer.body), _encoding(passage.payload)
    if passage.streamed is not None:
        size, encoding = passage.streamed, "stream"
    _print_line(request.method, request.target, answer.status, passage.seconds, size, encoding)


class AccessLines:
    """An ASGI application that prints the same line for each request of another one, behind no front door."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = size = 0

        async def count(message: Any) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, count)
        finally:
            query = scope.get("query_string", b"")
            target = (scope.get("raw_path") or scope["path"].encode()) + (b"?" + query if query else b"")
            # An exception without an answer is uvicorn's 500.
            seconds = time.perf_counter() - began
            _print_line(scope["method"], target.decode("latin-1"), status or 500, seconds, size, "-")


def _print_line(method: str, target: str, status: int, seconds: float, size: int, encoding: str) -> None:
    line = f"{method} {_cut(target, _LONGEST_PATH)} {status} {seconds * 1000:.0f} ms {size} B {encoding}\n"
    sys.stdout.write(line)  # in one piece, so that lines of several threads or processes do not mix
    sys.stdout.flush()


def _encoding(payload: Any) -> str:
    """How the payload carried the body: text, base64, or not at all since the front door answered."""
    if not isinstance(payload, dict):
        return "-" if payload is None else "text"
    is_base64 = payload.get("isBase64Encoded") or payload.get("bodyEncoding") == "base64"
    return "base64" if is_base64 else "text"


def _print_json(title: str, value: Any) -> None:
    if value is None:
        return
    text = as_json(_shortened(value))
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


def as_json(value: Any) -> str:
    """JSON for people: letters as they are where standard output can show them, escaped where it cannot."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=2)
    return text


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return _cut(value, _LONGEST_TEXT) if isinstance(value, str) else value


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"
