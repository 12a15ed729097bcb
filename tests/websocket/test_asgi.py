"""An ASGI application during the events of a WebSocket API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.errors import GoneError, InterfaceError, MessageTooLargeError, WebSocketError
from bridge.limits import WEBSOCKET_MESSAGE_LIMIT
from bridge.websocket import store
from tests.helpers import Context
from tests.websocket.api import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.websocket_memory_store import MemoryStore
    from tests.conftest import MakeHandler
    from tests.websocket.api import FakeApi

ACCEPT = {"type": "websocket.accept"}


def text(data: str) -> dict[str, Any]:
    return {"type": "websocket.send", "text": data}


class Echo:
    """Accepts, and sends back what it receives; records scopes and messages."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        self.scopes.append(scope)
        assert await receive() == {"type": "websocket.connect"}
        await send(ACCEPT)
        while True:
            message = await receive()
            self.messages.append(message)
            if message["type"] == "websocket.disconnect":
                return
            await send({**message, "type": "websocket.send"})


def websocket(function: Callable[..., Any]) -> Callable[..., Any]:
    """An application that accepts, and then is *function* of scope, receive and send."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send(ACCEPT)
        await function(scope, receive, send)

    return app


@pytest.fixture
def make(make_handler: MakeHandler) -> Callable[..., bridge.Handler]:
    return lambda app, **options: make_handler(app, lifespan="off", **options)


class TestScope:
    def test_a_connect_event_s_fields_are_in_the_scope(self, api: FakeApi, make: Any) -> None:
        echo = Echo()
        api.connect(
            make(echo),
            headers={"Host": "w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com", "Cookie": "a=1"},
            multiValueHeaders={
                "Host": ["w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com"],
                "Cookie": ["a=1"],
                "Sec-WebSocket-Protocol": ["v1, v2", "v3"],
            },
            multiValueQueryStringParameters={"a": ["1", "2"], "b": ["c d"]},
            context={"authorizer": {"principalId": "ann"}},
        )
        scope = echo.scopes[0]
        assert scope["path"] == "/prod/"
        assert scope["root_path"] == "/prod"
        assert scope["raw_path"] == b"/prod/"
        assert scope["query_string"] == b"a=1&a=2&b=c+d"
        assert scope["scheme"] == "wss"
        assert scope["server"] == ("w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com", 443)
        assert scope["client"] == ("203.0.113.7", 0)
        assert scope["subprotocols"] == ["v1", "v2", "v3"]
        assert (b"cookie", b"a=1") in scope["headers"]
        assert scope["http_version"] == "1.1"
        assert "method" not in scope
        assert scope["bridge.scope"].user == "ann"
        assert scope["extensions"]["bridge.websocket"] == {
            "connection_id": "c0=",
            "event": "CONNECT",
            "route": "$connect",
            "session": {},
        }

    def test_later_events_have_the_scope_of_the_connect_event(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        echo = Echo()
        handler = make(echo)
        connection, _ = api.connect(
            handler, headers={"Cookie": "a=1", "X-Forwarded-Proto": "http"}, queryStringParameters={"q": "é"}
        )
        api.message(handler, connection, "hello", context={"routeKey": "greet"})
        api.disconnect(handler, connection)
        ours = ("aws.event", "aws.context", "bridge.scope", "extensions")
        first, *others = [{key: value for key, value in scope.items() if key not in ours} for scope in echo.scopes]
        assert first["scheme"] == "ws"
        assert others == [first, first]
        extensions = [scope["extensions"]["bridge.websocket"] for scope in echo.scopes]
        assert [(extension["event"], extension["route"]) for extension in extensions] == [
            ("CONNECT", "$connect"),
            ("MESSAGE", "greet"),
            ("DISCONNECT", "$disconnect"),
        ]

    @pytest.mark.parametrize(
        ("variable", "options", "fields", "expected"),
        [
            ("", {}, {}, ("/prod", "/prod/")),
            ("/ws/chat", {}, {}, ("/prod", "/prod/ws/chat")),
            ("ws", {}, {}, ("/prod", "/prod/ws")),
            ("/ws", {"strip_stage": True}, {}, ("", "/ws")),
            ("/ws", {}, {"context": {"domainName": "chat.example"}}, ("", "/ws")),
            ("/ws", {"base_path": "/v1"}, {"context": {"domainName": "chat.example"}}, ("/v1", "/v1/ws")),
            ("/ws", {}, {"path": "/é", "context": {"domainName": "127.0.0.1:8000"}}, ("", "/é")),
        ],
    )
    def test_the_path_is_a_setting(
        self, variable: str, options: Any, fields: Any, expected: Any, api: FakeApi, make: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_PATH", variable)
        echo = Echo()
        api.connect(make(echo, **options), **fields)
        assert (echo.scopes[0]["root_path"], echo.scopes[0]["path"]) == expected

    def test_the_lifespan_s_state_is_in_the_scope(
        self, api: FakeApi, stored: MemoryStore, make_handler: MakeHandler
    ) -> None:
        states: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                scope["state"]["pool"] = "a pool"
                for answer in ("startup", "shutdown"):
                    await receive()
                    await send({"type": f"lifespan.{answer}.complete"})
                return
            states.append(scope["state"])
            await send(ACCEPT)
            await receive()
            await receive()

        handler = make_handler(app)
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        assert states == [{"pool": "a pool"}] * 2

    def test_without_a_store_a_message_has_what_its_event_has_and_a_warning_comes_once(
        self, api: FakeApi, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        echo = Echo()
        handler = make(echo)
        connection, _ = api.connect(handler, headers={"Cookie": "a=1"})
        for _ in range(2):
            api.message(handler, connection, "hello")
        assert api.received[connection] == ["hello"] * 2
        assert echo.scopes[1]["headers"] == []
        assert echo.scopes[1]["client"] == ("203.0.113.7", 0)
        assert [record.message for record in caplog.records] == [
            "BRIDGE_WEBSOCKET_STORE is not set: the scope of its messages has neither headers nor a session. Set it to "
            "dynamodb:TABLE."
        ]

    def test_a_connection_that_is_not_in_the_store_is_a_warning(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        handler = make(Echo())
        api.open("other=")
        for _ in range(2):
            api.message(handler, "other=", "hello")
        assert api.received["other="] == ["hello"] * 2
        assert [record.message for record in caplog.records] == [
            "A WebSocket connection is not in the store: the scope of its messages has neither headers nor a session. "
            "Let the API's $connect route call this function."
        ]


class TestConnect:
    def answer_to(self, api: FakeApi, handler: Any) -> Any:
        return api.connect(handler)[1]

    def test_the_answer_has_the_subprotocol_and_the_headers(self, api: FakeApi, make: Any) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({**ACCEPT, "subprotocol": "v2", "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
            await receive()

        assert self.answer_to(api, make(app)) == {
            "statusCode": 200,
            "headers": {"Sec-WebSocket-Protocol": "v2", "x-a": "1, 2"},
        }

    def test_a_refused_connection_is_a_403_and_not_stored(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.close", "code": 4000})
            with pytest.raises(GoneError):
                await send(text("late"))
            assert (await receive())["type"] == "websocket.disconnect"

        connection, payload = api.connect(make(app))
        assert payload["statusCode"] == 403
        assert stored.get(connection) is None

    def test_a_denial_response_is_the_answer(self, api: FakeApi, make: Any) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert "websocket.http.response" in scope["extensions"]
            await receive()
            await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-reason", b"token")]})
            await send({"type": "websocket.http.response.body", "body": b"no ", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"token"})

        payload = self.answer_to(api, make(app))
        assert payload == {"statusCode": 401, "headers": {"x-reason": "token"}, "body": "no token"}

    @pytest.mark.parametrize("messages", [[], [ACCEPT]])
    def test_an_application_that_fails_is_a_logged_500(
        self, messages: list[Any], api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            for message in messages:
                await send(message)
            raise LookupError("no such room")

        connection, payload = api.connect(make(app))
        assert payload["statusCode"] == 500
        assert "The application failed at CONNECT of the WebSocket connection c0=" in caplog.text
        assert "LookupError: no such room" in caplog.text
        assert stored.get(connection) is None

    async def returns(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def waits(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()

    async def denies_with_200(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 200})
        await send({"type": "websocket.http.response.body"})

    async def begins_a_denial(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 401})

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("returns", "The application has neither accepted nor closed the connection."),
            ("waits", "The application has neither accepted nor closed the connection."),
            ("begins_a_denial", "The application has neither accepted nor closed the connection."),
            ("denies_with_200", "The application refuses a connection with the status 200."),
        ],
    )
    def test_an_application_that_decides_nothing_is_a_logged_500(
        self, name: str, error: str, api: FakeApi, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert self.answer_to(api, make(getattr(self, name)))["statusCode"] == 500
        assert error in caplog.text

    @pytest.mark.parametrize(
        ("messages", "error"),
        [
            ([text("early")], "sent 'websocket.send' before it accepted the connection"),
            ([ACCEPT, ACCEPT], "sent 'websocket.accept' after its response had begun"),
            ([{"type": "http.response.start"}], "sent 'http.response.start' before it accepted the connection"),
            ([ACCEPT, {"type": "websocket.http.response.start", "status": 401}], "after its response had begun"),
        ],
    )
    def test_messages_that_asgi_does_not_allow_are_errors(
        self, messages: list[Any], error: str, api: FakeApi, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)

        assert self.answer_to(api, make(app))["statusCode"] == 500
        assert error in caplog.text

    def test_what_is_sent_waits_in_the_store_for_the_first_message(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def welcome(scope: Any, receive: Any, send: Any) -> None:
            await send(text("one"))
            await send(text("two"))
            await send(text((await receive())["text"]))
            await receive()

        handler = make(websocket(welcome))
        connection, _ = api.connect(handler)
        assert api.requests == []
        api.message(handler, connection, "three")
        api.message(handler, connection, "four")
        assert api.received[connection] == ["one", "two", "three", "four"]

    def test_without_a_store_it_is_not_sent_and_a_warning_says_so(
        self, api: FakeApi, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def welcome(scope: Any, receive: Any, send: Any) -> None:
            await send(text("one"))
            await receive()

        assert self.answer_to(api, make(websocket(welcome))) == {"statusCode": 200}
        assert "CONNECT of the WebSocket connection c0=: the connection opens after the answer" in caplog.text

    @pytest.mark.parametrize("is_closed", [True, False])
    def test_a_connection_that_is_accepted_and_closed_is_refused(
        self, is_closed: bool, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if is_closed:
                await send({"type": "websocket.close"})

        assert self.answer_to(api, make(websocket(app)))["statusCode"] == 403

    def test_a_store_that_fails_refuses_the_connection(
        self, api: FakeApi, stored: MemoryStore, make: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_args: Any) -> None:
            raise WebSocketError("The table is gone.")

        monkeypatch.setattr(stored, "put", fail)
        assert self.answer_to(api, make(Echo()))["statusCode"] == 500
        assert "The table is gone." in caplog.text

    def test_a_store_that_is_no_store_is_an_error(
        self, api: FakeApi, make: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("BRIDGE_WEBSOCKET_STORE", "redis:6379")
        assert self.answer_to(api, make(Echo()))["statusCode"] == 500
        assert "BRIDGE_WEBSOCKET_STORE is 'redis:6379'; allowed is dynamodb:TABLE or module:attribute." in caplog.text

    def test_an_application_that_does_not_answer_in_time_is_a_504(
        self, api: FakeApi, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(30)

        _, payload = api.connect(make(app), Context(0.3))
        assert payload["statusCode"] == 504
        assert "The application waits here" in caplog.text


class TestMessage:
    def test_text_and_bytes(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        echo = Echo()
        handler = make(echo)
        connection, _ = api.connect(handler)
        for data in ("héllo 𝄞", "", b"bytes", b""):
            assert api.message(handler, connection, data) == {"statusCode": 200}
        assert [{**message, "type": ""} for message in echo.messages] == [
            {"type": "", "text": "héllo 𝄞"},
            {"type": "", "text": ""},
            {"type": "", "bytes": b"bytes"},
            {"type": "", "bytes": b""},
        ]
        assert api.received[connection] == ["héllo 𝄞", "", "bytes", ""]

    def test_what_is_sent_before_the_first_message_is_received_is_not_sent_again(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(text("welcome"))
            while (message := await receive())["type"] != "websocket.disconnect":
                await send(text(message["text"]))

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        for data in "ab":
            api.message(handler, connection, data)
        assert api.received[connection] == ["welcome", "a", "b"]

    def test_an_application_that_closes_the_connection_before_it_receives_closes_it(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["extensions"]["bridge.websocket"]["event"] == "MESSAGE":
                await send({"type": "websocket.close"})
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        assert api.received[connection] == [None]

    @pytest.mark.parametrize("is_closed", [True, False])
    def test_an_application_that_returns_closes_the_connection(
        self, is_closed: bool, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(text((await receive())["text"]))
            if is_closed:
                await send({"type": "websocket.close", "code": 4000})
                assert await receive() == {"type": "websocket.disconnect", "code": 4000, "reason": ""}
                with pytest.raises(GoneError):
                    await send(text("late"))

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "bye") == {"statusCode": 200}
        assert api.received[connection] == ["bye", None]

    def test_an_application_that_fails_is_logged_and_its_connection_closed(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            raise LookupError("no such room")

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "hello")["statusCode"] == 500
        assert "LookupError: no such room" in caplog.text
        assert api.received[connection] == [None]

    def test_an_error_of_the_endpoint_does_not_hide_that_of_the_application(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            raise LookupError("no such room")

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.failures += [403]
        assert api.message(handler, connection, "hello")["statusCode"] == 500
        assert "the connection cannot be closed." in caplog.text
        assert "LookupError: no such room" in str(caplog.records[-1].exc_text)

    def test_the_run_ends_with_a_cancellation_that_runs_finally_clauses_but_sends_nothing(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                while (message := await receive())["type"] != "websocket.disconnect":
                    await send(text(message["text"]))
                seen.append("disconnected")
            finally:
                seen.append("finally")
                await send(text("good bye"))
                await send({"type": "websocket.close"})

        handler = make(websocket(app))
        with caplog.at_level(logging.INFO):
            connection, _ = api.connect(handler)
            api.message(handler, connection, "hello")
        assert seen == ["finally", "finally"]
        assert api.received[connection] == ["hello"]
        assert caplog.records == []

    def test_an_application_that_fails_when_it_is_stopped_is_a_warning_and_the_connection_stays_open(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                await receive()
                await receive()
            finally:
                raise LookupError("no such room")

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert "the application failed when it was stopped." in caplog.text
        assert "LookupError: no such room" in caplog.text
        assert api.received[connection] == []

    def test_an_application_that_ignores_its_cancellation_receives_nothing_more(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            for _ in range(3):
                with contextlib.suppress(asyncio.CancelledError):
                    await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert api.received[connection] == []

    def test_an_application_that_cancels_itself_is_an_error(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            raise asyncio.CancelledError

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "hello")["statusCode"] == 500
        assert "The application cancelled its own task" in caplog.text

    def test_a_send_after_the_event_is_an_error_that_says_what_to_do(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        sockets: list[Any] = []
        errors: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if sockets:
                try:
                    await sockets[0](text("to another connection"))
                except WebSocketError as error:
                    errors.append(str(error))
            sockets.append(send)
            await receive()

        handler = make(websocket(app))
        api.connect(handler)
        api.connect(handler)
        (error,) = errors
        assert "after the event of the WebSocket connection c0= was over" in error
        assert "use bridge.websocket.send() or broadcast()" in error

    @pytest.mark.parametrize("data", ["x" * (WEBSOCKET_MESSAGE_LIMIT + 1), "é" * (WEBSOCKET_MESSAGE_LIMIT // 2 + 1)])
    def test_a_message_that_is_too_large_is_an_error_where_it_is_sent(
        self, data: str, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        errors: list[Exception] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            try:
                await send(text(data))
            except MessageTooLargeError as error:
                errors.append(error)
            await send(text(data[: WEBSOCKET_MESSAGE_LIMIT // 2]))
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        assert f"The message has {len(data.encode())} bytes; a WebSocket API takes at most 131072." in str(errors[0])
        assert api.received[connection] == [data[: WEBSOCKET_MESSAGE_LIMIT // 2]]

    def test_bytes_that_are_not_utf_8_are_an_error_where_they_are_sent(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        errors: list[Exception] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            try:
                await send({"type": "websocket.send", "bytes": b"\xff\xfe"})
            except WebSocketError as error:
                errors.append(error)
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        assert "Send them as text, such as base64." in str(errors[0])
        assert api.received[connection] == []

    @pytest.mark.parametrize("is_caught", [True, False])
    def test_a_connection_that_is_gone_is_a_disconnect(
        self, is_caught: bool, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            try:
                await send(text("hello"))
            except OSError:
                seen.append(await receive())
                if not is_caught:
                    raise
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.drop(connection)
        with caplog.at_level(logging.INFO):
            assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert seen == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]
        assert [record.levelname for record in caplog.records] == ([] if is_caught else ["INFO"])

    def test_an_endpoint_that_fails_is_an_error(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        handler = make(Echo())
        connection, _ = api.connect(handler)
        api.failures += [403]
        assert api.message(handler, connection, "hello")["statusCode"] == 500
        assert "execute-api:ManageConnections" in caplog.text

    def test_the_bridge_s_event_is_the_current_request(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        events: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            request = bridge.current_request()
            events.append((request and request.event["requestContext"]["eventType"], str(request)))
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        assert events == [
            ("CONNECT", "CONNECT of the WebSocket connection c0="),
            ("MESSAGE", "MESSAGE of the WebSocket connection c0="),
        ]


class TestDisconnect:
    @pytest.mark.parametrize(
        ("code", "reason", "expected"), [(1001, "away", (1001, "away")), (0, "", (1005, "")), (4321, "x", (4321, "x"))]
    )
    def test_the_application_receives_its_code(
        self, code: int, reason: str, expected: Any, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        echo = Echo()
        handler = make(echo)
        connection, _ = api.connect(handler)
        assert api.disconnect(handler, connection, code, reason) == {"statusCode": 200}
        assert echo.messages == [{"type": "websocket.disconnect", "code": expected[0], "reason": expected[1]}]

    def test_an_application_that_receives_again_and_again_ends(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        messages: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while True:
                messages.append((await receive())["type"])

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.disconnect(handler, connection) == {"statusCode": 200}
        assert messages == ["websocket.disconnect"]

    def test_the_store_forgets_the_connection_also_if_the_application_fails(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if (await receive())["type"] == "websocket.disconnect":
                raise LookupError("no such room")

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        stored.join("room", connection)
        assert api.disconnect(handler, connection)["statusCode"] == 500
        assert stored.get(connection) is None
        assert stored.members("room") == {}

    def test_what_the_application_sends_then_is_an_error_for_a_closed_connection(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(text("welcome"))
            if (await receive())["type"] == "websocket.disconnect":
                with pytest.raises(GoneError):
                    await send(text("good bye"))

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.disconnect(handler, connection) == {"statusCode": 200}
        assert api.requests == []


class TestTasks:
    def test_a_run_does_not_end_before_its_tasks_have(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        done: list[str] = []

        async def save() -> None:
            await asyncio.to_thread(lambda: None)
            await asyncio.get_running_loop().run_in_executor(None, done.append, "saved")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            task = asyncio.create_task(save())
            await receive()
            await task

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        assert done == ["saved"]

    def test_readers_and_writers_in_tasks_of_their_own_answer(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            queues: list[asyncio.Queue[str]] = [asyncio.Queue() for _ in range(12)]

            async def read() -> None:
                while (message := await receive())["type"] != "websocket.disconnect":
                    await queues[0].put(message["text"])

            async def pass_on(number: int) -> None:
                while True:
                    await queues[number + 1].put(await queues[number].get())

            async def write() -> None:
                while True:
                    await send(text(await queues[-1].get()))

            async with asyncio.TaskGroup() as group:
                for task in (read(), *map(pass_on, range(11)), write()):
                    group.create_task(task)

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        for data in "abc":
            assert api.message(handler, connection, data) == {"statusCode": 200}
        assert api.received[connection] == ["a", "b", "c"]

    def test_readers_and_writers_of_anyio_answer(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        import anyio

        async def app(scope: Any, receive: Any, send: Any) -> None:
            sender, receiver = anyio.create_memory_object_stream[str]()

            async def read() -> None:
                async with sender:
                    while (message := await receive())["type"] != "websocket.disconnect":
                        await sender.send(message["text"])

            async def write() -> None:
                async with receiver:
                    async for item in receiver:
                        await send(text(item))

            async with anyio.create_task_group() as group:
                group.start_soon(read)
                group.start_soon(write)

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        for data in "abc":
            assert api.message(handler, connection, data) == {"statusCode": 200}
        assert api.received[connection] == ["a", "b", "c"]
        assert api.disconnect(handler, connection) == {"statusCode": 200}

    @pytest.mark.slow
    def test_a_task_that_sleeps_is_cancelled_with_a_warning(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def ping() -> None:
                while True:
                    await asyncio.sleep(60)
                    await send(text("ping"))

            async with asyncio.TaskGroup() as group:
                group.create_task(ping(), name="ping")
                while True:
                    await receive()

        _, payload = api.connect(make(websocket(app)), Context(20))
        assert payload == {"statusCode": 200}
        assert "tasks of the application sleep (ping) and are cancelled" in caplog.text

    def test_a_heartbeat_delays_no_message_and_is_cancelled_with_one_warning(
        self,
        api: FakeApi,
        stored: MemoryStore,
        make: Any,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("bridge.websocket.asgi._SLEEP_SECONDS", 600.0)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def ping() -> None:
                while True:
                    await asyncio.sleep(3600)
                    await send(text("ping"))

            await receive()
            await send(ACCEPT)
            heartbeat = asyncio.create_task(ping())
            while (message := await receive())["type"] == "websocket.receive":
                await send(text(message["text"]))
            heartbeat.cancel()

        handler = make(app)
        connection, _ = api.connect(handler)
        caplog.clear()
        assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert api.received[connection] == ["hello"]
        assert caplog.text.count("and are cancelled") == 1

    def test_an_application_that_sends_to_a_client_that_has_gone_fails_quietly(
        self, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(ACCEPT)
            await receive()
            await send({"type": "websocket.close", "code": 1011})  # as Litestar does after WebSocketDisconnect

        handler = make(app)
        connection, _ = api.connect(handler)
        assert api.disconnect(handler, connection) == {"statusCode": 200}
        assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


class TestSession:
    def test_it_is_kept_between_messages(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            session = scope["extensions"]["bridge.websocket"]["session"]
            session.setdefault("log", ["connected"])
            while (message := await receive())["type"] != "websocket.disconnect":
                session["log"].append(message["text"])
                await send(text(json.dumps(session)))

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        for data in "ab":
            api.message(handler, connection, data)
        assert api.received[connection][-1] == '{"log": ["connected", "a", "b"]}'
        item = stored.get(connection)
        assert item is not None
        assert item["session"] == {"log": ["connected", "a", "b"]}

    def test_a_message_that_changes_nothing_writes_nothing(self, api: FakeApi, stored: MemoryStore, make: Any) -> None:
        handler = make(Echo())
        connection, _ = api.connect(handler)
        api.message(handler, connection, "hello")
        item = stored.get(connection)
        assert item is not None
        assert item["version"] == 1

    @pytest.mark.parametrize("value", [object(), {1: {2}}])
    def test_a_value_that_is_not_json_is_an_error(
        self, value: Any, api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            scope["extensions"]["bridge.websocket"]["session"]["value"] = value
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "hello")["statusCode"] == 500
        assert "The session of a WebSocket connection takes JSON values only" in caplog.text

    @pytest.mark.parametrize(
        ("mine", "theirs", "expected"),
        [
            ({"a": 1}, {"b": 2}, {"base": 0, "a": 1, "b": 2}),
            ({"base": None}, {"b": 2}, {"b": 2}),
            ({"base": 1}, {"base": 2}, None),
            ({"base": 1}, {"base": 1}, None),
        ],
    )
    def test_two_messages_at_once_lose_nothing_of_each_other(
        self, mine: Any, theirs: Any, expected: Any, api: FakeApi, stored: MemoryStore, make: Any, caplog: Any
    ) -> None:
        def change(session: dict[str, Any], changes: dict[str, Any]) -> None:
            for key, value in changes.items():
                if value is None:
                    del session[key]
                else:
                    session[key] = value

        async def app(scope: Any, receive: Any, send: Any) -> None:
            session = scope["extensions"]["bridge.websocket"]["session"]
            session.setdefault("base", 0)
            if (await receive())["type"] == "websocket.receive":
                item = stored.get(connection)  # another message is handled meanwhile
                assert item is not None
                change(item["session"], theirs)
                stored.put(connection, item, item["version"])
                change(session, mine)
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        payload = api.message(handler, connection, "hello")
        item = stored.get(connection)
        assert item is not None
        if expected is None:
            assert payload["statusCode"] == 500
            assert "were handled at once and changed base of its session" in caplog.text
            assert item["session"] == theirs
        else:
            assert payload == {"statusCode": 200}
            assert item["session"] == expected
        assert None not in api.received[connection]

    def test_a_store_that_fails_is_an_error_and_the_connection_stays_open(
        self, api: FakeApi, stored: MemoryStore, make: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_args: Any) -> None:
            raise WebSocketError("The table is gone.")

        echo = Echo()
        handler = make(echo)
        connection, _ = api.connect(handler)
        monkeypatch.setattr(stored, "get", fail)
        assert api.message(handler, connection, "hello")["statusCode"] == 500
        assert "The table is gone." in caplog.text
        assert echo.messages == []
        assert api.received[connection] == []

    def test_a_session_of_a_connection_that_was_closed_meanwhile_is_not_stored(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            stored.delete(connection)
            scope["extensions"]["bridge.websocket"]["session"]["a"] = 1
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert stored.get(connection) is None


class TestKept:
    def test_it_is_sent_once_although_two_first_messages_come_at_once(
        self, api: FakeApi, stored: MemoryStore, make: Any, monkeypatch: Any
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(text("welcome"))
            await send(text((await receive())["text"]))
            await receive()

        handler = make(websocket(app))
        connection, _ = api.connect(handler)
        get = stored.get

        def get_and_let_another_message_claim(connection_id: str) -> Any:
            monkeypatch.setattr(stored, "get", get)
            item = get(connection_id)
            api.message(make(websocket(app)), connection_id, "first")
            return item

        monkeypatch.setattr(stored, "get", get_and_let_another_message_claim)
        api.message(handler, connection, "second")
        assert api.received[connection] == ["welcome", "first", "second"]

    def test_a_connection_that_is_gone_before_it_is_sent_is_left_alone(
        self, api: FakeApi, stored: MemoryStore, make: Any
    ) -> None:
        echo = Echo()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def accept_and_send(message: Any) -> None:
                await send(message)
                if message == ACCEPT:
                    await send(text("welcome"))

            await echo(scope, receive, accept_and_send)

        handler = make(app)
        connection, _ = api.connect(handler)
        api.drop(connection)
        assert api.message(handler, connection, "hello") == {"statusCode": 200}
        assert echo.messages == []


def test_the_store_is_made_at_startup(stored: MemoryStore, make: Any) -> None:
    handler = make(Echo())
    assert store._store_named.cache_info().currsize == 0
    handler.startup()
    assert store._store_named.cache_info().currsize == 1


def test_an_http_only_application_refuses_websockets(
    api: FakeApi, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
) -> None:
    from fastapi import FastAPI

    assert api.connect(make_handler(FastAPI()))[1]["statusCode"] == 403


async def test_events_are_answered_on_a_running_loop(api: FakeApi, stored: MemoryStore, make: Any) -> None:
    handler = make(Echo())
    assert await handler.answer(event("CONNECT")) == {"statusCode": 200}
    api.open("c0=")
    await asyncio.gather(*(handler.answer(event("MESSAGE", body=data)) for data in "abc"))
    assert sorted(map(str, api.received["c0="])) == ["a", "b", "c"]
    await handler.asgi.close_here()


def test_an_interface_error_of_a_message_closes_the_connection(
    api: FakeApi, stored: MemoryStore, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        with pytest.raises(InterfaceError):
            await send({"type": "http.response.start"})
        await send({"type": "http.response.start"})

    handler = make(websocket(app))
    connection, _ = api.connect(handler)
    assert api.message(handler, connection, "hello")["statusCode"] == 500
    assert "sent 'http.response.start'" in caplog.text
