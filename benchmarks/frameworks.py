"""Measures the bridge's share of a request that a real framework answers.

The share is the time of the handler, from event to payload, less the time of the framework when it is called directly
with a prepared environ or scope: WSGI as a function, ASGI on a running event loop. Every framework has its default
settings and answers a small JSON document.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from functools import partial
from json import dumps, loads
from statistics import median
from time import process_time_ns
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import apig_wsgi
import mangum
import serverless_wsgi

import bridge
from benchmarks.calls import BRIDGE, CONTEXT
from benchmarks.events import EVENTS
from benchmarks.table import table
from benchmarks.timing import Batch, Handler, batch_of, interleave
from bridge.asgi.request_cycle import connection_scope
from bridge.settings import Settings
from bridge.sources import recognise, source_named
from bridge.wsgi.call import environ_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCE = "http-api"
_BATCH = 20
DIRECTLY = "called directly"
_ANSWER = {"orders": [{"id": 4711, "total": "129.90"}], "next": None}
_PATH = "/shop/api/orders"


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """Return for each framework its own microseconds, what each library adds, and the threads that a request starts."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # mangum runs on the thread's current loop
    results = {}
    for name, app in _wsgi_apps().items():
        results[name] = _compare(_wsgi_handlers(app), _wsgi_batch(app), rounds)
    for name, app in _asgi_apps().items():
        results[name] = _compare(_asgi_handlers(app), _asgi_batch(app), rounds)
    return results


def report(results: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of times and one of threads for each interface."""
    parts = []
    for interface, peers in (("WSGI", ("apig-wsgi", "serverless-wsgi")), ("ASGI", ("mangum, lifespan off",))):
        libraries = (BRIDGE, *peers)
        rows, threads = [], []
        for name, figures in results.items():
            if peers[0] in figures["share"]:
                shares = [f"{figures['share'][library]:.0f}" for library in libraries]
                rows.append([name, f"{figures[DIRECTLY]:.0f}", *shares])
                threads.append([name, *(f"{figures['threads'][each]:.0f}" for each in (DIRECTLY, *libraries))])
        parts += [
            f"### Frameworks, {interface}: µs per request",
            table(["", DIRECTLY, *(f"{library} adds" for library in libraries)], rows),
            f"### Frameworks, {interface}: threads that each request starts",
            table(["", DIRECTLY, *libraries], threads),
        ]
    return parts


def _compare(handlers: dict[str, Handler], directly: Batch, rounds: int) -> dict[str, Any]:
    event = dumps(EVENTS[_SOURCE])
    for handler in handlers.values():
        payload: Any = handler(loads(event), CONTEXT)
        if payload["statusCode"] != 200 or loads(payload["body"]) != _ANSWER:
            raise ValueError(f"This payload is not the framework's answer: {payload!r}")
    batches = {DIRECTLY: directly}
    batches |= {name: batch_of(handler, event, CONTEXT, _BATCH) for name, handler in handlers.items()}
    times = interleave(batches, rounds)
    # The difference is taken round by round, because a disturbance is likely to affect a whole round.
    alone = times[DIRECTLY]
    share = {
        name: median(with_library - without for with_library, without in zip(times[name], alone, strict=True))
        for name in handlers
    }
    threads = {DIRECTLY: _threads(directly) / 2 / _BATCH}
    threads |= {name: _threads(partial(handler, loads(event), CONTEXT)) for name, handler in handlers.items()}
    return {DIRECTLY: median(alone), "share": share, "threads": threads}


def _threads(call: Callable[[], object]) -> float:
    """Return how many threads *call* starts."""
    with patch.object(threading.Thread, "start", autospec=True, side_effect=threading.Thread.start) as start:
        call()
    return start.call_count


def _wsgi_handlers(app: Any) -> dict[str, Handler]:
    return {
        BRIDGE: bridge.wsgi_handler(app),
        "apig-wsgi": apig_wsgi.make_lambda_handler(app),
        "serverless-wsgi": partial(serverless_wsgi.handle_request, app),
    }


def _asgi_handlers(app: Any) -> dict[str, Handler]:
    return {BRIDGE: bridge.asgi_handler(app), "mangum, lifespan off": mangum.Mangum(app, lifespan="off")}


def _scope() -> Any:
    event = loads(dumps(EVENTS[_SOURCE]))
    return source_named(str(recognise(event))).read(event, CONTEXT, Settings())


def _wsgi_batch(app: Any) -> Batch:
    def batch() -> float:
        environs = [environ_of(_scope()) for _ in range(2 * _BATCH)]
        gc.collect()
        for number, environ in enumerate(environs):
            if number == _BATCH:  # as in batch_of(), the first calls are not timed
                start = process_time_ns()
            result = app(environ, _start_response)
            b"".join(result)
            if hasattr(result, "close"):
                result.close()
        return (process_time_ns() - start) / _BATCH / 1000

    return batch


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    pass


def _asgi_batch(app: Any) -> Batch:
    loop = asyncio.new_event_loop()

    async def calls() -> float:
        await app(connection_scope(_scope(), None), _Receive(), _send)  # starts the threads that the framework keeps
        requests = [(connection_scope(_scope(), None), _Receive()) for _ in range(2 * _BATCH)]
        gc.collect()
        for number, (scope, receive) in enumerate(requests):
            if number == _BATCH:
                start = process_time_ns()
            await app(scope, receive, _send)
        return (process_time_ns() - start) / _BATCH / 1000

    return lambda: loop.run_until_complete(calls())


class _Receive:
    """Returns an empty body; then waits for ever, as for a client that stays connected."""

    def __init__(self) -> None:
        self._is_read = False

    async def __call__(self) -> dict[str, Any]:
        if self._is_read:
            await asyncio.get_running_loop().create_future()
        self._is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    pass


def _wsgi_apps() -> dict[str, Any]:
    import flask

    _set_up_django()
    from django.core.handlers.wsgi import WSGIHandler

    shop = flask.Flask("shop")
    shop.get(_PATH)(lambda: _ANSWER)
    return {"Flask": shop, "Django, WSGI": WSGIHandler()}


def _asgi_apps() -> dict[str, Any]:
    import fastapi
    import quart
    from django.core.handlers.asgi import ASGIHandler
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def answer() -> dict[str, Any]:
        return _ANSWER

    def answer_in_a_thread() -> dict[str, Any]:
        return _ANSWER

    async def respond(request: Any) -> JSONResponse:
        return JSONResponse(_ANSWER)

    on_loop, in_threads, shop = fastapi.FastAPI(), fastapi.FastAPI(), quart.Quart("shop")
    on_loop.get(_PATH)(answer)
    in_threads.get(_PATH)(answer_in_a_thread)
    shop.get(_PATH)(answer)
    return {
        "Starlette": Starlette(routes=[Route(_PATH, respond)]),
        "FastAPI, async def": on_loop,
        "FastAPI, def": in_threads,
        "Quart": shop,
        "Django, ASGI": ASGIHandler(),
    }


def _set_up_django() -> None:
    import django
    from django.conf import settings
    from django.http import JsonResponse
    from django.urls import path

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None)
        django.setup()
        urlpatterns.append(path(_PATH[1:], lambda request: JsonResponse(_ANSWER)))


urlpatterns: list[Any] = []  # read by Django
