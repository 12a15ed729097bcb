"""Sends one request through every AWS front door to three applications, and prints what happens to it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridge
from bridge.dev.gateway import FRONT_DOORS, Request, compose, interpret
from bridge.loading import find_application

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent
VERBOSE = {"-v", "--verbose"}
EXAMPLES = {"flask": "app:app", "django": "teashop.wsgi:application", "fastapi": "app:app"}
REQUEST = Request(
    method="POST",
    path="/echo",
    query="colour=deep+blue&colour=green&blank=",
    headers=[
        ("host", "shop.example.com"),
        ("user-agent", "demo"),
        ("content-type", "application/json"),
        ("cookie", "session=abc; theme=dark"),
    ],
    body='{"drink": "café"}'.encode(),
    client="203.0.113.7",
)


def main() -> None:
    """Show the sources and applications that the command line names, or all; exit with 1 if an answer is wrong."""
    names = set(sys.argv[1:])
    is_verbose = bool(names & VERBOSE)
    names -= VERBOSE
    if unknown := names - FRONT_DOORS.keys() - EXAMPLES.keys():
        sys.exit(
            f"scripts/demo: unknown name: {', '.join(sorted(unknown))}. "
            f"Sources are {', '.join(FRONT_DOORS)}; frameworks are {', '.join(EXAMPLES)}."
        )
    handlers = {name: bridge.handler(load(name)) for name in selected(names, EXAMPLES)}
    failures = 0
    print(f"{REQUEST.method} {REQUEST.target}\nwith cookies and {len(REQUEST.body)} bytes of JSON, by each front door")
    if not is_verbose:
        print(bold(f"\n{'front door':<14}{'the event':<26}" + "".join(f"{name:<18}" for name in handlers)))
    for source in selected(names, FRONT_DOORS):
        event = json.loads(json.dumps(compose(REQUEST, source)))
        if is_verbose:
            print(bold(f"\n━━ {source} " + "━" * (72 - len(source))))
            print(bold("event    ") + formatted(event))
        else:
            print(f"{source:<14}{description(event):<26}", end="", flush=True)
        for name, handler in handlers.items():
            payload = json.loads(json.dumps(handler(event, None)))
            answer = interpret(payload, source, REQUEST)
            echo = json.loads(answer.body)
            is_right = answer.status == 200 and echo["method"] == "POST" and echo["cookies"].get("theme") == "dark"
            failures += not is_right
            result = f"{answer.status}, {len(answer.body)} bytes {'✓' if is_right else '✗'}"
            if is_verbose:
                print(bold(f"payload  ({name}) ") + formatted(payload) + f"\n         response: {result}")
            else:
                print(f"{result:<18}", end="", flush=True)
        if not is_verbose:
            print()
    for handler in handlers.values():
        handler.close()
    print(f"\n{len(handlers)} applications, {failures} wrong answers.")
    if not is_verbose:
        print("To see each event and payload: scripts/demo --verbose, or of one front door: scripts/demo -v alb flask")
    sys.exit(failures > 0)


def description(event: dict[str, Any]) -> str:
    """Return the version of an event, if it has one, and its size."""
    version = f"version {event['version']}, " if isinstance(event.get("version"), str) else ""
    return f"{version}{len(json.dumps(event)):,} bytes"


def load(name: str) -> Any:
    """Import the application of an example as in a deployed function."""
    sys.modules.pop("app", None)
    return find_application(EXAMPLES[name], str(ROOT / "examples" / name))


def selected(names: set[str], all_names: Iterable[str]) -> list[str]:
    """Return those of *all_names* that are in *names*, or all if none is."""
    all_names = list(all_names)
    return [name for name in all_names if name in names] or all_names


def formatted(value: Any) -> str:
    """Return indented JSON without deeply nested objects and the ends of long texts."""

    def shorten(item: Any, depth: int) -> Any:
        if isinstance(item, dict):
            if depth >= 3:
                return "{…}"
            return {key: shorten(inner, depth + 1) for key, inner in item.items()}
        if isinstance(item, list):
            return [shorten(inner, depth) for inner in item]
        return f"{item[:60]}…" if isinstance(item, str) and len(item) > 64 else item

    return json.dumps(shorten(value, 0), indent=2, ensure_ascii=False).replace("\n", "\n         ")


def bold(text: str) -> str:
    """Return *text* in bold for a terminal."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


if __name__ == "__main__":
    main()
