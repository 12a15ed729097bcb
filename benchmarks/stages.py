"""Measures each stage of a call of the bridge alone, for each source: recognise, read, respond, write."""

from __future__ import annotations

from json import dumps
from typing import Any

from benchmarks.applications import asgi_app, wsgi_app
from benchmarks.calls import BRIDGE, CONTEXT, handlers
from benchmarks.events import EVENTS
from benchmarks.table import table
from benchmarks.timing import Handler, microseconds_per_call
from bridge.asgi.application import AsgiApplication
from bridge.asgi.request_cycle import connection_scope
from bridge.deadline import watcher
from bridge.settings import Settings
from bridge.sources import recognise, source_named
from bridge.wsgi.call import call, environ_of

_BATCH = 20


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return microseconds for each stage, including the functions that it calls: ``{source: {stage: time}}``."""
    results = {}
    for name, event in EVENTS.items():
        times = microseconds_per_call(_stages(event), dumps(event), CONTEXT, rounds, _BATCH)
        overhead = times.pop("no-op")
        results[name] = {stage: time - overhead for stage, time in times.items()}
    return results


def report(results: dict[str, dict[str, float]]) -> list[str]:
    """Return the table."""
    rows = [[stage, *(f"{times[stage]:.1f}" for times in results.values())] for stage in next(iter(results.values()))]
    return ["### The bridge's stages: µs", table(["", *results], rows)]


def _stages(event: dict[str, Any]) -> dict[str, Handler]:
    settings = Settings()
    source = source_named(str(recognise(event)))
    scope = source.read(event, CONTEXT, settings)
    response = call(wsgi_app, environ_of(scope))
    application = AsgiApplication(asgi_app, settings)

    def watch_scope(_event: Any, _context: object) -> None:
        watcher.begin(scope)
        watcher.end(scope)

    return {
        "no-op": lambda _event, _context: None,
        "recognise": lambda each, _context: recognise(each),
        "read": lambda each, context: source.read(each, context, settings),
        "watch the deadline": watch_scope,
        "WSGI: respond": lambda _event, _context: call(wsgi_app, environ_of(scope)),
        "  of it the environ": lambda _event, _context: environ_of(scope),
        "ASGI: respond": lambda _event, _context: application.respond(scope),
        "  of it the scope": lambda _event, _context: connection_scope(scope, None),
        "write": lambda _event, _context: source.write(response, scope, settings),
        "WSGI: whole call": handlers("wsgi")[BRIDGE],
        "ASGI: whole call": handlers("asgi")[BRIDGE],
    }
