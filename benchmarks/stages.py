"""Where the bridge's own time goes, stage by stage of its one path, and what the short way spares, for each source."""

from __future__ import annotations

from json import dumps
from typing import Any

import bridge
from benchmarks.applications import asgi_app, wsgi_app
from benchmarks.calls import CONTEXT, handlers
from benchmarks.events import EVENTS
from benchmarks.rounds import Contender, microseconds_per_call
from benchmarks.table import table
from bridge.asgi.application import HostedApplication
from bridge.asgi.cycle import asgi_scope_of
from bridge.deadline import watch
from bridge.settings import Settings
from bridge.sources import recognise, source_named
from bridge.wsgi.call import gather
from bridge.wsgi.environ import environ_of

_BATCH = 20


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds for each stage alone, what it calls included: ``{source: {stage: time}}``."""
    found = {}
    for name, event in EVENTS.items():
        times = microseconds_per_call(_stages(event), dumps(event), CONTEXT, rounds, _BATCH)
        nothing = times.pop("nothing")
        found[name] = {stage: time - nothing for stage, time in times.items()}
    return found


def report(found: dict[str, dict[str, float]]) -> list[str]:
    rows = [[stage, *(f"{times[stage]:.1f}" for times in found.values())] for stage in next(iter(found.values()))]
    return ["### The bridge's stages: µs", table(["", *found], rows)]


def _stages(event: dict[str, Any]) -> dict[str, Contender]:
    settings = Settings()
    source = source_named(str(recognise(event)))
    scope = source.read(event, CONTEXT, settings)
    response = gather(wsgi_app, environ_of(scope))
    hosted = HostedApplication(asgi_app, settings)

    def watched(_event: Any, _context: object) -> None:
        watch.begin(scope)
        watch.end(scope, None)

    long_way = bridge.wsgi_handler(wsgi_app)
    long_way._may_learn = False

    return {
        "nothing": lambda _event, _context: None,
        "recognise": lambda one, _context: recognise(one),
        "read": lambda one, context: source.read(one, context, settings),
        "watch": watched,
        "WSGI: respond": lambda _event, _context: gather(wsgi_app, environ_of(scope)),
        "  of it environ": lambda _event, _context: environ_of(scope),
        "ASGI: respond, watched": lambda _event, _context: hosted.respond(scope),
        "  of it scope": lambda _event, _context: asgi_scope_of(scope, None),
        "write": lambda _event, _context: source.write(response, scope, settings),
        "WSGI: all, the long way": long_way,
        "WSGI: all, the short way": handlers("wsgi")["bridge"],
    }
