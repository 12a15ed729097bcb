"""Callbacks for the events of a WebSocket API."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.errors import EventError, GoneError
from tests.helpers import AsgiApp, WsgiApp, get
from tests.websocket.api import event

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.websocket.api import FakeApi


@pytest.mark.parametrize("app", [WsgiApp(), AsgiApp()], ids=["WSGI", "ASGI"])
def test_each_gets_the_connection(app: Any, api: FakeApi) -> None:
    seen: list[Any] = []

    def on_connect(connection: Any) -> None:
        seen.append((connection.id, connection.headers["cookie"], connection.event["requestContext"]["eventType"]))

    def on_message(connection: Any, message: Any) -> None:
        connection.send(message.upper())

    def on_disconnect(connection: Any) -> None:
        seen.append((connection.id, connection.context))
        with pytest.raises(GoneError):
            connection.send("late")

    handler = bridge.handler(app, on_connect=on_connect, on_message=on_message, on_disconnect=on_disconnect)
    connection, payload = api.connect(handler, headers={"Cookie": "a=1"})
    assert payload == {"statusCode": 200}
    assert api.message(handler, connection, "hello") == {"statusCode": 200}
    assert api.message(handler, connection, b"bytes") == {"statusCode": 200}
    assert api.disconnect(handler, connection) == {"statusCode": 200}
    assert api.received[connection] == ["HELLO", "BYTES"]
    assert seen == [(connection, "a=1", "CONNECT"), (connection, None)]
    assert get(handler)[0] == 200
    handler.close()


def test_an_event_without_a_callback_is_a_200(api: FakeApi) -> None:
    handler = bridge.handler(WsgiApp(), on_message=lambda connection, message: connection.close())
    connection, payload = api.connect(handler)
    assert payload == {"statusCode": 200}
    api.message(handler, connection, "hello")
    assert api.received[connection] == [None]


@pytest.mark.parametrize(
    ("result", "payload"),
    [
        (None, {"statusCode": 200}),
        (403, {"statusCode": 403}),
        ({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "v1"}},) * 2,
    ],
)
def test_a_callback_may_return_a_status_or_a_payload(result: Any, payload: Any, api: FakeApi) -> None:
    assert api.connect(bridge.handler(WsgiApp(), on_connect=lambda _connection: result))[1] == payload


@pytest.mark.parametrize("kind", [LookupError, asyncio.CancelledError])
def test_a_callback_that_fails_is_a_logged_500(
    kind: type[BaseException], api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    def on_connect(connection: Any) -> None:
        raise kind("no such room")

    assert api.connect(bridge.handler(WsgiApp(), on_connect=on_connect))[1] == {"statusCode": 500}
    assert "CONNECT of the WebSocket connection c0=: the callback on_connect failed." in caplog.text
    assert f"{kind.__name__}: no such room" in caplog.text


def test_callbacks_may_be_named_in_the_environment(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chat_of_test.py").write_text("def on_message(connection, message):\n    connection.send(message * 2)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("BRIDGE_ON_MESSAGE", "chat_of_test:on_message")
    handler = bridge.handler(WsgiApp())
    connection, _ = api.connect(handler)
    for _ in range(2):
        api.message(handler, connection, "ab")
    assert api.received[connection] == ["abab", "abab"]
    del sys.modules["chat_of_test"]


def test_the_event_is_the_current_request_and_groups_work(api: FakeApi, stored: MemoryStore) -> None:
    def on_message(connection: Any, message: str) -> None:
        request = bridge.current_request()
        assert request is not None
        assert request.event["body"] == message
        bridge.websocket.join("room", connection.id)
        bridge.websocket.broadcast("room", message)

    handler = bridge.handler(WsgiApp(), on_message=on_message)
    connection, _ = api.connect(handler)
    api.message(handler, connection, "hello")
    assert api.received[connection] == ["hello"]
    assert bridge.current_request() is None


def test_closing_in_on_connect_refuses_the_connection(api: FakeApi) -> None:
    handler = bridge.handler(WsgiApp(), on_connect=lambda connection: connection.close())
    assert api.connect(handler)[1] == {"statusCode": 403}


def test_without_a_store_sending_in_on_connect_is_a_warning(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    handler = bridge.handler(WsgiApp(), on_connect=lambda connection: connection.send("welcome"))
    assert api.connect(handler)[1] == {"statusCode": 200}
    assert "what is sent to it before is lost" in caplog.text


@pytest.mark.parametrize("status", [None, 201])
def test_what_on_connect_sends_is_kept_in_the_store_for_the_first_message(
    status: int | None, api: FakeApi, stored: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    def on_connect(connection: Any) -> int | None:
        connection.send("welcome")
        return status

    handler = bridge.handler(
        WsgiApp(), on_connect=on_connect, on_message=lambda connection, message: connection.send(message)
    )
    connection, payload = api.connect(handler)
    assert payload == {"statusCode": status or 200}
    api.message(handler, connection, "hello")
    api.message(handler, connection, "you")
    assert api.received[connection] == ["welcome", "hello", "you"]
    assert caplog.text == ""


async def on_message_async(connection: Any, message: Any) -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("callback", "result"),
    [
        (lambda connection, message: "text", "'text'"),
        (lambda connection, message: True, "True"),
        (lambda connection, message: ("no", 403), "('no', 403)"),
        (on_message_async, "<coroutine object on_message_async"),
    ],
    ids=["text", "a truth value", "a tuple", "a coroutine"],
)
def test_a_callback_that_returns_something_else_is_an_error_that_says_so(
    callback: Any, result: str, api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    handler = bridge.handler(WsgiApp(), on_message=callback)
    connection, _ = api.connect(handler)
    assert api.message(handler, connection, "hello") == {"statusCode": 500}
    assert f"returned {result}" in caplog.text
    assert "returns None, a status or a payload, and is no async function" in caplog.text


def test_a_wsgi_application_without_callbacks_is_an_error_that_names_them() -> None:
    with pytest.raises(EventError, match=r"on_connect, on_message and on_disconnect; see docs/websockets\.md"):
        bridge.handler(WsgiApp())(event("CONNECT"), None)


@pytest.mark.parametrize("app", [WsgiApp(), AsgiApp()], ids=["WSGI", "ASGI"])
def test_an_event_for_the_authorizer_of_the_api_is_another_event(app: Any) -> None:
    authorization = event("CONNECT", type="REQUEST", methodArn="arn:aws:execute-api:eu-west-1:123:abc/prod/$connect")
    handler = bridge.handler(
        app, on_connect=lambda _connection: 500, other_events=lambda event, _context: event["type"]
    )
    assert handler(authorization, None) == "REQUEST"
    with pytest.raises(EventError, match="API Gateway, for a Lambda authorizer"):
        bridge.handler(app)(authorization, None)


def test_other_events_gets_them_where_there_are_no_callbacks() -> None:
    handler = bridge.handler(WsgiApp(), other_events=lambda event, context: {"statusCode": 201})
    assert handler(event("CONNECT"), None) == {"statusCode": 201}
