"""One request through every AWS front door, answered by three real applications."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import bridge
from bridge.dev.gateway import SOURCES, Request, compose, interpret
from bridge.loading import find_application

ROOT = Path(__file__).parent.parent
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
    """Show what was asked for: all sources and applications, or those named."""
    wanted = set(sys.argv[1:])
    if unknown := wanted - SOURCES.keys() - EXAMPLES.keys():
        sys.exit(f"Not known: {', '.join(sorted(unknown))}. Known are: {', '.join([*SOURCES, *EXAMPLES])}.")
    handlers = {name: bridge.handler(load(name)) for name in EXAMPLES if is_wanted(name, wanted, EXAMPLES)}
    failures = 0
    for source in SOURCES:
        if not is_wanted(source, wanted, SOURCES):
            continue
        print(bold(f"\n━━ {source} " + "━" * (72 - len(source))))
        print(bold("request  ") + f"{REQUEST.method} {REQUEST.target}  ({len(REQUEST.body)} bytes)")
        event = json.loads(json.dumps(compose(REQUEST, source)))
        print(bold("event    ") + shown(event))
        for name, handler in handlers.items():
            payload = json.loads(json.dumps(handler(event, None)))
            answer = interpret(payload, source, REQUEST)
            print(bold(f"payload  ({name}) ") + shown(payload))
            seen = json.loads(answer.body)
            ok = answer.status == 200 and seen["method"] == "POST" and seen["cookies"].get("theme") == "dark"
            failures += not ok
            print(f"         the client got {answer.status}, {len(answer.body)} bytes  {'✓' if ok else '✗'}")
    for handler in handlers.values():
        handler.close()
    print(f"\n{len(handlers)} applications, {failures} wrong answers.")
    sys.exit(failures > 0)


def load(name: str) -> Any:
    """The application of an example, as the example alone would be imported."""
    sys.modules.pop("app", None)
    return find_application(EXAMPLES[name], str(ROOT / "examples" / name))


def is_wanted(name: str, wanted: set[str], known: Any) -> bool:
    """Whether *name* was asked for, or nothing of its kind was."""
    return name in wanted or not wanted & set(known)


def shown(value: Any) -> str:
    """JSON for a person: long texts and AWS's own context cut short."""

    def cut(item: Any, depth: int) -> Any:
        if isinstance(item, dict):
            if depth >= 3:
                return "{…}"
            return {key: cut(inner, depth + 1) for key, inner in item.items()}
        if isinstance(item, list):
            return [cut(inner, depth) for inner in item]
        return f"{item[:60]}…" if isinstance(item, str) and len(item) > 64 else item

    return json.dumps(cut(value, 0), indent=2, ensure_ascii=False).replace("\n", "\n         ")


def bold(text: str) -> str:
    """*text* in bold where a person looks."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


if __name__ == "__main__":
    main()
