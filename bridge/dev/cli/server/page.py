"""What a developer sees instead of the application, as the messages of an ASGI response."""

from __future__ import annotations

import html
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; line-height: 1.4 }}
h1 {{ font-size: 1.2rem }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; border-left: 4px solid #c33 }}
</style></head>
<body><h1>{title}</h1><p>{method} {path}</p><pre>{trace}</pre>
<p>{why}</p>
</body></html>
"""


def page_of(scope: Any, status: int, title: str, trace: str, why: str) -> list[Any]:
    """A page with a traceback.

    Args:
        scope: the request's ASGI scope.
        status: the response's status.
        title: what went wrong, in a line.
        trace: the traceback.
        why: why the page is shown, in a sentence.
    """
    words = {"title": title, "method": scope["method"], "path": scope["path"], "trace": trace, "why": why}
    page = _PAGE.format_map({name: html.escape(text) for name, text in words.items()})
    return _messages(status, "text/html", page)


def text_of(status: int, text: str) -> list[Any]:
    """The same for who reads no HTML."""
    return _messages(status, "text/plain", text)


def _messages(status: int, content_type: str, text: str) -> list[Any]:
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
