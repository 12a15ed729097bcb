"""The routes of the applications in this folder in plain WSGI. Some bodies are sent with ``write()``."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING
from wsgiref.util import FileWrapper

import bridge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    kind = {"/about": "application/json", "/events": "text/event-stream", "/reverse": "application/octet-stream"}
    headers = [("Content-Type", kind.get(path, "text/plain; charset=utf-8"))]
    if path == "/early":
        raise RuntimeError("failed early")
    if path == "/cookies":
        headers += [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; HttpOnly")]
    if path == "/redirect":
        headers.append(("Location", "/text"))
    if path == "/unchanged":
        headers = [("ETag", '"1"')]
    statuses = {"/redirect": "303 See Other", "/nothing": "204 No Content", "/unchanged": "304 Not Modified"}
    write = start_response(statuses.get(path, "200 OK"), headers)
    if path == "/file":
        return FileWrapper(Path(__file__).open("rb"))
    if path == "/stream":
        write(b"one\n")
        write(b"two\n")
        return [environ["QUERY_STRING"].removeprefix("last=").encode() + b"\n"]
    if path == "/events":
        for number in range(3):
            write(f"data: {number}\n\n".encode())
        return []
    if path == "/middle":
        write(b"one\n")
        raise RuntimeError("failed in the middle")
    if path == "/reverse":
        return [environ["wsgi.input"].read()[::-1]]
    if path == "/about":
        current = bridge.current_request()
        assert current is not None
        logging.getLogger("about").warning("about: called")
        return [json.dumps({"process": os.getpid(), "request_id": current.request_id}).encode()]
    return {"/text": ["Grüße".encode()], "/cookies": [b"set"]}.get(path, [])
