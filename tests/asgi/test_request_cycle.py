"""ASGI 3: connection scope and messages of one request, in the order that the specification allows."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.asgi.applications import BODY, START, sending
from tests.helpers import body_of, event, get

if TYPE_CHECKING:
    from tests.conftest import MakeHandler

App = Callable[[Any, Any, Any], Awaitable[None]]


def failed(make_handler: MakeHandler, app: App, caplog: pytest.LogCaptureFixture) -> str:
    """The log of an application whose request is answered with a plain 500."""
    with caplog.at_level(logging.ERROR):
        assert get(make_handler(app)) == (500, b"Internal Server Error")
    [record] = caplog.records
    assert record.name == "bridge"
    assert record.exc_info is not None
    return caplog.text


class TestReceive:
    def test_the_request_is_received_once_and_whole(self, make_handler: MakeHandler) -> None:
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(await receive())
            await send(START)
            await send(BODY)

        make_handler(app, lifespan="off")(event(method="POST", body="a=1"), None)
        assert seen == [{"type": "http.request", "body": b"a=1", "more_body": False}]

    def test_a_second_receive_waits_until_the_response_is_complete(self, make_handler: MakeHandler) -> None:
        order: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def listen() -> None:
                order.append((await receive())["type"])
                order.append((await receive())["type"])

            listener = asyncio.create_task(listen())
            await asyncio.sleep(0.01)
            order.append("start")
            await send(START)
            await send({**BODY, "more_body": True})
            await asyncio.sleep(0.01)
            order.append("complete")
            await send(BODY)
            await listener

        assert get(make_handler(app, lifespan="off")) == (200, b"finefine")
        assert order == ["http.request", "start", "complete", "http.disconnect"]

    def test_every_receive_after_the_response_returns_disconnect(self, make_handler: MakeHandler) -> None:
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(BODY)
            seen.extend([await receive(), await receive(), await receive()])

        assert get(make_handler(app, lifespan="off")) == (200, b"fine")
        assert [message["type"] for message in seen] == ["http.request", "http.disconnect", "http.disconnect"]

    def test_several_tasks_may_receive_and_one_of_them_may_be_cancelled(self, make_handler: MakeHandler) -> None:
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            waiting = [asyncio.create_task(receive()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await send(START)
            await send(BODY)
            seen.extend(await asyncio.gather(*waiting, return_exceptions=True))

        assert get(make_handler(app, lifespan="off")) == (200, b"fine")
        assert isinstance(seen[0], asyncio.CancelledError)
        assert seen[1:] == [{"type": "http.disconnect"}] * 2

    def test_a_listener_of_an_application_that_failed_receives_disconnect(self, make_handler: MakeHandler) -> None:
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()

            async def listen() -> None:
                seen.append(await receive())

            scope["listener"] = asyncio.create_task(listen())
            await asyncio.sleep(0)
            raise ValueError

        assert get(make_handler(app, lifespan="off"))[0] == 500
        assert seen == [{"type": "http.disconnect"}]


class TestSend:
    @pytest.mark.parametrize("body", [b"fine", bytearray(b"fine"), memoryview(b"fine")])
    @pytest.mark.parametrize("more", [True, False])
    def test_a_body_may_be_of_any_bytes_type(self, make_handler: MakeHandler, body: Any, more: bool) -> None:
        messages = [{"type": "http.response.body", "body": body, "more_body": more}]
        if more:
            messages.append({"type": "http.response.body"})
        assert get(make_handler(sending(START, *messages))) == (200, b"fine")

    def test_a_reused_buffer_is_copied(self, make_handler: MakeHandler) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            buffer = bytearray(1)
            for letter in b"abc":
                buffer[0] = letter
                await send({"type": "http.response.body", "body": memoryview(buffer), "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        assert get(make_handler(app, lifespan="off")) == (200, b"abc")

    @pytest.mark.parametrize(
        "headers",
        [
            [(b"x-a", b"1"), (b"x-b", b"2")],
            [[b"x-a", b"1"], [b"x-b", b"2"]],
            ((b"x-a", b"1"), (b"x-b", b"2")),
            iter([(b"x-a", b"1"), (b"x-b", b"2")]),
            [(bytearray(b"x-a"), memoryview(b"1")), (b"x-b", b"2")],
            {b"x-a": b"1", b"x-b": b"2"}.items(),
        ],
    )
    def test_headers_may_be_any_iterable_of_pairs(self, make_handler: MakeHandler, headers: Any) -> None:
        payload = make_handler(sending({**START, "headers": headers}, BODY))(event(), None)
        assert payload["headers"] == {"x-a": "1", "x-b": "2"}

    def test_headers_body_and_more_body_are_optional(self, make_handler: MakeHandler) -> None:
        payload = make_handler(sending({"type": "http.response.start", "status": 204}, {"type": "http.response.body"}))(
            event(), None
        )
        assert (payload["statusCode"], payload["headers"], payload["body"]) == (204, {}, "")

    @pytest.mark.parametrize(
        "headers", [[("x-a", "1")], [(b"x-a", "1")], [(b"x-a", 5)], [(b"x-a", 0)], [(b"x-a", None)], [b"x-a"], None]
    )
    def test_headers_that_are_not_bytes_are_an_error(
        self, make_handler: MakeHandler, headers: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        failed(make_handler, sending({**START, "headers": headers}, BODY), caplog)

    @pytest.mark.parametrize("body", ["text", 5, [b"a"]])
    @pytest.mark.parametrize("more", [True, False])
    def test_a_body_that_is_not_bytes_is_an_error_where_it_is_sent(
        self, make_handler: MakeHandler, body: Any, more: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = sending(START, {"type": "http.response.body", "body": body, "more_body": more}, BODY)
        assert f"{type(body).__name__}, not bytes" in failed(make_handler, app, caplog)

    @pytest.mark.parametrize("status", ["200", 99, 1000, None, 200.0, True])
    def test_an_invalid_status_is_an_error(
        self, make_handler: MakeHandler, status: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert repr(status) in failed(make_handler, sending({**START, "status": status}, BODY), caplog)

    def test_an_http_status_of_the_standard_library_is_an_integer_in_the_payload(
        self, make_handler: MakeHandler
    ) -> None:
        payload = make_handler(sending({**START, "status": http.HTTPStatus.ACCEPTED}, BODY))(event(), None)
        assert type(payload["statusCode"]) is int

    @pytest.mark.parametrize("value", [b"a\r\nset-cookie: stolen=1", b"a\nb", b"a\0b"])
    def test_a_header_with_a_line_break_is_an_error(
        self, make_handler: MakeHandler, value: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert "line break" in failed(make_handler, sending({**START, "headers": [(b"x-a", value)]}, BODY), caplog)

    @pytest.mark.parametrize(("value", "text"), [("café".encode(), "café"), (b"caf\xe9", "café")])
    def test_header_values_beyond_ascii_are_decoded(self, make_handler: MakeHandler, value: bytes, text: str) -> None:
        payload = make_handler(sending({**START, "headers": [(b"x-a", value)]}, BODY))(event(), None)
        assert payload["headers"] == {"x-a": text}


class TestOrder:
    @pytest.mark.parametrize(
        ("messages", "problem"),
        [
            ([BODY], "before http.response.start"),
            ([START, START], "while the body is being sent"),
            ([START, {**BODY, "more_body": True}, START], "while the body is being sent"),
            ([START, {"type": "http.response.trailers"}], "http.response.trailers"),
            ([{"type": "websocket.accept"}], "websocket.accept"),
            ([], "without a response"),
            ([START], "the last part"),
            ([START, {**BODY, "more_body": True}], "the last part"),
        ],
    )
    def test_messages_that_asgi_does_not_allow_are_a_logged_500(
        self, make_handler: MakeHandler, messages: list[Any], problem: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert problem in failed(make_handler, sending(*messages), caplog)

    @pytest.mark.parametrize("extra", [START, BODY, {"type": "http.response.body", "body": b"", "more_body": False}])
    def test_a_message_after_the_response_is_logged_and_the_response_stands(
        self, make_handler: MakeHandler, extra: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            assert get(make_handler(sending(START, BODY, extra))) == (200, b"fine")
        assert "after the response was complete" in caplog.text

    def test_an_application_may_recover_from_the_error_of_a_message(self, make_handler: MakeHandler) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            with pytest.raises(TypeError):
                await send(BODY)
            await send(START)
            await send(BODY)

        assert get(make_handler(app, lifespan="off")) == (200, b"fine")

    @pytest.mark.parametrize("message", [{}, {"type": None}, {"status": 200}, None, "http.response.start"])
    def test_an_invalid_message_is_an_error(
        self, make_handler: MakeHandler, message: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        failed(make_handler, sending(message), caplog)


class TestErrors:
    @pytest.mark.parametrize("before", [[], [START], [START, {**BODY, "more_body": True}]])
    def test_an_exception_before_the_response_is_complete_is_a_plain_500(
        self, make_handler: MakeHandler, before: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        text = failed(make_handler, sending(*before, ValueError("no database")), caplog)
        assert "no database" in text
        assert "Traceback" in text

    def test_an_exception_after_it_is_logged_and_the_response_stands(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            assert get(make_handler(sending(START, BODY, ValueError("too late")))) == (200, b"fine")
        assert "too late" in caplog.text

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("before", [[], [START], [START, BODY]])
    def test_exceptions_that_are_not_of_the_class_exception_pass(
        self, make_handler: MakeHandler, error: type[BaseException], before: list[Any]
    ) -> None:
        handler = make_handler(sending(*before, error()))
        for _ in range(2):  # the loop still works
            with pytest.raises(error):
                get(handler)

    def test_an_exception_group_is_a_logged_500(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(10))
                raise ValueError("of the group")

        with caplog.at_level(logging.ERROR):
            assert get(make_handler(app, lifespan="off"))[0] == 500
        assert "of the group" in caplog.text

    def test_an_application_may_return_any_awaitable(self, make_handler: MakeHandler) -> None:
        class Awaits:
            def __init__(self, coroutine: Any) -> None:
                self._coroutine = coroutine

            def __await__(self) -> Any:
                return self._coroutine.__await__()

        def app(scope: Any, receive: Any, send: Any) -> Any:
            return Awaits(sending(START, BODY)(scope, receive, send))

        assert get(make_handler(app, lifespan="off")) == (200, b"fine")


class TestScope:
    def scope(self, make_handler: MakeHandler, **options: Any) -> Any:
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope)
            await send(START)
            await send(BODY)

        make_handler(app, lifespan="off")(event(**options), "the context")
        return seen[0]

    def test_it_has_the_keys_and_types_of_the_specification(self, make_handler: MakeHandler) -> None:
        scope = self.scope(make_handler, path="/caf%C3%A9", headers={"X-Mixed": "Caf\xe9", "Cookie": "a=1"})
        assert type(scope) is dict
        assert scope["type"] == "http"
        assert scope["asgi"]["version"] == "3.0"
        assert scope["asgi"]["spec_version"] >= "2.3"
        assert (scope["http_version"], scope["method"], scope["scheme"]) == ("1.1", "GET", "https")
        assert (scope["path"], scope["raw_path"]) == ("/café", b"/caf%C3%A9")
        assert (scope["query_string"], scope["root_path"]) == (b"", "")
        assert scope["server"] == ("shop.example", 443)
        assert scope["client"] == ("203.0.113.7", 0)
        for name, value in scope["headers"]:
            assert type(name) is bytes
            assert type(value) is bytes
            assert name == name.lower()
        assert (b"x-mixed", "Caf\xe9".encode()) in scope["headers"]

    def test_it_contains_event_and_context(self, make_handler: MakeHandler) -> None:
        scope = self.scope(make_handler)
        assert scope["aws.event"] == event()
        assert scope["aws.context"] == "the context"

    def test_without_a_lifespan_there_is_no_state(self, make_handler: MakeHandler) -> None:
        assert "state" not in self.scope(make_handler)

    def test_each_request_has_its_own(self, make_handler: MakeHandler) -> None:
        scopes = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scopes.append([set(scope), dict(scope["asgi"]), list(scope["headers"])])
            scope["left"] = "behind"
            scope["headers"].append((b"left", b"behind"))
            scope["asgi"]["left"] = "behind"
            await send(START)
            await send(BODY)

        handler = make_handler(app, lifespan="off")
        get(handler)
        get(handler)
        assert scopes[0] == scopes[1]

    @pytest.mark.parametrize(("body", "length"), [("", []), ("a=1", [b"3"])])
    def test_the_content_length_is_that_of_the_body(
        self, make_handler: MakeHandler, body: str, length: list[bytes]
    ) -> None:
        scope = self.scope(make_handler, method="POST", body=body)
        assert [value for name, value in scope["headers"] if name == b"content-length"] == length

    def test_a_false_content_length_is_replaced(self, make_handler: MakeHandler) -> None:
        scope = self.scope(make_handler, headers={"Content-Length": "999", "Transfer-Encoding": "chunked"}, body="a=1")
        headers = dict(scope["headers"])
        assert headers[b"content-length"] == b"3"
        assert b"transfer-encoding" not in headers

    def test_a_path_that_is_not_utf_8_is_complete_in_the_raw_path(self, make_handler: MakeHandler) -> None:
        scope = self.scope(make_handler, path="/%FF%2F")
        assert scope["raw_path"] == b"/%FF%2F"
        assert scope["path"] == "/�/"


def test_a_binary_body_is_base64_in_the_payload(make_handler: MakeHandler) -> None:
    payload = make_handler(sending(START, {**BODY, "body": b"\xff"}))(event(), None)
    assert body_of(payload) == b"\xff"
    assert set(payload) == {"statusCode", "headers", "body", "isBase64Encoded"}
