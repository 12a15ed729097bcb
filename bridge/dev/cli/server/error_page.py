"""Error pages as ASGI messages, and the application that ``bridge serve`` serves while the user's one is broken."""

from __future__ import annotations

import html
import traceback
from typing import Any

from bridge.errors import BridgeError

_TEMPLATE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; line-height: 1.4 }}
h1 {{ font-size: 1.2rem }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; border-left: 4px solid #c33 }}
</style></head>
<body><h1>{title}</h1><p>{method} {path}</p><pre>{report}</pre>
<p>{note}</p>
</body></html>
"""
_NOTE = "bridge serve shows this page because its debugger is on. The next change of code restarts the application."
_WITHOUT_REPORT = "The application cannot be served; see the log of bridge serve.\n"


class ErrorPageApplication:
    """An ASGI application that responds 503 with *report* to every request.

    Args:
        report: the error; ``""`` to hide it from clients.
    """

    def __init__(self, report: str) -> None:
        self._report = report

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI's parameters
        """ASGI 3, scope type ``http``."""
        if scope["type"] != "http":
            return
        if not self._report:
            messages = text_response(503, _WITHOUT_REPORT)
        elif b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            messages = html_response(scope, 503, "The application cannot be served", self._report, _NOTE)
        else:
            messages = text_response(503, f"{self._report}\n")
        for message in messages:
            await send(message)


def html_response(scope: Any, status: int, title: str, report: str, note: str) -> list[Any]:
    """Return the ASGI messages of an HTML page with *report* in a box.

    Args:
        scope: the request's ASGI scope.
        status: the response's status.
        title: the error in one line.
        report: the error in full, such as a traceback.
        note: why the page is shown, in one sentence.
    """
    values = {"title": title, "method": scope["method"], "path": scope["path"], "report": report, "note": note}
    page = _TEMPLATE.format_map({name: html.escape(value) for name, value in values.items()})
    return _response(status, "text/html", page)


def text_response(status: int, text: str) -> list[Any]:
    """Return the ASGI messages of a response in plain text."""
    return _response(status, "text/plain", text)


def error_report(error: Exception) -> str:
    """Return *error* for the error page: the message of a :class:`BridgeError` and its cause, else the traceback."""
    if not isinstance(error, BridgeError):
        return "".join(traceback.format_exception(error)).rstrip()
    cause = error.__context__  # the exception that the application raised when it was imported
    trace = "" if cause is None or isinstance(cause, BridgeError) else "".join(traceback.format_exception(cause))
    return f"{trace}bridge: {error}"


def _response(status: int, content_type: str, text: str) -> list[Any]:
    body = text.encode("utf-8", "backslashreplace")
    headers = [
        (b"content-type", f"{content_type}; charset=utf-8".encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]
