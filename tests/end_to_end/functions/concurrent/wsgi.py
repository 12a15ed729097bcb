"""A WSGI application whose requests wait for each other at a barrier."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import bridge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_barrier = threading.Barrier(int(os.environ["PARTIES"]))


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    _barrier.wait(timeout=20)
    current = bridge.current_request()
    assert current is not None
    logging.getLogger("barrier").warning("passed by %s", environ["QUERY_STRING"].removeprefix("name="))
    details = {
        "process": os.getpid(),
        "request_id": current.request_id,
        "thread": threading.get_ident(),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(details).encode()]


def handler(event: dict[str, str], context: Any) -> dict[str, object]:
    if event.get("do") == "fail":
        raise ValueError("failed on purpose")
    _barrier.wait(timeout=20)
    return {"process": os.getpid(), "name": event["name"]}
