"""What large bodies take, in and out, text and base64, in time and in memory, beside the codecs alone."""

from __future__ import annotations

import asyncio
import tracemalloc
from base64 import b64decode, b64encode
from functools import partial
from itertools import product
from json import dumps, loads
from statistics import median
from typing import TYPE_CHECKING, Any

import apig_wsgi
import mangum
import serverless_wsgi

import bridge
from benchmarks.calls import CONTEXT, US
from benchmarks.events import EVENTS
from benchmarks.rounds import Contender, take_turns, turn_of
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

_MB = 1 << 20
# Of the text that the event or the payload carries: a base64 body of 5 MB is 3.75 MB of bytes, and 6 MB is the most
# that Lambda lets pass.
SIZES = (1, 5)
CODEC = "codec alone"
EMPTY = "bridge, no body"
_BATCH = 2
_CHUNKS = 50
_TEXT = b'{"id": 4711, "note": "Leave it with the neighbours on the third floor, the bell does not work."},\n'
_BYTES = bytes(range(256))


class Case:
    """One body on one way.

    Attributes:
        name, size: for people; the length of the body in bytes.
        event: the request, as JSON.
        codec: what must be done with the body, and no more.
        wsgi, asgi: applications that take the body, or answer it, in so many chunks.
    """

    def __init__(self, way: str, kind: str, megabytes: int, chunks: int = 1) -> None:
        self.name = f"{kind} {way}, {megabytes} MB"
        text = megabytes * _MB
        self.size = text if kind == "text" else text * 3 // 4
        pattern = _TEXT if kind == "text" else _BYTES
        body = (pattern * (self.size // len(pattern) + 1))[: self.size]
        event: dict[str, Any] = {**EVENTS["http-api"], "isBase64Encoded": False}
        carried = body.decode() if kind == "text" else b64encode(body).decode()
        if way == "in":
            event |= {"body": carried, "isBase64Encoded": kind != "text"}
            body = b""
        self.event = dumps(event)
        codecs: dict[tuple[str, str], Callable[[], object]] = {
            ("text", "in"): partial(carried.encode, "utf-8"),
            ("base64", "in"): partial(b64decode, carried),
            ("text", "out"): partial(body.decode, "utf-8"),
            ("base64", "out"): lambda: b64encode(body).decode("ascii"),
        }
        self.codec = codecs[kind, way]
        headers = [
            ("Content-Type", "application/json" if kind == "text" else "image/jpeg"),
            ("Content-Length", str(len(body))),
        ]
        step = -(-len(body) // chunks) or 1
        parts = [body[start : start + step] for start in range(0, len(body), step)]
        self.wsgi = partial(_wsgi_app, headers=headers, parts=parts)
        self.asgi = partial(
            _asgi_app, headers=[(name.lower().encode(), value.encode()) for name, value in headers], parts=parts
        )

    def handlers(self, interface: str) -> dict[str, Contender]:
        """Every library's handler, by name."""
        if interface == "wsgi":
            return {
                US: bridge.wsgi_handler(self.wsgi),
                "apig-wsgi": apig_wsgi.make_lambda_handler(self.wsgi),
                "serverless-wsgi": partial(serverless_wsgi.handle_request, self.wsgi),
            }
        return {US: bridge.asgi_handler(self.asgi), "mangum, lifespan off": mangum.Mangum(self.asgi, lifespan="off")}


def measure(rounds: int) -> dict[str, Any]:
    """By interface and case: milliseconds, peaks in copies of the body; and the times of one chunk and of fifty."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # mangum takes the thread's
    found: dict[str, Any] = {"wsgi": {}, "asgi": {}, "chunks": {}}
    for interface, size, kind, way in product(("wsgi", "asgi"), SIZES, ("text", "base64"), ("in", "out")):
        case = Case(way, kind, size)
        found[interface][case.name] = _compare(case, interface, rounds)
    for interface, kind in product(("wsgi", "asgi"), ("text", "base64")):
        one, many = Case("out", kind, 1), Case("out", kind, 1, _CHUNKS)
        turns = {
            "one": turn_of(one.handlers(interface)[US], one.event, CONTEXT, _BATCH),
            "fifty": turn_of(many.handlers(interface)[US], many.event, CONTEXT, _BATCH),
            "join": turn_of(_joining(many), many.event, CONTEXT, _BATCH),
        }
        times = {name: median(taken) / 1000 for name, taken in take_turns(turns, rounds).items()}
        found["chunks"][f"{interface.upper()}, {one.name}"] = times
    return found


def report(found: dict[str, Any]) -> list[str]:
    parts = []
    for interface in ("wsgi", "asgi"):
        rows, peaks = [], []
        for case, figures in found[interface].items():
            times, copies = figures["ms"], figures["copies"]
            names = [name for name in times if name not in (CODEC, EMPTY)]
            floor = times[CODEC]
            share = (times[US] - times[EMPTY]) / floor
            cells = [f"{times[name]:.2f} ({times[name] / floor:.2f})" for name in names]
            rows.append([case, f"{floor:.2f}", *cells, f"{share:.2f}"])
            peaks.append([case, *(f"{copies[name]:.2f}" for name in (CODEC, *names))])
        parts += [
            f"### Bodies, {interface.upper()}: ms per call (times the codec's)",
            table(["", CODEC, *names, f"{US}: what the body adds"], rows),
            f"### Bodies, {interface.upper()}: memory at its peak, in copies of the body",
            table(["", CODEC, *names], peaks),
        ]
    rows = [
        [case, *(f"{times[name]:.2f}" for name in ("one", "fifty", "join")), f"{times['fifty'] / times['one']:.2f}"]
        for case, times in found["chunks"].items()
    ]
    head = ["", "one chunk", f"{_CHUNKS} chunks", "of it joining them", "ratio"]
    return [*parts, f"### Bodies in chunks: {US}, ms per call", table(head, rows)]


def _compare(case: Case, interface: str, rounds: int) -> dict[str, dict[str, float]]:
    handlers = case.handlers(interface)
    small = Case("out", "text", 0).handlers(interface)[US]
    quiet = EVENTS["http-api"]
    for name, handler in handlers.items():
        payload: Any = handler(loads(case.event), CONTEXT)
        if payload["statusCode"] != 200:
            raise ValueError(f"{name} answered {payload['statusCode']} to {case.name}.")
    contenders: dict[str, Contender] = {
        CODEC: lambda _event, _context: case.codec(),
        EMPTY: lambda _event, context: small(quiet, context),
        **handlers,
    }
    turns = {name: turn_of(call, case.event, CONTEXT, _BATCH) for name, call in contenders.items()}
    times = {name: median(taken) / 1000 for name, taken in take_turns(turns, rounds).items()}
    copies = {name: _peak(call, case) for name, call in contenders.items()}
    return {"ms": times, "copies": copies}


def _peak(call: Contender, case: Case) -> float:
    """What a call holds at most beside its event, and beside the answer that the application keeps."""
    event = loads(case.event)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    call(event, CONTEXT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - before) / case.size


def _joining(case: Case) -> Contender:
    parts = case.wsgi.keywords["parts"]
    return lambda _event, _context: b"".join(parts)


def _wsgi_app(
    environ: dict[str, Any], start_response: Callable[..., Any], headers: list[tuple[str, str]], parts: list[bytes]
) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", headers.copy())
    return parts


async def _asgi_app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    headers: list[tuple[bytes, bytes]],
    parts: list[bytes],
) -> None:
    if scope["type"] != "http":
        raise NotImplementedError
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": headers.copy()})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})
