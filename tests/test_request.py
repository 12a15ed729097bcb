"""The current request, and the Scope in messages."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import bridge
from bridge.request import CurrentRequest, Scope
from tests.helpers import Context, WsgiApp, event, get

if TYPE_CHECKING:
    import pytest

    from tests.conftest import MakeHandler


def test_there_is_no_current_request_outside_of_one() -> None:
    assert bridge.current_request() is None


def test_a_wsgi_application_finds_its_scope() -> None:
    requests = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        requests.append(bridge.current_request())
        return WsgiApp()(environ, start_response)

    context = Context(60)
    get(bridge.wsgi_handler(app), "/page", context)
    (request,) = requests
    assert isinstance(request, Scope)
    assert (request.method, request.path, request.context) == ("GET", "/page", context)
    assert request.request_id == context.aws_request_id


def test_tasks_and_threads_of_an_asgi_application_find_its_scope(make_handler: MakeHandler) -> None:
    async def path() -> str:
        request = bridge.current_request()
        assert isinstance(request, Scope)
        return request.path

    async def app(scope: Any, receive: Any, send: Any) -> None:
        in_task = await asyncio.create_task(path())
        in_thread = await asyncio.to_thread(lambda: bridge.current_request())
        assert in_thread is scope["bridge.scope"]
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": in_task.encode()})

    handler = make_handler(app, lifespan="off")
    with ThreadPoolExecutor(4) as threads:
        responses = list(threads.map(lambda number: get(handler, f"/{number}"), range(8)))
    assert responses == [(200, b"/%d" % number) for number in range(8)]


def test_request_and_trace_id_are_empty_without_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    request = CurrentRequest(event(), None)
    assert (request.request_id, request.trace_id) == ("", "")


def test_the_trace_id_is_that_of_the_context_or_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-environment")
    assert CurrentRequest(event(), None).trace_id == "Root=1-environment"
    context = Context(60)
    context.trace_id = "Root=1-context"  # type: ignore[attr-defined]
    assert CurrentRequest(event(), context).trace_id == "Root=1-context"


def test_a_scope_in_a_message_is_method_and_path_in_one_line() -> None:
    scope = Scope("alb", event(), None, 0)
    scope.method, scope.root_path, scope.path = "GET", "/shop", "/page"
    assert str(scope) == "GET /shop/page"
    scope.path = "/a\nERROR b"
    assert str(scope) == "GET /shop/a\\nERROR b"
    assert repr(scope) == "<Scope alb: GET /shop/a\\nERROR b>"
