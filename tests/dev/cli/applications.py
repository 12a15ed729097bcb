"""Two applications that misbehave on demand: the same pages by WSGI and by ASGI."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from typing import Any
from urllib.parse import parse_qs

_counting = threading.Lock()
_inside = _most_inside = 0


def _enter(step: int) -> None:
    global _inside, _most_inside
    with _counting:
        _inside += step
        _most_inside = max(_most_inside, _inside)


def _page(path: str, query: str, context: Any, body: bytes) -> Any:
    """What is answered, as JSON."""
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
        return _most_inside
    if path.endswith("/large"):
        return "x" * 5_000_000
    return {"path": path, "query": query, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    _enter(1)
    try:
        time.sleep(_seconds(path))
        page = _page(path, environ["QUERY_STRING"], environ.get("serverless.context"), body)
    finally:
        _enter(-1)
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
    _enter(1)
    try:
        await asyncio.sleep(_seconds(path))
        page = _page(path, scope["query_string"].decode(), scope.get("aws.context"), body)
    finally:
        _enter(-1)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(page).encode()})


def _seconds(path: str) -> float:
    return {"hang": 3600.0, "slow": 0.5, "nap": 0.05}.get(path.rpartition("/")[2], 0.0)


def make_app() -> Any:
    """A factory."""
    return wsgi_app
