"""A WSGI and an ASGI application with the same pages, some of which hang or fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from typing import Any
from urllib.parse import parse_qs

_lock = threading.Lock()
_running = _most_running = 0


def _count(step: int) -> None:
    global _running, _most_running
    with _lock:
        _running += step
        _most_running = max(_most_running, _running)


def _page(path: str, query: str, context: Any, body: bytes) -> Any:
    """Return the response, to be sent as JSON."""
    if path.endswith("/error"):
        raise RuntimeError("This error is on purpose: <b>")
    if "/context" in path:
        return {
            "request_id": context.aws_request_id,
            "arn": context.invoked_function_arn,
            "name": context.function_name,
            "left": context.get_remaining_time_in_millis(),
        }
    if path.endswith("/environment"):
        return {name: os.environ.get(name) for name in parse_qs(query)["name"]}
    if path.endswith("/most"):
        return _most_running
    if path.endswith("/large"):
        return "x" * 5_000_000
    return {"path": path, "query": query, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    _count(1)
    try:
        time.sleep(_seconds(path))
        page = _page(path, environ["QUERY_STRING"], environ.get("serverless.context"), body)
    finally:
        _count(-1)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(page).encode()]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], flush=True)
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = (await receive())["body"]
    path = scope["path"]
    if path.endswith("/block"):
        time.sleep(3600)
    _count(1)
    try:
        await asyncio.sleep(_seconds(path))
        page = _page(path, scope["query_string"].decode(), scope.get("aws.context"), body)
    finally:
        _count(-1)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(page).encode()})


def _seconds(path: str) -> float:
    return {"hang": 3600.0, "slow": 0.5, "nap": 0.05}.get(path.rpartition("/")[2], 0.0)


def make_app() -> Any:
    """Return an application."""
    return wsgi_app
