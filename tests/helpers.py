"""Small events and applications, and scripts in a new interpreter."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[1]


class Context:
    """As much of Lambda's context object as handlers read.

    Args:
        seconds: the time until the deadline.
    """

    aws_request_id = "6c1f1f2e-7a53-4b0d-9d6e-3b7a4f0f3f21"

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
    """The bytes of a payload's body."""
    text: str = payload["body"]
    return b64decode(text) if payload["isBase64Encoded"] else text.encode()


def get(handler: Callable[[Any, Any], Any], path: str = "/", context: Any = None) -> tuple[int, bytes]:
    """Status and body of the answer to a GET request."""
    payload = handler(event(path), context)
    return payload["statusCode"], body_of(payload)


def run_script(script: str, *, seconds: float = 20, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script in a new interpreter, in which warnings are errors."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if check:
        assert process.returncode == 0, process.stderr
    return process


class WsgiApp:
    """A WSGI application that sends one response, and records its environs."""

    def __init__(
        self,
        body: bytes = b"body",
        status: str = "200 OK",
        headers: Sequence[tuple[str, str]] = (("Content-Type", "text/plain"),),
    ) -> None:
        self.body = body
        self.status = status
        self.headers = [*headers]
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        start_response(self.status, self.headers)
        return [self.body]


class AsgiApp:
    """An ASGI application that sends one response, and records its connection scopes and lifespan messages."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.lifespan: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                self.lifespan.append(message["type"])
                await send({"type": message["type"] + ".complete"})
            return
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"body"})
