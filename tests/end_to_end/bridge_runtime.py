"""Functions run by ``bridge.runtime``, and the streams that they send."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.dev.gateway import Answer, Request, compose, interpret
from bridge.limits import PRELUDE_DELIMITER
from tests.end_to_end.emulator import BRIDGE_CLIENT
from tests.runtime.commands import ON_EVENT_LOOP

if TYPE_CHECKING:
    from tests.end_to_end.emulator import Emulator

FRAMEWORKS = Path(__file__).parent / "functions" / "frameworks"
# The applications in that folder. All have the same routes.
APPS = {
    "WSGI": "wsgi_app:app",
    "Flask": "flask_app:app",
    "Django WSGI": "django_app:wsgi",
    "Django ASGI": "django_app:asgi",
    "FastAPI": "fastapi_app:app",
    "Quart": "quart_app:app",
}
# The commands of the runtime that waits in the main thread, and of the one that waits on an event loop.
RUNTIMES = {"thread": BRIDGE_CLIENT, "event loop": ON_EVENT_LOOP}
STREAMING_SOURCES = ("function-url", "rest-api")


class StreamedResponse(NamedTuple):
    """A streamed response as it leaves the function: the prelude, and the body after the delimiter."""

    prelude: dict[str, Any]
    body: bytes


def parse_stream(payload: bytes) -> StreamedResponse:
    """Split a streamed response."""
    prelude, delimiter, body = payload.partition(PRELUDE_DELIMITER)
    assert delimiter, f"The response is not a stream: {payload[:500]!r}"
    return StreamedResponse(json.loads(prelude), body)


def request_stream(function: Emulator, request: Request, source: str = "function-url") -> Answer:
    """Return what a client receives from a front door that passes the function's stream on."""
    prelude, body = parse_stream(function.invoke_raw(compose(request, source)))
    assert not {"body", "isBase64Encoded"} & set(prelude)
    # A REST API passes any byte of a stream on, as it does of a payload if every type is a binary media type.
    payload = {**prelude, "body": b64encode(body).decode(), "isBase64Encoded": True}
    return interpret(payload, source, request, binary_media_types=("*/*",))
