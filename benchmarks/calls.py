"""Measures one call of a handler for each source and interface: the bridge, its peers, and two lower bounds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from base64 import b64decode
from functools import partial
from json import dumps, loads
from typing import TYPE_CHECKING, Any

import apig_wsgi
import mangum
import serverless_wsgi
from awslambdaric.lambda_context import LambdaContext

import bridge
from benchmarks.applications import BODY, asgi_app, wsgi_app
from benchmarks.events import EVENTS
from benchmarks.table import table
from benchmarks.timing import Handler, microseconds_per_call

if TYPE_CHECKING:
    from collections.abc import MutableMapping

INTERFACES = ("wsgi", "asgi")
BRIDGE = "bridge"
# The application without a handler; and the work of Lambda's own client for the same event and payload.
BARE = "bare application"
JSON = "json.loads + json.dumps"
LOWER_BOUNDS = (BARE, JSON)
_BATCH = 20

# AWS's own context object, with a deadline in eleven days.
CONTEXT = LambdaContext("f3d5c1a0-8a52-4a0e-9d4c-6d0f7c1b2a39", None, None, int(time.time() + 1e6) * 1000)


def handlers(interface: str) -> dict[str, Handler]:
    """Return each library's handler of the same application, by the library's name."""
    if interface == "wsgi":
        return {
            BRIDGE: bridge.wsgi_handler(wsgi_app),
            "apig-wsgi": apig_wsgi.make_lambda_handler(wsgi_app),
            "serverless-wsgi": partial(serverless_wsgi.handle_request, wsgi_app),
        }
    asyncio.set_event_loop(asyncio.new_event_loop())  # mangum runs on the thread's current loop
    return {
        BRIDGE: bridge.asgi_handler(asgi_app),
        "mangum, lifespan off": mangum.Mangum(asgi_app, lifespan="off"),
        "mangum": mangum.Mangum(asgi_app),
    }


def check(payload: Any) -> None:
    """Raise ValueError unless *payload* is the application's answer, so that no library seems fast by doing less."""
    body = payload["body"]
    body = b64decode(body) if payload["isBase64Encoded"] else body.encode()
    if payload["statusCode"] != 200 or body != BODY:
        raise ValueError(f"This payload is not the application's answer: {payload!r}")


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return microseconds per call: ``{interface: {source: {name: time}}}``."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for interface in INTERFACES:
        libraries = handlers(interface)
        results[interface] = {}
        for source in EVENTS:
            event = dumps(EVENTS[source])
            for handler in libraries.values():
                check(handler(loads(event), CONTEXT))
            lower_bounds: dict[str, Handler] = {
                BARE: _bare_wsgi if interface == "wsgi" else _bare_asgi,
                JSON: partial(_json, event, libraries[BRIDGE](loads(event), CONTEXT)),
            }
            results[interface][source] = microseconds_per_call(
                {**libraries, **lower_bounds}, event, CONTEXT, rounds, _BATCH
            )
    return results


def report(results: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Return a table for each interface."""
    parts = []
    for interface, by_source in results.items():
        parts += [f"### {interface.upper()}: µs per call (times the bridge's)", _table(by_source)]
    return parts


def _table(by_source: dict[str, dict[str, float]]) -> str:
    rows = []
    for name in next(iter(by_source.values())):
        row = [name]
        for times in by_source.values():
            ratio = f" ({times[name] / times[BRIDGE]:.1f})" if name not in (BRIDGE, *LOWER_BOUNDS) else ""
            row.append(f"{times[name]:.1f}{ratio}")
        rows.append(row)
    return table(["", *by_source], rows)


def _json(event: str, payload: object, _event: object, _context: object) -> None:
    loads(event)
    dumps(payload)


def _bare_wsgi(event: Any, _context: object) -> bytes:
    return b"".join(wsgi_app(event, _start_response))


def _start_response(status: str, headers: list[tuple[str, str]]) -> None:
    pass


def _bare_asgi(_event: object, _context: object) -> None:
    """Run the coroutine to its end in one step, without an event loop."""
    with contextlib.suppress(StopIteration):
        asgi_app({"type": "http"}, _receive, _send).send(None)


async def _receive() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: MutableMapping[str, Any]) -> None:
    pass
