"""Functions run by ``bridge.runtime``, and what they stream."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.dev.gateway import Answer, Request, compose, interpret

if TYPE_CHECKING:
    from tests.end_to_end.emulator import Emulator

FRAMEWORKS = Path(__file__).parent / "functions" / "frameworks"
# The folder's applications, each the same in another framework.
APPS = {
    "WSGI": "wsgi_app:app",
    "Flask": "flask_app:app",
    "Django WSGI": "django_app:wsgi",
    "Django ASGI": "django_app:asgi",
    "FastAPI": "fastapi_app:app",
    "Starlette": "starlette_app:app",
    "Quart": "quart_app:app",
}
STREAMING_SOURCES = ("function-url", "rest-api")


class Stream(NamedTuple):
    """A streamed response as it left the function: the prelude, and what came after its eight NULs."""

    head: dict[str, Any]
    body: bytes


def stream_of(payload: bytes) -> Stream:
    """The two parts of a stream."""
    head, delimiter, body = payload.partition(b"\0" * 8)
    assert delimiter, f"no stream: {payload[:500]!r}"
    return Stream(json.loads(head), body)


def ask_stream(function: Emulator, request: Request, source: str = "function-url") -> Answer:
    """What a client gets for *request* from a front door that passes on what the function streams."""
    head, body = stream_of(function.payload_of(compose(request, source)))
    assert not {"body", "isBase64Encoded"} & set(head)
    # Of a stream a REST API passes any byte on, as it does of a payload with every type among its binary ones.
    payload = {**head, "body": b64encode(body).decode(), "isBase64Encoded": True}
    return interpret(payload, source, request, binary_media_types=("*/*",))
