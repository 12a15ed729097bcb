"""The chats in ``examples/``: the same conversation under uvicorn and through the bridge."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from bridge.loading import find_application
from tests.docs.pages import DOCS, code
from tests.helpers import WsgiApp
from tests.runtime import service
from tests.websocket.api import event
from tests.websocket.uvicorn_server import uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.conftest import MakeHandler
    from tests.websocket.api import FakeApi

EXAMPLES = Path(__file__).parents[2] / "examples"
APPS = {"FastAPI": "chat/app:app", "Channels": "channels/chat.asgi:application"}

# What each client has received at the end.
CONVERSATION = {
    "ann": ["ann has joined", "bob has joined", "ann (1): hello", "bob (1): hi, ann", "ann (2): how are you?"],
    "bob": [
        "bob has joined",
        "ann (1): hello",
        "bob (1): hi, ann",
        "ann (2): how are you?",
        "ann has left",
        "bob (2): ?",
    ],
}


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [*sys.path])
    return find_application(APPS[request.param], str(EXAMPLES))


async def converse(
    join: Callable[[str], Awaitable[None]],
    say: Callable[[str, str], Awaitable[None]],
    leave: Callable[[str], Awaitable[None]],
    received: Callable[[str], list[Any]],
) -> None:
    """Have the conversation; each step waits until all clients have received what it sends."""
    steps: list[tuple[Callable[..., Awaitable[None]], tuple[str, ...], str, str]] = [
        (join, ("ann",), "ann has joined", "ann"),
        (join, ("bob",), "bob has joined", "ann bob"),
        (say, ("ann", "hello"), "ann (1): hello", "ann bob"),
        (say, ("bob", "hi, ann"), "bob (1): hi, ann", "ann bob"),
        (say, ("ann", "how are you?"), "ann (2): how are you?", "ann bob"),
        (leave, ("ann",), "ann has left", "bob"),
        (say, ("bob", "?"), "bob (2): ?", "bob"),
    ]
    for function, arguments, message, clients in steps:
        await function(*arguments)
        async with asyncio.timeout(service.TIMEOUT):
            while not all(message in received(client) for client in clients.split()):
                await asyncio.sleep(0.002)


async def test_under_uvicorn(app: Any, stored: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    transcripts: dict[str, list[Any]] = {}
    sockets: dict[str, Any] = {}
    readers: list[asyncio.Task[None]] = []

    async def join(name: str) -> None:
        sockets[name] = await connect(f"ws://{address}/?name={name}")
        transcripts[name] = []
        readers.append(asyncio.create_task(read(name)))

    async def read(name: str) -> None:
        async for message in sockets[name]:
            transcripts[name].append(message)

    async with uvicorn_serving(app) as address:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_ENDPOINT", f"http://{address}/")
        await converse(
            join,
            lambda name, text: sockets[name].send(text),
            lambda name: sockets[name].close(),
            transcripts.__getitem__,
        )
        await sockets["bob"].close()
        await asyncio.gather(*readers)
    assert transcripts == CONVERSATION


@pytest.mark.parametrize("concurrency", [0, 4], ids=["one at a time", "many at once"])
async def test_through_the_bridge(concurrency: int, app: Any, api: FakeApi, stored: MemoryStore) -> None:
    async with partial(service.running, concurrency=concurrency)(app) as lambda_service:

        async def invoke(kind: str, name: str, **fields: Any) -> None:
            assert await lambda_service.invoke(event(kind, name, **fields)).payload() == {"statusCode": 200}

        async def join(name: str) -> None:
            await invoke("CONNECT", name, queryStringParameters={"name": name})
            api.open(name)

        async def leave(name: str) -> None:
            api.drop(name)
            await invoke("DISCONNECT", name)

        await converse(join, lambda name, text: invoke("MESSAGE", name, body=text), leave, api.received.__getitem__)
        await leave("bob")
    assert api.received == CONVERSATION
    assert stored.members("lobby") == {}


@pytest.mark.parametrize("number", [0, 1], ids=["FastAPI", "Channels"])
def test_the_chats_of_the_documentation_work(
    number: int, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    find_application(APPS["Channels"], str(EXAMPLES))  # configures Django
    names: dict[str, Any] = {}
    exec(code(DOCS / "websockets.md", "python")[number], names)
    handler = make_handler(names["app"] if number == 0 else names["Chat"].as_asgi(), lifespan="off")
    ids = [api.connect(handler, queryStringParameters={"name": name})[0] for name in ("ann", "bob")]
    for connection in ids:
        api.message(handler, connection, "hello")
    api.disconnect(handler, ids[1])
    assert api.received[ids[0]] == ["bob has joined", "ann has joined", "ann: hello", "bob: hello", "bob has left"]


def test_the_callbacks_of_the_documentation_work(
    api: FakeApi, stored: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop: Any = ModuleType("shop")
    shop.app = WsgiApp()
    monkeypatch.setitem(sys.modules, "shop", shop)
    names: dict[str, Any] = {}
    exec(next(text for text in code(DOCS / "websockets.md", "python") if "def on_connect" in text), names)
    assert api.connect(names["handler"])[1] == {"statusCode": 401}
    connection, _ = api.connect(names["handler"], headers={"cookie": "a=1"})
    api.message(names["handler"], connection, "hello")
    assert api.received[connection] == ["hello"]


def test_the_page_connects_to_the_address_in_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    monkeypatch.setattr(sys, "path", [*sys.path])
    client = TestClient(find_application(APPS["FastAPI"], str(EXAMPLES)))
    assert '${"" || here}' in client.get("/").text
    monkeypatch.setenv("WEBSOCKET_URL", "wss://chat.example/prod")
    assert '${"wss://chat.example/prod" || here}' in client.get("/").text
