"""Applications of real frameworks, written for uvicorn."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.websocket.applications import FRAMEWORKS
from tests.websocket.uvicorn_server import uvicorn_serving

if TYPE_CHECKING:
    from bridge.dev.gateway.memory_store import MemoryStore
    from tests.conftest import MakeHandler
    from tests.websocket.api import FakeApi

QUERY = {"queryStringParameters": {"name": "ann"}, "headers": {"Sec-WebSocket-Protocol": "other, chat"}}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_chat_written_for_uvicorn_works(
    name: str, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    handler = make_handler(FRAMEWORKS[name](seen))
    with caplog.at_level(logging.INFO):
        connection, payload = api.connect(handler, **QUERY)
        assert payload == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}
        assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert api.message(handler, connection, "you") == {"statusCode": 200}
        assert api.received[connection] == ["welcome ann", "HELLO 1", "YOU 2"]
        assert api.disconnect(handler, connection, 1001) == {"statusCode": 200}
    assert seen == [1001 if name != "quart" else "cancelled"]  # once, and not with each message
    assert [record for record in caplog.records if record.name.startswith("bridge")] == []
    assert stored.get(connection) is None


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_application_that_closes_the_connection_closes_it(
    name: str, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler
) -> None:
    handler = make_handler(FRAMEWORKS[name]([]))
    connection, _ = api.connect(handler, **QUERY)
    assert api.message(handler, connection, "quit") == {"statusCode": 200}
    assert api.received[connection] == ["welcome ann", None]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_application_that_fails_has_its_traceback_logged_and_the_connection_closed(
    name: str, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    handler = make_handler(FRAMEWORKS[name]([]))
    connection, _ = api.connect(handler, **QUERY)
    payload = api.message(handler, connection, "fail")
    if name != "litestar":  # it logs exceptions in its debug mode only
        assert "LookupError: failed on request" in caplog.text
    if name not in ("quart", "litestar"):  # they log the exception themselves, and close the connection
        assert payload["statusCode"] == 500
    assert api.received[connection] == ["welcome ann", None]


@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_uvicorn_gives_the_same_transcript(name: str) -> None:
    seen: list[Any] = []
    received: list[Any] = []
    async with (
        uvicorn_serving(FRAMEWORKS[name](seen)) as address,
        connect(f"ws://{address}/?name=ann", subprotocols=[Subprotocol("other"), Subprotocol("chat")]) as socket,
    ):
        assert socket.subprotocol == "chat"
        received.append(await socket.recv())
        for text in ("hello", "you"):
            await socket.send(text)
            received.append(await socket.recv())
        await socket.send("quit")
        async for message in socket:
            received.append(message)
    assert received == ["welcome ann", "HELLO 1", "YOU 2"]
