"""Groups of connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

import bridge.websocket
from bridge.errors import MessageTooLargeError, WebSocketError
from bridge.websocket import connections

if TYPE_CHECKING:
    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.conftest import MakeHandler
    from tests.websocket.api import FakeApi


@pytest.fixture
def room(api: FakeApi, stored: MemoryStore) -> list[str]:
    """The connections of the group ``room``."""
    members = [f"m{number}=" for number in range(40)]
    for member in members:
        api.open(member)
        bridge.websocket.join("room", member)
    return members


def test_a_broadcast_reaches_all_connections_of_the_group(api: FakeApi, room: list[str]) -> None:
    api.open("other=")
    bridge.websocket.leave("room", room[0])
    assert bridge.websocket.broadcast("room", "hello", exclude=[room[1]]) == 38
    assert [member for member in room if api.received[member] == ["hello"]] == room[2:]
    assert api.received["other="] == []
    assert bridge.websocket.broadcast("empty", "hello") == 0


async def test_so_does_one_of_the_asynchronous_twin(api: FakeApi, stored: MemoryStore) -> None:
    api.open("a=")
    await bridge.websocket.ajoin("room", "a=")
    assert await bridge.websocket.abroadcast("room", "hello") == 1
    await bridge.websocket.aleave("room", "a=")
    assert await bridge.websocket.abroadcast("room", "hello") == 0


def test_connections_that_are_gone_are_dropped(api: FakeApi, room: list[str], stored: MemoryStore) -> None:
    stored._groups["room"] = dict.fromkeys(room, time.time() - 60)
    stored.put(room[0], {"connect": None, "session": {}, "kept": []})
    for member in room[:10]:
        api.drop(member)
    assert bridge.websocket.broadcast("room", "hello") == 30
    assert sorted(stored.members("room")) == sorted(room[10:])
    assert stored.get(room[0]) is None


def test_a_connection_that_joined_a_moment_ago_may_not_be_open_yet_and_stays(
    api: FakeApi, room: list[str], stored: MemoryStore
) -> None:
    api.drop(room[0])
    assert bridge.websocket.broadcast("room", "hello") == 39
    assert room[0] in stored.members("room")


def test_other_failures_are_raised_when_all_others_are_reached(
    api: FakeApi, room: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_RETRIES", ())
    api.failures += [500] * 3
    with pytest.raises(WebSocketError, match="was answered 500"):
        bridge.websocket.broadcast("room", "hello")
    assert sum(api.received[member] == ["hello"] for member in room) == 37


def test_a_message_that_is_too_large_is_sent_to_none(api: FakeApi, room: list[str]) -> None:
    with pytest.raises(MessageTooLargeError):
        bridge.websocket.broadcast("room", "x" * 131_073)
    assert api.requests == []


def test_groups_without_a_store_are_an_error(api: FakeApi) -> None:
    with pytest.raises(WebSocketError, match="set BRIDGE_WEBSOCKET_STORE to dynamodb:TABLE"):
        bridge.websocket.join("room", "a=")


def test_a_broadcast_within_a_connect_event_reaches_the_new_connection_later(
    api: FakeApi, stored: MemoryStore, make_handler: MakeHandler
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        connection_id = scope["extensions"]["bridge.websocket"]["connection_id"]
        await receive()
        await send({"type": "websocket.accept"})
        if scope["extensions"]["bridge.websocket"]["event"] == "CONNECT":
            await bridge.websocket.ajoin("room", connection_id)
            await bridge.websocket.abroadcast("room", f"{connection_id} joined")
        while (await receive())["type"] != "websocket.disconnect":
            pass

    handler = make_handler(app, lifespan="off")
    first, _ = api.connect(handler)
    api.message(handler, first, "hello")
    second, _ = api.connect(handler)
    api.message(handler, second, "hello")
    assert api.received == {first: ["c0= joined", "c1= joined"], second: ["c1= joined"]}
    api.disconnect(handler, first)
    assert list(stored.members("room")) == [second]


def test_an_http_request_of_the_same_application_may_broadcast(
    api: FakeApi, room: list[str], make_handler: MakeHandler
) -> None:
    from tests.helpers import get

    def app(environ: Any, start_response: Any) -> Any:
        count = bridge.websocket.broadcast("room", "news")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(count).encode()]

    assert get(make_handler(app, bridge.wsgi_handler)) == (200, b"40")
