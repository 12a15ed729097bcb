"""Measures the time and the memory that large bodies take, in requests and responses, as text and as base64.

The lower bound is the codec alone: ``str.encode`` or ``b64decode`` in requests, ``bytes.decode`` or ``b64encode`` in
responses.
"""

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
from benchmarks.calls import BRIDGE, CONTEXT
from benchmarks.events import EVENTS
from benchmarks.table import table
from benchmarks.timing import Handler, batch_of, interleave

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

_MB = 1 << 20
# Megabytes of text in the event or the payload; in base64, 5 MB are 3.75 MB of bytes. Lambda allows 6 MB.
SIZES = (1, 5)
CODEC = "codec alone"
NO_BODY = "bridge, no body"
_BATCH = 2
_CHUNKS = 50
_TEXT = b'{"id": 4711, "note": "Leave it with the neighbours on the third floor, the bell does not work."},\n'
_BYTES = bytes(range(256))


class Case:
    """One body in one direction.

    Args:
        direction: ``"in"`` for a request's body, ``"out"`` for a response's.
        encoding: ``"text"`` or ``"base64"``.
        megabytes: the size of the body in the event or the payload.
        chunks: the number of chunks of a response.

    Attributes:
        name: the case in a table.
        size: the length of the body in bytes.
        event: the request, as JSON.
        codec: encodes or decodes the body, and does nothing else.
        wsgi, asgi: applications that read the body, or answer with it.
        parts: the chunks of the response.
    """

    def __init__(self, direction: str, encoding: str, megabytes: int, chunks: int = 1) -> None:
        self.name = f"{encoding} {direction}, {megabytes} MB"
        text_size = megabytes * _MB
        self.size = text_size if encoding == "text" else text_size * 3 // 4
        pattern = _TEXT if encoding == "text" else _BYTES
        body = (pattern * (self.size // len(pattern) + 1))[: self.size]
        event: dict[str, Any] = {**EVENTS["http-api"], "isBase64Encoded": False}
        text = body.decode() if encoding == "text" else b64encode(body).decode()
        if direction == "in":
            event |= {"body": text, "isBase64Encoded": encoding != "text"}
            body = b""
        self.event = dumps(event)
        codecs: dict[tuple[str, str], Callable[[], object]] = {
            ("text", "in"): partial(text.encode, "utf-8"),
            ("base64", "in"): partial(b64decode, text),
            ("text", "out"): partial(body.decode, "utf-8"),
            ("base64", "out"): lambda: b64encode(body).decode("ascii"),
        }
        self.codec = codecs[encoding, direction]
        headers = [
            ("Content-Type", "application/json" if encoding == "text" else "image/jpeg"),
            ("Content-Length", str(len(body))),
        ]
        raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers]
        step = -(-len(body) // chunks) or 1
        self.parts = [body[start : start + step] for start in range(0, len(body), step)]
        self.wsgi = partial(_wsgi_app, headers=headers, parts=self.parts)
        self.asgi = partial(_asgi_app, headers=raw_headers, parts=self.parts)

    def handlers(self, interface: str) -> dict[str, Handler]:
        """Return each library's handler, by the library's name."""
        if interface == "wsgi":
            return {
                BRIDGE: bridge.wsgi_handler(self.wsgi),
                "apig-wsgi": apig_wsgi.make_lambda_handler(self.wsgi),
                "serverless-wsgi": partial(serverless_wsgi.handle_request, self.wsgi),
            }
        return {
            BRIDGE: bridge.asgi_handler(self.asgi),
            "mangum, lifespan off": mangum.Mangum(self.asgi, lifespan="off"),
        }


def measure(rounds: int) -> dict[str, Any]:
    """Return the milliseconds and the peak memory of every case, and the milliseconds of one chunk and of fifty."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # mangum runs on the thread's current loop
    results: dict[str, Any] = {"wsgi": {}, "asgi": {}, "chunks": {}}
    for interface, size, encoding, direction in product(("wsgi", "asgi"), SIZES, ("text", "base64"), ("in", "out")):
        case = Case(direction, encoding, size)
        results[interface][case.name] = _compare(case, interface, rounds)
    for interface, encoding in product(("wsgi", "asgi"), ("text", "base64")):
        one, many = Case("out", encoding, 1), Case("out", encoding, 1, _CHUNKS)
        batches = {
            "one": batch_of(one.handlers(interface)[BRIDGE], one.event, CONTEXT, _BATCH),
            "fifty": batch_of(many.handlers(interface)[BRIDGE], many.event, CONTEXT, _BATCH),
            "join": batch_of(_joining(many.parts), many.event, CONTEXT, _BATCH),
        }
        results["chunks"][f"{interface.upper()}, {one.name}"] = {
            name: median(times) / 1000 for name, times in interleave(batches, rounds).items()
        }
    return results


def report(results: dict[str, Any]) -> list[str]:
    """Return a table of the times and one of the memory for each interface, and one of chunks."""
    parts = []
    for interface in ("wsgi", "asgi"):
        rows, peaks = [], []
        for case, figures in results[interface].items():
            times, copies = figures["ms"], figures["copies"]
            names = [name for name in times if name not in (CODEC, NO_BODY)]
            codec = times[CODEC]
            added = (times[BRIDGE] - times[NO_BODY]) / codec
            cells = [f"{times[name]:.2f} ({times[name] / codec:.2f})" for name in names]
            rows.append([case, f"{codec:.2f}", *cells, f"{added:.2f}"])
            peaks.append([case, *(f"{copies[name]:.2f}" for name in (CODEC, *names))])
        parts += [
            f"### Bodies, {interface.upper()}: ms per call (times the codec's)",
            table(["", CODEC, *names, f"{BRIDGE}: what the body adds"], rows),
            f"### Bodies, {interface.upper()}: memory at its peak, in copies of the body",
            table(["", CODEC, *names], peaks),
        ]
    rows = [
        [case, *(f"{times[name]:.2f}" for name in ("one", "fifty", "join")), f"{times['fifty'] / times['one']:.2f}"]
        for case, times in results["chunks"].items()
    ]
    head = ["", "one chunk", f"{_CHUNKS} chunks", "of it joining them", "ratio"]
    return [*parts, f"### Bodies in chunks: {BRIDGE}, ms per call", table(head, rows)]


def _compare(case: Case, interface: str, rounds: int) -> dict[str, dict[str, float]]:
    handlers = case.handlers(interface)
    without_body = Case("out", "text", 0).handlers(interface)[BRIDGE]
    small_event = EVENTS["http-api"]
    for name, handler in handlers.items():
        payload: Any = handler(loads(case.event), CONTEXT)
        if payload["statusCode"] != 200:
            raise ValueError(f"{name} answered {payload['statusCode']} to {case.name}.")
    compared: dict[str, Handler] = {
        CODEC: lambda _event, _context: case.codec(),
        NO_BODY: lambda _event, context: without_body(small_event, context),
        **handlers,
    }
    batches = {name: batch_of(handler, case.event, CONTEXT, _BATCH) for name, handler in compared.items()}
    times = {name: median(taken) / 1000 for name, taken in interleave(batches, rounds).items()}
    copies = {name: _peak(handler, case) for name, handler in compared.items()}
    return {"ms": times, "copies": copies}


def _peak(handler: Handler, case: Case) -> float:
    """Return the peak of the memory that a call allocates, as a multiple of the body's size."""
    event = loads(case.event)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    handler(event, CONTEXT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - before) / case.size


def _joining(parts: list[bytes]) -> Handler:
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
