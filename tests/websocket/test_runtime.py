"""WebSocket APIs under ``bridge.runtime``, which sends what a connect event has for its client after the answer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.errors import WebSocketError
from bridge.websocket import outbox
from tests.helpers import WsgiApp
from tests.runtime import service
from tests.websocket.api import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.websocket.api import FakeApi

    Run = Callable[..., Any]


@pytest.fixture(params=["thread", "event loop"])
def running(request: pytest.FixtureRequest) -> Any:
    return partial(service.running, concurrency=int(request.param == "event loop") * 3)


async def chat(scope: Any, receive: Any, send: Any) -> None:
    """Accept, send ``welcome`` and perhaps close; answer messages with themselves."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "welcome"})
    if scope["query_string"] == b"close=1":
        await send({"type": "websocket.close"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(service.TIMEOUT):
        while not condition():
            await asyncio.sleep(0.002)


async def test_what_is_sent_within_a_connect_event_goes_out_after_its_answer(
    running: Run, api: FakeApi, stored: MemoryStore
) -> None:
    async with running(chat, lifespan="off") as lambda_service:
        assert await lambda_service.invoke(event("CONNECT")).payload() == {"statusCode": 200}
        await until(lambda: bool(api.requests))  # the first attempt comes too early
        api.open("c0=")
        await until(lambda: api.received["c0="] == ["welcome"])
        assert await lambda_service.invoke(event("MESSAGE", body="hello")).payload() == {"statusCode": 200}
        assert api.received["c0="] == ["welcome", "hello"]
        item = stored.get("c0=")
        assert item is not None
        assert item["kept"] == []


async def test_it_needs_no_store(running: Run, api: FakeApi) -> None:
    async with running(chat, lifespan="off") as lambda_service:
        assert await lambda_service.invoke(event("CONNECT")).payload() == {"statusCode": 200}
        api.open("c0=")
        await until(lambda: api.received["c0="] == ["welcome"])


async def test_a_connection_may_be_accepted_and_closed(running: Run, api: FakeApi) -> None:
    async with running(chat, lifespan="off") as lambda_service:
        connect = event("CONNECT", queryStringParameters={"close": "1"})
        assert await lambda_service.invoke(connect).payload() == {"statusCode": 200}
        api.open("c0=")
        await until(lambda: api.received["c0="] == ["welcome", None])


async def test_a_connect_event_that_is_answered_too_late_is_no_error(
    running: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "_PAUSES", (0.01, 0.01))
    async with running(chat, lifespan="off") as lambda_service:
        assert await lambda_service.invoke(event("CONNECT")).payload() == {"statusCode": 200}
        await until(lambda: "The WebSocket connection c0= was closed by its client." in caplog.text)
        assert await lambda_service.invoke(event("DISCONNECT")).payload() == {"statusCode": 200}
    assert len(api.requests) == 3


async def test_a_connection_that_opens_later_has_it_with_the_first_message(
    running: Run, api: FakeApi, stored: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_PAUSES", (0.01,))
    async with running(chat, lifespan="off") as lambda_service:
        assert await lambda_service.invoke(event("CONNECT")).payload() == {"statusCode": 200}
        await until(lambda: (stored.get("c0=") or {}).get("kept") == ["welcome"])
        api.open("c0=")
        assert await lambda_service.invoke(event("MESSAGE", body="hello")).payload() == {"statusCode": 200}
        assert api.received["c0="] == ["welcome", "hello"]


async def test_nothing_is_sent_to_a_connection_that_the_store_could_not_take(
    running: Run, api: FakeApi, stored: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise WebSocketError("The table is gone.")

    monkeypatch.setattr(stored, "put", fail)
    async with running(chat, lifespan="off") as lambda_service:
        assert (await lambda_service.invoke(event("CONNECT")).payload())["statusCode"] == 500
        assert (await lambda_service.invoke(event("DISCONNECT")).payload())["statusCode"] == 200
    assert api.requests == []


async def test_callbacks_are_called_and_what_on_connect_sends_goes_out_after_the_answer(
    running: Run, api: FakeApi
) -> None:
    def on_message(connection: Any, message: str) -> None:
        connection.send(message.upper())

    options = {"on_connect": lambda connection: connection.send("welcome"), "on_message": on_message}
    async with running(WsgiApp(), **options) as lambda_service:
        assert await lambda_service.invoke(event("CONNECT")).payload() == {"statusCode": 200}
        api.open("c0=")
        await until(lambda: api.received["c0="] == ["welcome"])
        assert await lambda_service.invoke(event("MESSAGE", body="hello")).payload() == {"statusCode": 200}
        assert api.received["c0="] == ["welcome", "HELLO"]


async def test_what_a_callback_sends_to_a_connection_that_opens_later_comes_with_the_first_message(
    running: Run, api: FakeApi, stored: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_PAUSES", (0.01,))
    options = {
        "on_connect": lambda connection: connection.send("welcome"),
        "on_message": lambda connection, message: connection.send(message),
    }
    async with running(WsgiApp(), **options) as lambda_service:
        assert await lambda_service.invoke(event("CONNECT")).payload() == {"statusCode": 200}
        await until(lambda: (stored.get("c0=") or {}).get("kept") == ["welcome"])
        api.open("c0=")
        assert await lambda_service.invoke(event("MESSAGE", body="hello")).payload() == {"statusCode": 200}
        assert api.received["c0="] == ["welcome", "hello"]


async def test_many_messages_at_once_are_answered(running: Run, api: FakeApi, stored: MemoryStore) -> None:
    async with running(chat, lifespan="off") as lambda_service:
        api.open("c0=")
        outcomes = [lambda_service.invoke(event("MESSAGE", body=str(number))) for number in range(12)]
        assert [await outcome.payload() for outcome in outcomes] == [{"statusCode": 200}] * 12
        assert sorted(map(str, api.received["c0="])) == sorted(map(str, range(12)))
    assert bridge.current_request() is None
