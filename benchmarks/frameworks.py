"""The bridge's own share of a request that a real framework answers.

Through a handler, from event to payload; and the same framework called with an environ or a scope that is ready, which
is what is left without any bridge: WSGI as it is, ASGI on a loop that already runs. The difference is the bridge's.
Each request is answered with a small JSON document, and each framework is as it comes.
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
from benchmarks.calls import CONTEXT, US
from benchmarks.events import EVENTS
from benchmarks.rounds import Contender, Turn, take_turns, turn_of
from benchmarks.table import table
from bridge.asgi.cycle import asgi_scope_of
from bridge.settings import Settings
from bridge.sources import recognise, source_named
from bridge.wsgi.environ import environ_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCE = "http-api"
_BATCH = 20
DIRECTLY = "called directly"
_ANSWER = {"orders": [{"id": 4711, "total": "129.90"}], "next": None}
_PATH = "/shop/api/orders"


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """By framework: microseconds directly, the shares of the bridge and its peers, and the threads that they start."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # mangum takes the thread's
    return {
        **{name: _compare(_wsgi_handlers(app), partial(_wsgi_turn, app), rounds) for name, app in _wsgi_apps().items()},
        **{name: _compare(_asgi_handlers(app), partial(_asgi_turn, app), rounds) for name, app in _asgi_apps().items()},
    }


def report(found: dict[str, dict[str, Any]]) -> list[str]:
    parts = []
    for interface, peers in (("WSGI", ("apig-wsgi", "serverless-wsgi")), ("ASGI", ("mangum, lifespan off",))):
        rows, threads = [], []
        for name, figures in found.items():
            if peers[0] in figures["share"]:
                rows.append([name, f"{figures[DIRECTLY]:.0f}", *(f"{figures['share'][e]:.0f}" for e in (US, *peers))])
                threads.append([name, *(f"{figures['threads'][each]:.0f}" for each in (DIRECTLY, US, *peers))])
        parts += [
            f"### Frameworks, {interface}: µs per request",
            table(["", DIRECTLY, *(f"{each} adds" for each in (US, *peers))], rows),
            f"### Frameworks, {interface}: threads that each request starts",
            table(["", DIRECTLY, US, *peers], threads),
        ]
    return parts


def _compare(handlers: dict[str, Contender], directly: Callable[[], Turn], rounds: int) -> dict[str, Any]:
    event = dumps(EVENTS[_SOURCE])
    for handler in handlers.values():
        payload: Any = handler(loads(event), CONTEXT)
        if payload["statusCode"] != 200 or loads(payload["body"]) != _ANSWER:
            raise ValueError(f"That is not the framework's answer: {payload!r}")
    turns = {DIRECTLY: directly()}
    turns |= {name: turn_of(handler, event, CONTEXT, _BATCH) for name, handler in handlers.items()}
    taken = take_turns(turns, rounds)
    # Of each round: what disturbs one of its turns is likely to disturb the others.
    alone = taken[DIRECTLY]
    share = {name: median(each - bare for each, bare in zip(taken[name], alone, strict=True)) for name in handlers}
    threads = {name: _threads(turn) for name, turn in turns.items()}
    return {DIRECTLY: median(alone), "share": share, "threads": threads}


def _threads(turn: Turn) -> float:
    """How many threads a request starts, once the first has been."""
    with patch.object(threading.Thread, "start", autospec=True, side_effect=threading.Thread.start) as start:
        turn()
    return start.call_count / _BATCH


def _wsgi_handlers(app: Any) -> dict[str, Contender]:
    return {
        US: bridge.wsgi_handler(app),
        "apig-wsgi": apig_wsgi.make_lambda_handler(app),
        "serverless-wsgi": partial(serverless_wsgi.handle_request, app),
    }


def _asgi_handlers(app: Any) -> dict[str, Contender]:
    return {US: bridge.asgi_handler(app), "mangum, lifespan off": mangum.Mangum(app, lifespan="off")}


def _scope() -> Any:
    event = loads(dumps(EVENTS[_SOURCE]))
    return source_named(str(recognise(event))).read(event, CONTEXT, Settings())


def _wsgi_turn(app: Any) -> Turn:
    def turn() -> float:
        environs = [environ_of(_scope()) for _ in range(_BATCH)]
        gc.collect()
        began = process_time_ns()
        for environ in environs:
            result = app(environ, _start_response)
            b"".join(result)
            if hasattr(result, "close"):
                result.close()
        return (process_time_ns() - began) / _BATCH / 1000

    return turn


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    pass


def _asgi_turn(app: Any) -> Turn:
    loop = asyncio.new_event_loop()

    async def calls() -> float:
        await app(asgi_scope_of(_scope(), None), _Receive(), _send)  # whoever keeps threads has them now
        requests = [(asgi_scope_of(_scope(), None), _Receive()) for _ in range(_BATCH)]
        gc.collect()
        began = process_time_ns()
        for scope, receive in requests:
            await app(scope, receive, _send)
        return (process_time_ns() - began) / _BATCH / 1000

    return lambda: loop.run_until_complete(calls())


class _Receive:
    """An empty body, and then nothing: the client stays."""

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


urlpatterns: list[Any] = []  # Django's
