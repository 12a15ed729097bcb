"""What one call of a handler takes, for each source and interface, beside the peers and the floors."""

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
from benchmarks.rounds import Contender, microseconds_per_call
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import MutableMapping

INTERFACES = ("wsgi", "asgi")
US = "bridge"
# Not contenders: what nobody can be faster than, and what Lambda's own client spends on the same event and payload.
BARE = "bare application"
JSON = "json.loads + json.dumps"
FLOORS = (BARE, JSON)
_BATCH = 20


# AWS's own context object, of an invocation that ends in eleven days.
CONTEXT = LambdaContext("f3d5c1a0-8a52-4a0e-9d4c-6d0f7c1b2a39", None, None, int(time.time() + 1e6) * 1000)


def handlers(interface: str) -> dict[str, Contender]:
    """Every library's handler of the same application, by name: from event to payload."""
    if interface == "wsgi":
        return {
            US: bridge.wsgi_handler(wsgi_app),
            "apig-wsgi": apig_wsgi.make_lambda_handler(wsgi_app),
            "serverless-wsgi": partial(serverless_wsgi.handle_request, wsgi_app),
        }
    asyncio.set_event_loop(asyncio.new_event_loop())  # mangum takes the thread's
    return {
        US: bridge.asgi_handler(asgi_app),
        "mangum, lifespan off": mangum.Mangum(asgi_app, lifespan="off"),
        "mangum": mangum.Mangum(asgi_app),
    }


def check(payload: Any) -> None:
    """Raise unless *payload* is the application's answer: whoever does less work must not look fast."""
    body = payload["body"]
    body = b64decode(body) if payload["isBase64Encoded"] else body.encode()
    if payload["statusCode"] != 200 or body != BODY:
        raise ValueError(f"That is not the application's answer: {payload!r}")


def measure(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Microseconds per call: ``{interface: {source: {name: time}}}``."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for interface in INTERFACES:
        made = handlers(interface)
        found[interface] = {}
        for source in EVENTS:
            event = dumps(EVENTS[source])
            for handler in made.values():
                check(handler(loads(event), CONTEXT))
            floors: dict[str, Contender] = {
                BARE: _bare_wsgi if interface == "wsgi" else _bare_asgi,
                JSON: partial(_json, event, made[US](loads(event), CONTEXT)),
            }
            found[interface][source] = microseconds_per_call({**made, **floors}, event, CONTEXT, rounds, _BATCH)
    return found


def report(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    parts = []
    for interface, by_source in found.items():
        parts += [f"### {interface.upper()}: µs per call (times the bridge's)", _table(by_source)]
    return parts


def _table(by_source: dict[str, dict[str, float]]) -> str:
    rows = []
    for name in next(iter(by_source.values())):
        row = [name]
        for times in by_source.values():
            ratio = f" ({times[name] / times[US]:.1f})" if name not in (US, *FLOORS) else ""
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
    """Drive the coroutine by hand, which is no way to run an application, only the least that its code takes."""
    with contextlib.suppress(StopIteration):
        asgi_app({"type": "http"}, _receive, _send).send(None)


async def _receive() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: MutableMapping[str, Any]) -> None:
    pass
