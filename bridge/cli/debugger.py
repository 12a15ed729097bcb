"""What a developer sees of an exception: werkzeug's debugger for WSGI, a page with the traceback for ASGI."""

from __future__ import annotations

import contextlib
import html
import logging
import traceback
from typing import Any

from bridge.errors import logger

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; line-height: 1.4 }}
h1 {{ font-size: 1.2rem }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; border-left: 4px solid #c33 }}
</style></head>
<body><h1>{title}</h1><p>{method} {path}</p><pre>{trace}</pre>
<p>You see this because <code>bridge serve</code> runs with its debugger; on Lambda the client gets a plain 500.</p>
</body></html>
"""


def with_debugger(app: Any, interface: str, host: str = "localhost") -> Any:
    """*app* with a debugger around it, and its own debug switch on.

    Args:
        app: the application.
        interface: which one it has.
        host: the host that the server listens on; werkzeug's debugger answers on no other but localhost.
    """
    with contextlib.suppress(AttributeError):
        app.debug = True  # Flask, Starlette, FastAPI: exceptions come through
    if interface == "wsgi":
        from werkzeug.debug import DebuggedApplication

        logging.getLogger("werkzeug").setLevel(logging.INFO)  # the debugger's PIN, once its page is open
        debugged = DebuggedApplication(app, evalex=True)
        debugged.trusted_hosts.append(host)
        return debugged
    if interface == "asgi2":
        from asgiref.compatibility import double_to_single_callable

        app = double_to_single_callable(app)  # type: ignore[no-untyped-call]  # asgiref has no types here
    return TracebackPage(app)


class TracebackPage:
    """An ASGI application that shows the traceback of an exception instead of a plain 500.

    A response of status 500 is held back until it is known whether an exception follows: frameworks send one, and
    raise.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: list[Any] = []
        is_sent = False

        async def hold(message: Any) -> None:
            nonlocal is_sent
            starts_failure = message["type"] == "http.response.start" and message["status"] == 500
            if (starts_failure or held) and not is_sent:
                held.append(message)
            else:
                is_sent = True
                await send(message)

        try:
            await self._app(scope, receive, hold)
        except Exception as error:
            if is_sent:
                raise
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this frame
            # Here and not by raising on: whoever called has an answer.
            logger().exception("The application failed at %s %s", scope["method"], scope["path"], exc_info=error)
            if not (held and b"text/html" in dict(held[0].get("headers", ())).get(b"content-type", b"")):
                held = _page(scope, error)  # else the framework's own page
        for message in held:
            await send(message)


def _page(scope: Any, error: Exception) -> list[Any]:
    title = f"{type(error).__name__}: {error}"
    page = _PAGE.format(
        title=html.escape(title),
        method=html.escape(scope["method"]),
        path=html.escape(scope["path"]),
        trace=html.escape("".join(traceback.format_exception(error))),
    ).encode("utf-8", "backslashreplace")
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(page))]
    return [
        {"type": "http.response.start", "status": 500, "headers": headers},
        {"type": "http.response.body", "body": page},
    ]
