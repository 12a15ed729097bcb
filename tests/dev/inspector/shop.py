"""An application for the inspector's page: its answer is what the request describes."""

from __future__ import annotations

from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Echo the body in the type of the header ``X-Type``, with the header ``X-Echo`` of the request."""
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"]
    headers = [
        ("Content-Type", environ.get("HTTP_X_TYPE", "text/plain; charset=utf-8")),
        ("Connection", "close"),
        ("Set-Cookie", "session=secret-cookie; Path=/; HttpOnly"),
        ("X-Echo", environ.get("HTTP_X_ECHO", "")),
    ]
    status = "404 Not Found" if path.startswith("/missing") else "500 Oops" if path == "/fails" else "200 OK"
    start_response(status, headers)
    return [body or f"hello {path}".encode("latin-1")]
