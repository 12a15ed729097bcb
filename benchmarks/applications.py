"""The WSGI and ASGI application whose calls are measured: constant answers, so that the time is the library's.

The module imports nothing, because the processes whose imports are timed load it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any

BODY = b'{"orders": [{"id": 4711, "total": "129.90"}, {"id": 4712, "total": "15.00"}], "next": null}'
COOKIE = "seen=4712; Path=/; Secure; HttpOnly; SameSite=Lax"
WSGI_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(BODY))),
    ("Cache-Control", "private, max-age=0"),
    ("Set-Cookie", COOKIE),
]
ASGI_HEADERS = [(name.lower().encode(), value.encode()) for name, value in WSGI_HEADERS]


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer every request with a small JSON document and four headers."""
    start_response("200 OK", WSGI_HEADERS.copy())
    return [BODY]


async def asgi_app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer as :func:`wsgi_app` does; the lifespan does nothing."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": ASGI_HEADERS.copy()})
    await send({"type": "http.response.body", "body": BODY})
