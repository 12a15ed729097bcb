"""One line for each request, and event and payload for who asked."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.gateway.app import Passage


def print_passage(passage: Passage, *, verbose: bool) -> None:
    """Print method, path, status, time, size and encoding of the body; with *verbose* event and payload before it."""
    if verbose:
        _print_json("event", passage.event)
        _print_json("payload", passage.payload)
    answer = passage.answer
    print(
        f"{passage.request.method} {passage.request.target} {answer.status} {passage.seconds * 1000:.0f} ms "
        f"{len(answer.body)} B {_encoding(passage.payload)}",
        flush=True,
    )


def _encoding(payload: Any) -> str:
    """How the payload carried the body: text, base64, or not at all since the front door answered."""
    if not isinstance(payload, dict):
        return "-" if payload is None else "text"
    is_base64 = payload.get("isBase64Encoded") or payload.get("bodyEncoding") == "base64"
    return "base64" if is_base64 else "text"


def _print_json(title: str, value: Any) -> None:
    if value is None:
        return
    text = json.dumps(value, indent=2, ensure_ascii=False)
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
