"""Callbacks that run after each response: ``bridge.after_response()``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge import response_callbacks
from bridge.dev.gateway import Gateway
from tests.events import load_event
from tests.helpers import AsgiApp, Context, WsgiApp, event, get

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The request ids of the calls of a callback, which is registered twice and removed after the test."""
    calls: list[str] = []

    def callback() -> None:
        request = bridge.current_request()
        assert request is not None
        calls.append(request.request_id)

    assert bridge.after_response(callback) is callback
    bridge.after_response(callback)
    yield calls
    response_callbacks.callbacks.remove(callback)


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_callback_runs_once_after_each_response_while_the_request_is_current(
    interface: str, calls: list[str]
) -> None:
    handler = bridge.wsgi_handler(WsgiApp()) if interface == "wsgi" else bridge.asgi_handler(AsgiApp())
    for number in (1, 2):
        assert get(handler, context=Context(3)) == (200, b"body")
        assert calls == [Context.aws_request_id] * number
    handler.close()


async def test_a_callback_runs_after_an_awaited_answer(calls: list[str]) -> None:
    handler = bridge.asgi_handler(AsgiApp(), lifespan="off")
    await handler.answer(event(), Context(3))
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["scheduled_event", "sqs"])
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_callback_runs_after_other_events(name: str, interface: str, calls: list[str]) -> None:
    app = WsgiApp() if interface == "wsgi" else AsgiApp()
    handler = bridge.handler(app, other_events=lambda event, context: "done")
    handler(load_event(name), Context(3))
    assert len(calls) == 1
    handler.close()


def test_a_callback_runs_if_the_invocation_fails(calls: list[str]) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise SystemExit

    with pytest.raises(SystemExit):
        bridge.wsgi_handler(app)(event(), Context(3))
    with pytest.raises(bridge.EventError):
        bridge.wsgi_handler(app)({"a": 1}, Context(3))
    assert len(calls) == 2


@pytest.mark.parametrize("kind", [RuntimeError, asyncio.CancelledError, GeneratorExit])
def test_a_callback_s_exception_is_logged_and_the_others_run(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture, calls: list[str]
) -> None:
    def failing() -> None:
        raise kind("no network")

    response_callbacks.callbacks.insert(0, failing)
    try:
        assert get(bridge.wsgi_handler(WsgiApp()), context=Context(3))[0] == 200
    finally:
        response_callbacks.callbacks.remove(failing)
    assert len(calls) == 1
    assert "failing" in caplog.text
    assert "no network" in caplog.text


def test_a_runtime_that_defers_the_callbacks_runs_them_itself(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_callbacks, "is_deferred", True)
    handler = bridge.wsgi_handler(WsgiApp())
    handler(event(), Context(3))
    assert calls == []
    bridge.request.current.set(bridge.CurrentRequest(event(), Context(3)))
    response_callbacks.run()
    assert len(calls) == 1
    bridge.request.current.set(None)


async def test_the_gateway_in_process_runs_the_callbacks(calls: list[str]) -> None:
    gateway = Gateway(bridge.asgi_handler(AsgiApp(), lifespan="off"))
    async with gateway.client() if hasattr(gateway, "client") else _client(gateway) as client:
        assert (await client.get("/")).status_code == 200
    assert len(calls) == 1


def _client(gateway: Any) -> Any:
    import httpx

    return httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://shop.example")


async def asynchronous() -> None:
    pass


@pytest.mark.parametrize("callback", [asynchronous, None, "flush"])
def test_a_callback_is_a_plain_function(callback: Any) -> None:
    with pytest.raises(TypeError, match="takes a plain function"):
        bridge.after_response(callback)
