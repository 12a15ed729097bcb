"""A cold start pays for what it needs: WSGI loads no event loop, and nothing from outside the standard library."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from bridge.dev.gateway import SOURCES, Request, compose
from bridge.sources import recognise
from tests.helpers import run_script

# What the answer to a WSGI application's request must not load: each of these costs milliseconds.
HEAVY = {
    "asgiref",
    "asyncio",
    "concurrent",
    "dataclasses",
    "email",
    "http",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "queue",
    "re",
    "signal",
    "socket",
    "ssl",
    "threading",
    "traceback",
    "typing",
    "unittest",
    "urllib",
    "wsgiref",
}
# CloudFront takes so little that the payload is always measured. AWS's client has loaded json by then.
MEASURING = {"json", "re"}
REQUEST = Request(
    "POST",
    "/caf%C3%A9/page",
    "a=%20b&a=c",
    [
        ("host", "shop.example"),
        ("accept", "text/html,*/*;q=0.8"),
        ("cookie", "a=1; b=2"),
        ("content-type", "application/json"),
        ("user-agent", "Mozilla/5.0"),
    ],
    b'{"some": "body"}',
)

APPLICATION = """
def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Set-Cookie", "a=1"), ("X-A", "caf\\xe9")])
    return [b"<p>", b"</p>"]
"""
SCRIPT = """
import sys

before = set(sys.modules)
null, true, false = None, True, False
{application}
{setup}
events = {events}
for event in events:
    payload = handler(event, context)
    assert "200" in str(payload), payload
print(*sorted(set(sys.modules) - before))
"""


@cache
def loaded(setup: str, *sources: str, path: str = REQUEST.path) -> frozenset[str]:
    """The modules that a new interpreter loads for *setup*, which makes handler and context, and an event of each."""
    events = [compose(replace(REQUEST, path=path), source) for source in sources]
    script = SCRIPT.format(application=APPLICATION, setup=setup, events=json.dumps(events))
    return frozenset(run_script(script).stdout.split())


def heavy(modules: frozenset[str]) -> set[str]:
    return {name for name in HEAVY if any(module == name or module.startswith(name + ".") for module in modules)}


def foreign(modules: frozenset[str]) -> set[str]:
    """Top-level modules that are neither the standard library's nor the bridge."""
    known = {*sys.stdlib_module_names, "bridge"}
    return {module.partition(".")[0] for module in modules} - known


WSGI = "import bridge\nhandler, context = bridge.wsgi_handler(app), None"


def test_importing_the_package_loads_nothing_but_it() -> None:
    done = run_script("import sys; before = set(sys.modules); import bridge; print(*(set(sys.modules) - before))")
    assert set(done.stdout.split()) <= {"bridge", "__future__"}


@pytest.mark.parametrize("make", ["wsgi_handler", "handler"])
def test_a_wsgi_handler_that_has_answered_every_source_has_loaded_nothing_heavy(make: str) -> None:
    setup = f"import bridge\nhandler, context = bridge.{make}(app), None"
    assert heavy(loaded(setup, *(source for source in SOURCES if source != "edge"))) == set()
    assert heavy(loaded(setup, "edge")) <= MEASURING
    assert foreign(loaded(setup, *SOURCES)) == set()


@pytest.mark.parametrize("source", SOURCES)
def test_only_the_source_that_sent_the_event_is_loaded(source: str) -> None:
    name = recognise(compose(REQUEST, source))
    loaded_sources = {module for module in loaded(WSGI, source) if module.startswith("bridge.sources.")}
    shared = {"bridge.sources.fields", "bridge.sources.paths", "bridge.sources.fields"}
    assert loaded_sources - shared == {f"bridge.sources.{name}"}


def test_what_only_some_handlers_need_is_not_loaded() -> None:
    some = ("compat", "errors", "given", "interfaces.detect", "kept", "other_events", "size", "sources.prefix")
    for source in ("http-api", "function-url", "alb"):
        assert not loaded(WSGI, source, path="/page") & {f"bridge.{module}" for module in some}
    with_an_option = "import bridge\nhandler, context = bridge.wsgi_handler(app, base_path='/shop'), None"
    assert {"bridge.given", "bridge.sources.paths"} <= loaded(with_an_option, "http-api")


def test_the_developer_s_side_is_not_loaded() -> None:
    modules = loaded(WSGI, *SOURCES)
    parts = {module.split(".")[1] for module in modules if module.startswith("bridge.")}
    assert not parts & {"gateway", "packaging", "cli", "serverless", "compat", "remote"}


def test_the_watch_over_the_deadline_loads_only_threads() -> None:
    setup = """
class Context:
    def get_remaining_time_in_millis(self):
        return 3000
import bridge
handler, context = bridge.wsgi_handler(app), Context()
"""
    modules = loaded(setup, "http-api")
    assert heavy(modules) <= {"threading"}
    assert foreign(modules) == set()


def test_who_sends_no_base64_loads_no_base64() -> None:
    assert "binascii" not in loaded(WSGI, "http-api")


def test_options_load_nothing_heavy() -> None:
    setup = """
import bridge
handler, context = bridge.wsgi_handler(
    app, base_path="/x", strip_stage=True, text_types=["font/*"], exclude_headers=["X-Powered-By"],
    request_id_header="X-Request-Id", warm_up=False,
), None
"""
    modules = loaded(setup, *SOURCES)
    assert heavy(modules) <= MEASURING
    assert foreign(modules) == set()
    assert "bridge.errors" not in loaded(setup, "http-api")


def test_the_entrypoint_of_a_wsgi_application_loads_nothing_heavy(tmp_path: Any) -> None:
    (tmp_path / "shop.py").write_text(APPLICATION)
    setup = f"""
import os
os.chdir({str(tmp_path)!r})
os.environ["BRIDGE_APP"] = "shop:app"
from bridge.entrypoint import handler
context = None
"""
    modules = loaded(setup, "http-api")
    assert heavy(modules) == set()
    assert foreign(modules) - {"shop"} == set()


def test_looking_for_mistyped_variables_loads_nothing_while_there_are_none() -> None:
    assert "difflib" not in loaded(WSGI, "http-api")
    mistyped = "import os\nos.environ['BRIDGE_BASEPATH'] = '/shop'\n" + WSGI
    assert "difflib" in loaded(mistyped, "http-api")


def test_an_asgi_handler_loads_asyncio_and_nothing_from_outside_the_standard_library() -> None:
    setup = """
import bridge
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"fine"})
handler, context = bridge.asgi_handler(app, lifespan="off"), None
"""
    modules = loaded(setup, *SOURCES)
    assert "asyncio" in modules
    assert foreign(modules) == set()
    assert heavy(modules) & {"asgiref", "email", "multiprocessing", "pathlib", "queue", "unittest", "urllib"} == set()
