"""One small event, and what these tests ask with it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


class Context:
    """Lambda's context object, as far as it is asked here."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._deadline - time.monotonic()) * 1000)


def event(
    path: str = "/", method: str = "GET", headers: dict[str, str] | None = None, body: str = ""
) -> dict[str, Any]:
    """A Function URL's event."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "shop.example", **(headers or {})},
        "requestContext": {
            "domainName": "abc.lambda-url.eu-west-1.on.aws",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def body_of(payload: dict[str, Any]) -> bytes:
    """The bytes that the client gets."""
    text: str = payload["body"]
    return b64decode(text) if payload["isBase64Encoded"] else text.encode()


def ask(handler: Callable[[Any, Any], Any], path: str = "/", context: Any = None) -> tuple[int, bytes]:
    """Status and body of one GET."""
    payload = handler(event(path), context)
    return payload["statusCode"], body_of(payload)


def run(script: str, *, seconds: float = 20, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own; warnings are errors there too."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done
