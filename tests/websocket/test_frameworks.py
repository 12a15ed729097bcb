"""Applications of real frameworks, written for uvicorn."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.websocket.applications import FRAMEWORKS, OPTIONS
from tests.websocket.uvicorn_server import uvicorn_serving

if TYPE_CHECKING:
    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.conftest import MakeHandler
    from tests.websocket.api import FakeApi

QUERY = {"queryStringParameters": {"name": "ann"}, "headers": {"Sec-WebSocket-Protocol": "other, chat"}}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_chat_written_for_uvicorn_works(
    name: str, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    handler = make_handler(FRAMEWORKS[name](seen), **OPTIONS.get(name, {}))
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
    handler = make_handler(FRAMEWORKS[name]([]), **OPTIONS.get(name, {}))
    connection, _ = api.connect(handler, **QUERY)
    assert api.message(handler, connection, "quit") == {"statusCode": 200}
    assert api.received[connection] == ["welcome ann", None]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_application_that_fails_has_its_traceback_logged_and_the_connection_closed(
    name: str, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    handler = make_handler(FRAMEWORKS[name]([]), **OPTIONS.get(name, {}))
    connection, _ = api.connect(handler, **QUERY)
    payload = api.message(handler, connection, "fail")
    if name != "litestar":  # it logs exceptions in its debug mode only
        assert "LookupError: failed on request" in caplog.text
    if name not in ("quart", "litestar", "falcon"):  # they handle the exception, and close the connection
        assert payload["statusCode"] == 500
    assert api.received[connection] == ["welcome ann", None]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_nothing_of_an_event_stays_in_the_process(
    name: str, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler
) -> None:
    app = FRAMEWORKS[name]([])
    events: list[weakref.ref[Any]] = []

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            events.append(weakref.ref(scope["bridge.scope"]))
        await app(scope, receive, send)

    handler = make_handler(recording, **OPTIONS.get(name, {}))
    connection, _ = api.connect(handler, **QUERY)
    for _ in range(5):
        api.message(handler, connection, "hello")
    api.disconnect(handler, connection)
    assert len(events) == 7
    gc.collect()
    # A thread of a pool keeps its last call.
    assert len([event for event in events if event() is not None]) <= 1


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


def test_middlewares_read_the_headers_of_the_connection_in_every_event(
    api: FakeApi, stored: MemoryStore, make_handler: MakeHandler
) -> None:
    from starlette.applications import Starlette
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    class Cookie(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            name = conn.cookies.get("name")
            return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None

    async def chat(websocket: WebSocket) -> None:
        if not websocket.user.is_authenticated:
            await websocket.close()
            return
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(f"{websocket.user.display_name}: {await websocket.receive_text()}")
        except WebSocketDisconnect:
            pass

    app = Starlette(
        routes=[WebSocketRoute("/", chat)], middleware=[Middleware(AuthenticationMiddleware, backend=Cookie())]
    )
    handler = make_handler(app)
    assert api.connect(handler)[1]["statusCode"] == 403
    connection, _ = api.connect(handler, headers={"Cookie": "name=ann"})
    api.message(handler, connection, "hello")
    assert api.received[connection] == ["ann: hello"]
