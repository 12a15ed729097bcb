"""The modules that a cold start loads: each one takes time, and asyncio most of all."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import Any

import pytest

from bridge.dev.gateway import FRONT_DOORS, Request, compose
from bridge.sources import recognise
from tests.helpers import run_script

REQUEST = Request(
    "POST",
    "/caf%C3%A9/page",
    "a=%20b&a=c",
    [("host", "shop.example"), ("cookie", "a=1; b=2"), ("content-type", "application/json")],
    b'{"some": "body"}',
)
# The modules of the bridge that a WSGI handler loads for its first request, beside that of the source.
WSGI_MODULES = {
    "bridge", "bridge.bodies", "bridge.deadline", "bridge.errors", "bridge.handlers", "bridge.interface_detection",
    "bridge.limits", "bridge.logs", "bridge.request", "bridge.response",
    "bridge.response_callbacks", "bridge.settings", "bridge.sources", "bridge.sources.parse",
    "bridge.wsgi", "bridge.wsgi.call",
}  # fmt: skip
ASGI_MODULES = WSGI_MODULES - {"bridge.wsgi", "bridge.wsgi.call"} | {
    "bridge.asgi", "bridge.asgi.application", "bridge.asgi.lifespan", "bridge.asgi.loop",
    "bridge.asgi.request_cycle", "bridge.shutdown",
}  # fmt: skip
# Modules of the standard library that only some handlers need.
RARE = {"asyncio", "concurrent", "dataclasses", "difflib", "inspect", "multiprocessing", "pathlib", "queue", "signal"}

WSGI_APP = """
def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Set-Cookie", "a=1"), ("X-A", "caf\\xe9")])
    return [b"<p>", b"</p>"]
"""
ASGI_APP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"fine"})
"""
SCRIPT = """
import sys

before = set(sys.modules)
null, true, false = None, True, False
{setup}
for event in {events}:
    payload = handler(event, context)
    assert "200" in str(payload), payload
print(*sorted(set(sys.modules) - before))
"""
CONTEXT = """
class Context:
    def get_remaining_time_in_millis(self):
        return 3000
context = Context()
"""
WSGI = f"{CONTEXT}{WSGI_APP}import bridge\nhandler = bridge.wsgi_handler(app)"
OPTIONS = """
handler = bridge.wsgi_handler(
    app, base_path="/x", strip_stage=True, text_types=["font/*"], exclude_headers=["X-Powered-By"],
    request_id_header="X-Request-Id", other_events="shop:on_event", warm_up=False,
)
"""


@cache
def modules_of(setup: str, *sources: str) -> frozenset[str]:
    """The modules that a new interpreter loads for *setup*, which makes a handler, and an event of each source."""
    events = [compose(REQUEST, source) for source in sources]
    return frozenset(run_script(SCRIPT.format(setup=setup, events=json.dumps(events))).stdout.split())


def of_bridge(modules: frozenset[str]) -> set[str]:
    return {module for module in modules if module.partition(".")[0] == "bridge"}


def top_level(modules: frozenset[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def foreign(modules: frozenset[str]) -> set[str]:
    """Top-level modules that are neither of the standard library nor of the bridge."""
    return top_level(modules) - {*sys.stdlib_module_names, "bridge"}


def test_importing_the_package_loads_no_other_module() -> None:
    process = run_script("import sys; before = set(sys.modules); import bridge; print(*(set(sys.modules) - before))")
    assert set(process.stdout.split()) <= {"bridge", "__future__"}


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_a_wsgi_handler_loads_the_module_of_the_event_s_source_and_those_that_every_request_needs(source: str) -> None:
    module = f"bridge.sources.{recognise(compose(REQUEST, source))}"
    assert of_bridge(modules_of(WSGI, source)) == WSGI_MODULES | {module}


def test_an_asgi_handler_loads_the_modules_that_every_request_needs() -> None:
    setup = f"{CONTEXT}{ASGI_APP}import bridge\nhandler = bridge.asgi_handler(app, lifespan='off')"
    modules = modules_of(setup, "http-api")
    assert of_bridge(modules) == ASGI_MODULES | {"bridge.sources.http_api"}
    assert foreign(modules_of(setup, *FRONT_DOORS)) == set()


@pytest.mark.parametrize("setup", [WSGI, WSGI + OPTIONS, WSGI.replace("wsgi_handler", "handler")])
def test_a_wsgi_handler_loads_neither_asyncio_nor_packages_nor_rare_modules(setup: str) -> None:
    modules = modules_of(setup, *FRONT_DOORS)
    assert top_level(modules) & RARE == set()
    assert foreign(modules) == set()


def test_the_entry_point_of_a_wsgi_application_loads_what_finds_it_too(tmp_path: Any) -> None:
    (tmp_path / "shop.py").write_text(WSGI_APP)
    modules = modules_of(
        f"""
import os
os.chdir({str(tmp_path)!r})
os.environ["BRIDGE_APP"] = "shop:app"
from bridge.entrypoint import handler
context = None
""",
        "http-api",
    )
    assert of_bridge(modules) - WSGI_MODULES == {"bridge.entrypoint", "bridge.loading", "bridge.sources.http_api"}
    assert top_level(modules) & RARE == set()
    assert foreign(modules) == {"shop"}


def test_a_misspelled_variable_loads_what_finds_the_right_one() -> None:
    assert "difflib" in modules_of("import os\nos.environ['BRIDGE_BASEPATH'] = '/shop'\n" + WSGI, "http-api")


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_function_without_websockets_loads_nothing_for_them(kind: str) -> None:
    setup = WSGI if kind == "wsgi" else f"{CONTEXT}{ASGI_APP}import bridge\nhandler = bridge.asgi_handler(app)"
    modules = modules_of(setup, *FRONT_DOORS)
    assert [module for module in modules if "websocket" in module or module.startswith("botocore")] == []


def test_a_websocket_api_s_function_makes_no_client_of_botocore_s_own() -> None:
    script = """
        import os, sys
        os.environ.update(
            AWS_REGION="eu-west-1",
            AWS_ACCESS_KEY_ID="a",
            AWS_SECRET_ACCESS_KEY="b",
            BRIDGE_WEBSOCKET_STORE="dynamodb:connections",
        )
        import bridge
        handler = bridge.wsgi_handler(lambda environ, start_response: [], on_message=print)
        handler.startup()
        print(*sorted(sys.modules))
    """
    modules = set(run_script(script).stdout.split())
    assert "botocore.auth" in modules
    assert not modules & {"botocore.session", "botocore.client", "boto3", "asyncio"}
