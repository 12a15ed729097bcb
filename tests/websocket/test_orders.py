"""Any order, size and kind of messages, of several connections, gives what one process with sockets would."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bridge
from bridge.dev.gateway import websocket_memory_store
from bridge.limits import WEBSOCKET_MESSAGE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.websocket.api import FakeApi

DATA = st.one_of(
    st.text(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.sampled_from(["x" * WEBSOCKET_MESSAGE_LIMIT, "é" * (WEBSOCKET_MESSAGE_LIMIT // 2), b"y" * 40_000]),
)
# Each step: a connection of three, and a message, None to connect or disconnect, or the code of a disconnection.
STEPS = st.lists(st.tuples(st.integers(0, 2), st.one_of(DATA, st.none(), st.integers(1000, 4999))), max_size=12)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Send back each message, after the number of the session's messages and the name in the query."""
    session = scope["extensions"]["bridge.websocket"]["session"]
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "welcome"})
    while (message := await receive())["type"] != "websocket.disconnect":
        session["count"] = session.get("count", 0) + 1
        name = scope["query_string"].decode()
        await send({"type": "websocket.send", "text": json.dumps([session["count"], name])})
        await send({**message, "type": "websocket.send"})


@contextmanager
def fresh_store(stored: MemoryStore) -> Iterator[None]:
    stored._items.clear()
    yield
    assert stored._groups == {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_connections_receive_what_they_would_of_a_socket(steps: list[Any], api: FakeApi, stored: MemoryStore) -> None:
    assert websocket_memory_store.STORE is stored
    handler = bridge.asgi_handler(app, lifespan="off")
    open_ids: dict[int, str] = {}
    expected: dict[str, list[Any]] = {}
    with fresh_store(stored):
        for number, step in steps:
            if number not in open_ids:
                open_ids[number], payload = api.connect(handler, queryStringParameters={"n": str(number)})
                assert payload == {"statusCode": 200}
                expected[open_ids[number]] = ["welcome"]
            connection = open_ids[number]
            if isinstance(step, (str, bytes)):
                assert api.message(handler, connection, step) == {"statusCode": 200}
                count = len(expected[connection]) // 2 + 1
                text = step if isinstance(step, str) else step.decode()
                expected[connection] += [json.dumps([count, f"n={number}"]), text]
            else:
                assert api.disconnect(handler, connection, step or 1005) == {"statusCode": 200}
                del open_ids[number]
                if expected[connection] == ["welcome"]:
                    expected[connection] = []  # it waits for the first message
    handler.close()
    received = {connection: messages for connection, messages in api.received.items() if connection in expected}
    for connection in open_ids.values():
        if expected[connection] == ["welcome"]:
            expected[connection] = []
    assert received == expected


@pytest.mark.parametrize("size", [WEBSOCKET_MESSAGE_LIMIT - 1, WEBSOCKET_MESSAGE_LIMIT])
@pytest.mark.parametrize("data", ["x", b"x"], ids=["text", "bytes"])
def test_a_message_of_the_largest_size_passes_both_ways(
    size: int, data: Any, api: FakeApi, stored: MemoryStore
) -> None:
    handler = bridge.asgi_handler(app, lifespan="off")
    connection, _ = api.connect(handler)
    api.message(handler, connection, data * size)
    assert api.received[connection][-1] == "x" * size
    handler.close()
