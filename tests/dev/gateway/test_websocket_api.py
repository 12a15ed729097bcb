"""The WebSocket API, with a client that is a library of its own."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.frames import Frame, Opcode

from bridge import limits
from bridge.dev.gateway.websocket_api import WebSocketApi
from bridge.dev.gateway.websocket_events import select_route
from tests.dev.gateway.websocket_server import Events, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection


async def _received(client: ClientConnection) -> Any:
    return await asyncio.wait_for(client.recv(), 10)


async def _closed(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason with which the server closes the connection."""
    with pytest.raises(ConnectionClosed) as caught:
        await _received(client)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_a_connect_event_has_the_headers_and_the_query() -> None:
    events = Events()
    async with serving(events, stage="prod") as server:
        url = f"{server.url}/prod?room=tea&tag=a&tag=b%20c"
        async with connect(url, additional_headers={"Cookie": "id=1", "X-Tea": "sencha"}, user_agent_header="test"):
            pass
    (event,) = events.of("CONNECT")
    assert event["headers"]["Cookie"] == "id=1"
    assert event["multiValueHeaders"]["X-Tea"] == ["sencha"]
    assert event["headers"]["Sec-WebSocket-Version"] == "13"
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert event["headers"]["X-Forwarded-Proto"] == "http"
    assert event["headers"]["Host"] == server.url.removeprefix("ws://")
    assert not {"connection", "upgrade"} & {name.lower() for name in event["headers"]}
    assert event["queryStringParameters"] == {"room": "tea", "tag": "b c"}
    assert event["multiValueQueryStringParameters"] == {"room": ["tea"], "tag": ["a", "b c"]}
    assert event["isBase64Encoded"] is False
    assert "body" not in event
    assert "path" not in event
    context = event["requestContext"]
    assert (context["eventType"], context["routeKey"]) == ("CONNECT", "$connect")
    assert (context["stage"], context["apiId"], context["messageDirection"]) == ("prod", "bridge", "IN")
    assert context["identity"] == {"userAgent": "test", "sourceIp": "127.0.0.1"}
    assert context["domainName"] == "bridge.execute-api." + server.url.removeprefix("ws://")
    assert re.fullmatch(r"[\w-]{15}=", context["connectionId"])
    assert context["requestId"] == context["extendedRequestId"]
    assert context["connectedAt"] <= context["requestTimeEpoch"]
    assert re.fullmatch(r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000", context["requestTime"])


async def test_a_connect_event_without_a_query_has_no_parameters() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url):
        pass
    assert "queryStringParameters" not in events.of("CONNECT")[0]
    assert "multiValueQueryStringParameters" not in events.of("CONNECT")[0]


async def test_a_message_has_its_body_and_no_headers() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        await client.send("täe")
        event = await events.wait_for("MESSAGE")
    assert sorted(event) == ["body", "isBase64Encoded", "requestContext"]
    assert (event["body"], event["isBase64Encoded"]) == ("täe", False)
    context, connected = event["requestContext"], events.of("CONNECT")[0]["requestContext"]
    assert (context["eventType"], context["routeKey"]) == ("MESSAGE", "$default")
    assert context["messageId"] != context["requestId"]
    for name in ("connectionId", "connectedAt", "identity", "domainName", "stage", "apiId"):
        assert context[name] == connected[name]
    assert context["requestId"] != connected["requestId"]


@pytest.mark.parametrize(
    ("close", "code", "reason"),
    [
        ((1000, "bye"), 1000, "bye"),
        ((3001, ""), 3001, ""),
        ((1001, ""), 1001, "Going away"),
        (None, 1006, ""),
    ],
    ids=["normal", "own", "away", "abnormal"],
)
async def test_a_disconnect_event_has_code_and_reason(close: Any, code: int, reason: str) -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        if close is None:
            client.transport.abort()
        else:
            await client.close(*close)
        event = await events.wait_for("DISCONNECT")
    context = event["requestContext"]
    assert (context["eventType"], context["routeKey"]) == ("DISCONNECT", "$disconnect")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (code, reason)
    host = server.url.removeprefix("ws://")
    assert context["domainName"] == host
    assert event["headers"] == {"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    assert "body" not in event


async def test_a_client_that_closes_without_a_code_is_1005() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        client.protocol.send_close()
        client.send_data()
        event = await events.wait_for("DISCONNECT")
    assert event["requestContext"]["disconnectStatusCode"] == 1005


# --- the answer to the connect event


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_another_status_than_200_refuses_the_handshake(status: int) -> None:
    events = Events(lambda event: {"statusCode": status, "body": "no tea", "headers": {"Content-Type": "text/x-tea"}})
    async with serving(events) as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url)
        assert caught.value.response.status_code == status
        assert caught.value.response.body == b"no tea"
        assert caught.value.response.headers.get_all("content-type")[-1] == "text/x-tea"  # old uvicorns add another
    assert len(events.all) == 1  # no $disconnect
    assert [record.answer.status for record in server.records] == [status]


@pytest.mark.parametrize(
    "answer",
    [lambda event: 1 / 0, lambda event: {"body": "no status"}, lambda event: "text", lambda event: {"statusCode": 99}],
    ids=["raises", "no status", "text", "bad status"],
)
async def test_a_failed_connect_event_refuses_with_502(answer: Callable[[Any], Any]) -> None:
    events = Events(answer)
    async with serving(events) as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url)
    assert caught.value.response.status_code == 502
    context = events.all[0]["requestContext"]
    assert json.loads(caught.value.response.body or b"") == {
        "message": "Internal server error",
        "connectionId": context["connectionId"],
        "requestId": context["requestId"],
    }


async def test_a_connect_event_that_is_answered_too_late_refuses_with_504() -> None:
    async with serving(Events(lambda event: asyncio.sleep(60)), timeout=0.05) as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url)
    assert caught.value.response.status_code == 504
    assert json.loads(caught.value.response.body or b"")["message"] == "Endpoint request timed out"


@pytest.mark.parametrize(
    ("options", "path"), [({}, "/chat"), ({"stage": "prod"}, "/"), ({"stage": "prod"}, "/product"), ({}, "//")]
)
async def test_an_address_that_is_not_the_stage_is_refused(
    options: dict[str, str], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = Events()
    async with serving(events, **options) as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url + path)
    assert caught.value.response.status_code == 403
    assert json.loads(caught.value.response.body or b"")["message"] == "Forbidden"
    assert events.all == []
    assert "stage" in caplog.text


@pytest.mark.parametrize("options", [{"stage": "prod"}, {"base_path": "/prod"}], ids=["stage", "base path"])
@pytest.mark.parametrize("path", ["/prod", "/prod/", "/prod?x=1"])
async def test_the_address_is_the_stage_or_the_base_path(options: dict[str, str], path: str) -> None:
    events = Events()
    async with serving(events, **options) as server, connect(server.url + path):
        pass
    assert events.of("CONNECT")[0]["requestContext"]["stage"] == ("prod" if "stage" in options else "local")


async def test_the_subprotocol_is_that_of_the_answer() -> None:
    events = Events(lambda event: {"statusCode": 200, "headers": {"sec-websocket-protocol": "mqtt", "X-Tea": "1"}})
    async with serving(events) as server, connect(server.url, subprotocols=["stomp", "mqtt"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "mqtt"
        assert client.response is not None
        assert "x-tea" not in client.response.headers  # API Gateway takes no other headers
    assert events.of("CONNECT")[0]["headers"]["Sec-WebSocket-Protocol"] == "stomp, mqtt"


async def test_without_a_subprotocol_in_the_answer_there_is_none() -> None:
    async with serving(Events()) as server, connect(server.url) as client:
        assert client.subprotocol is None


async def test_no_extension_is_agreed_on() -> None:
    async with serving(Events()) as server, connect(server.url) as client:
        assert client.response is not None
        assert "sec-websocket-extensions" not in client.response.headers


# --- messages


@pytest.mark.parametrize(
    ("answer", "message"),
    [(lambda: 1 / 0, "Internal server error"), (lambda: asyncio.sleep(60), "Endpoint request timed out")],
    ids=["fails", "late"],
)
async def test_a_message_whose_function_fails_is_answered_by_the_api(answer: Callable[[], Any], message: str) -> None:
    events = Events(lambda event: answer() if event["requestContext"]["eventType"] == "MESSAGE" else None)
    async with serving(events, timeout=0.3) as server, connect(server.url) as client:
        await client.send("tea")
        content = json.loads(await _received(client))
        context = events.of("MESSAGE")[0]["requestContext"]
        assert content == {
            "message": message,
            "connectionId": context["connectionId"],
            "requestId": context["requestId"],
        }
        await client.ping()  # the connection is still open
        await client.send("more")
        await events.wait_for("MESSAGE", 2)


async def test_what_the_function_of_a_message_returns_is_not_sent() -> None:
    events = Events(lambda event: {"statusCode": 500, "body": "not sent"})
    events._answer = lambda event: 200 if len(events.all) == 1 else {"statusCode": 500, "body": "not sent"}
    async with serving(events) as server, connect(server.url) as client:
        await client.send("tea")
        await events.wait_for("MESSAGE")
        connection_id = events.all[0]["requestContext"]["connectionId"]
        assert (await server.request("POST", connection_id, "sent")).status_code == 200
        assert await _received(client) == "sent"


async def test_messages_of_a_connection_are_handled_at_once() -> None:
    both = asyncio.Barrier(2)

    async def wait(event: Any) -> None:
        if event["requestContext"]["eventType"] == "MESSAGE":
            await both.wait()

    events = Events(wait)
    async with serving(events) as server, connect(server.url) as client:
        await client.send("1")
        await client.send("2")
        await events.wait_for("MESSAGE", 2)
        async with asyncio.timeout(10):
            while len(server.records) < 3:
                await asyncio.sleep(0.005)
    assert [record.answer.status for record in server.records if record.request.method == "MESSAGE"] == [200, 200]


ROUTES = ["$connect", "$default", "$disconnect", "join", "chat/send", "7", "true"]


@pytest.mark.parametrize(
    ("expression", "body", "route"),
    [
        ("$request.body.action", '{"action": "join"}', "join"),
        ("$request.body.action", '{"action": "leave"}', "$default"),
        ("$request.body.action", '{"action": ["join"]}', "$default"),
        ("$request.body.action", '{"action": 7}', "7"),
        ("$request.body.action", "join", "$default"),
        ("$request.body.action", '["join"]', "$default"),
        ("$request.body.action", "", "$default"),
        ("$request.body.action", '{"action": "$connect"}', "$default"),
        ("$request.body.data.action", '{"data": {"action": "join"}}', "join"),
        ("$request.body.data.action", '{"data": "action"}', "$default"),
        ("${request.body.service}/${request.body.action}", '{"service": "chat", "action": "send"}', "chat/send"),
    ],
)
def test_the_route_selection_expression_selects_a_route(expression: str, body: str, route: str) -> None:
    assert select_route(ROUTES, expression, body) == route


def test_without_a_default_route_no_route_may_match() -> None:
    assert select_route(["join"], "$request.body.action", '{"action": "leave"}') is None


async def test_each_route_has_its_function() -> None:
    main, join = Events(), Events()
    routes = {"$connect": "main", "join": "join"}
    async with serving({"main": main, "join": join}, routes=routes) as server, connect(server.url) as client:
        await client.send('{"action": "join"}')
        event = await join.wait_for("MESSAGE")
        assert event["requestContext"]["routeKey"] == "join"
        await client.send('{"action": "leave"}')
        assert json.loads(await _received(client))["message"] == "Forbidden"
    assert [len(main.all), len(join.all)] == [1, 1]


async def test_an_api_without_a_connect_route_accepts_every_client() -> None:
    events = Events()
    async with serving(events, routes={"$default": "bridge"}) as server, connect(server.url) as client:
        await client.send("tea")
        await events.wait_for("MESSAGE")
    assert len(events.all) == 1


# --- the endpoint


async def test_a_posted_message_is_a_text_frame() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        connection_id = events.all[0]["requestContext"]["connectionId"]
        answer = await server.request("POST", connection_id, "grüner tea")
        assert (answer.status_code, answer.content) == (200, b"")
        assert await _received(client) == "grüner tea"
        await server.request("POST", connection_id, b"\xff\xfe")
        assert await _received(client) == "\ufffd\ufffd"
        await server.request("POST", connection_id, "x" * limits.WEBSOCKET_MESSAGE_LIMIT)
        assert len(await _received(client)) == limits.WEBSOCKET_MESSAGE_LIMIT


@pytest.mark.parametrize("size", [limits.WEBSOCKET_MESSAGE_LIMIT + 1, 2_000_000])
async def test_a_posted_message_above_the_limit_is_413(size: int) -> None:
    events = Events()
    async with serving(events) as server, connect(server.url):
        connection_id = events.all[0]["requestContext"]["connectionId"]
        answer = await server.request("POST", connection_id, "x" * size)
    assert answer.status_code == 413
    assert answer.headers["x-amzn-errortype"] == "PayloadTooLargeException"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_connection_that_is_gone_is_410(method: str) -> None:
    events = Events()
    async with serving(events) as server:
        async with connect(server.url):
            pass
        await events.wait_for("DISCONNECT")
        answer = await server.request(method, events.all[0]["requestContext"]["connectionId"])
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (410, "GoneException")
        assert (await server.request(method, "unknown=")).status_code == 410


async def test_a_connection_whose_connect_event_is_not_answered_is_410() -> None:
    statuses: list[int] = []

    async def post(event: Any) -> None:
        answer = await server.request("POST", event["requestContext"]["connectionId"], "early")
        statuses.append(answer.status_code)

    async with serving(Events(post)) as server, connect(server.url):
        assert statuses == [410]


async def test_a_connection_is_described() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url, user_agent_header="test"):
        answer = await server.request("GET", events.all[0]["requestContext"]["connectionId"])
    content = answer.json()
    assert content["identity"] == {"userAgent": "test", "sourceIp": "127.0.0.1"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", content["connectedAt"])
    assert content["connectedAt"] <= content["lastActiveAt"]


async def test_a_deleted_connection_is_closed_after_what_was_sent() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        connection_id = events.all[0]["requestContext"]["connectionId"]
        await server.request("POST", connection_id, "bye")
        assert (await server.request("DELETE", connection_id)).status_code == 204
        assert await _received(client) == "bye"
        assert await _closed(client) == (1000, "Connection Closed Normally")
        event = await events.wait_for("DISCONNECT")
        assert event["requestContext"]["disconnectStatusCode"] == 1000
        assert (await server.request("POST", connection_id, "late")).status_code == 410


async def test_web_pages_and_other_paths_are_refused() -> None:
    events = Events()
    async with serving(events, stage="prod") as server, connect(f"{server.url}/prod"):
        connection_id = events.all[0]["requestContext"]["connectionId"]
        answer = await server.request("POST", connection_id, "tea", origin="http://evil.example")
        assert answer.status_code == 403
        assert (await server.request("POST", f"../../other/@connections/{connection_id}", "tea")).status_code == 403


async def test_code_that_blocks_the_event_loop_can_send() -> None:
    import urllib.request

    def post(event: Any) -> None:
        if event["requestContext"]["eventType"] == "MESSAGE":
            url = f"{server.api.endpoint_url}/@connections/{event['requestContext']['connectionId']}"
            with urllib.request.urlopen(urllib.request.Request(url, b"sent", method="POST"), timeout=10) as answer:
                assert answer.status == 200

    async with serving(Events(post)) as server, connect(server.url) as client:
        await client.send("tea")
        assert await _received(client) == "sent"


async def test_the_client_of_aws_sends_closes_and_describes() -> None:
    import boto3

    events = Events()
    async with serving(events, stage="prod") as server, connect(f"{server.url}/prod") as client:
        connection_id = events.all[0]["requestContext"]["connectionId"]
        aws = boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=server.api.endpoint_url,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        await asyncio.to_thread(aws.post_to_connection, ConnectionId=connection_id, Data=b"tea")
        assert await _received(client) == "tea"
        described = await asyncio.to_thread(aws.get_connection, ConnectionId=connection_id)
        assert described["Identity"]["SourceIp"] == "127.0.0.1"
        with pytest.raises(aws.exceptions.PayloadTooLargeException):
            await asyncio.to_thread(aws.post_to_connection, ConnectionId=connection_id, Data=b"x" * 200_000)
        await asyncio.to_thread(aws.delete_connection, ConnectionId=connection_id)
        assert (await _closed(client))[0] == 1000
        with pytest.raises(aws.exceptions.GoneException):
            await asyncio.to_thread(aws.post_to_connection, ConnectionId=connection_id, Data=b"tea")
        aws.close()


# --- frames and limits


async def test_a_message_in_fragments_is_one_event() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        await client.send(["gre", "en ", "tea", ""])
        assert (await events.wait_for("MESSAGE"))["body"] == "green tea"


async def test_control_frames_may_come_between_fragments() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        for frame in (
            Frame(Opcode.TEXT, b"gr\xc3", fin=False),
            Frame(Opcode.PING, b"mid"),
            Frame(Opcode.CONT, b"\xbcn", fin=True),
        ):
            client.protocol.writes.append(frame.serialize(mask=True))
        client.send_data()
        assert (await events.wait_for("MESSAGE"))["body"] == "grün"


async def test_pings_are_answered_and_reach_no_function() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        await asyncio.wait_for(await client.ping(b"tea"), 10)
        await client.pong(b"unasked")
    assert [event["requestContext"]["eventType"] for event in events.all] == ["CONNECT", "DISCONNECT"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Frame(Opcode.TEXT, b"\xff")], 1007),
        ([Frame(Opcode.TEXT, b"gr\xc3", fin=False), Frame(Opcode.CONT, b"x")], 1007),
        ([Frame(Opcode.CONT, b"x")], 1002),
        ([Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.TEXT, b"b")], 1002),
        ([Frame(Opcode.TEXT, b"x", rsv1=True)], 1002),
        ([Frame(Opcode.PING, b"x" * 126)], 1002),
        ([Frame(Opcode.BINARY, b"tea")], 1003),
        ([Frame(Opcode.BINARY, b"")], 1003),
        ([Frame(Opcode.TEXT, b"x" * (limits.WEBSOCKET_FRAME_LIMIT + 1))], 1009),
        (
            [
                *[Frame(Opcode.TEXT if n == 0 else Opcode.CONT, b"x" * 32_768, fin=False) for n in range(4)],
                Frame(Opcode.CONT, b"x"),
            ],
            1009,
        ),
    ],
    ids=[
        "invalid utf-8", "invalid utf-8 in fragments", "continues nothing", "begins twice", "reserved bit", "long ping",
        "binary", "empty binary", "large frame", "large message",
    ],
)  # fmt: skip
async def test_what_the_api_does_not_take_closes_the_connection(frames: list[Frame], code: int) -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        for frame in frames:
            client.protocol.writes.append(_serialized(frame))
        client.send_data()
        assert (await _closed(client))[0] == code
        event = await events.wait_for("DISCONNECT")
    assert event["requestContext"]["disconnectStatusCode"] == code
    assert events.of("MESSAGE") == []


def _serialized(frame: Frame) -> bytes:
    """The bytes of a frame, which may be one that the library refuses to send."""
    frame.check = lambda: None  # type: ignore[method-assign]
    return frame.serialize(mask=True)


async def test_the_largest_frame_and_the_largest_message_pass() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        await client.send("x" * limits.WEBSOCKET_FRAME_LIMIT)
        await client.send(["y" * limits.WEBSOCKET_FRAME_LIMIT] * 4)
        await events.wait_for("MESSAGE", 2)
    assert {len(event["body"]) for event in events.of("MESSAGE")} == {32_768, 131_072}


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBSOCKET_IDLE_SECONDS", 0.05)
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        assert await _closed(client) == (1001, "Going away")
        event = await events.wait_for("DISCONNECT")
    context = event["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")


async def test_a_message_in_either_direction_is_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        connection_id = events.all[0]["requestContext"]["connectionId"]
        connection = server.api._connections[connection_id]
        connection.last_active = 0.0
        await server.request("POST", connection_id, "tea")
        assert connection.last_active > 0
        connection.last_active = 0.0
        await client.send("tea")
        await events.wait_for("MESSAGE")
        assert connection.last_active > 0


async def test_a_connection_that_has_lasted_for_two_hours_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBSOCKET_SECONDS", 0.05)
    events = Events()
    async with serving(events) as server, connect(server.url) as client:
        assert await _closed(client) == (1001, "Going away")


async def test_a_client_that_does_not_answer_the_closing_handshake_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WEBSOCKET_IDLE_SECONDS", 0.05)
    monkeypatch.setattr("bridge.dev.gateway.websocket_api._CLOSING_SECONDS", 0.05)
    events = Events()
    async with serving(events) as server, connect(server.url, close_timeout=0) as client:
        client.transport.pause_reading()
        event = await events.wait_for("DISCONNECT")
        assert event["requestContext"]["disconnectStatusCode"] == 1001


async def test_the_shutdown_of_the_server_disconnects() -> None:
    events = Events()
    async with serving(events) as server:
        client = await connect(server.url)
        await client.ping()
    with pytest.raises(ConnectionClosedError):
        await _received(client)
    assert events.of("DISCONNECT")[0]["requestContext"]["disconnectStatusCode"] == 1012


async def test_a_server_that_does_not_wait_any_longer_ends_the_functions() -> None:
    ended = asyncio.Event()

    async def hang(event: Any) -> None:
        if event["requestContext"]["eventType"] == "MESSAGE":
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    events = Events(hang)
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    api = WebSocketApi({"bridge": events})
    await api.startup_here()
    scope = {"type": "websocket", "path": "/", "headers": [], "scheme": "ws"}
    task = asyncio.create_task(api(scope, received.get, send))
    for message in ({"type": "websocket.connect"}, {"type": "websocket.receive", "text": "tea"}):
        received.put_nowait(message)
    await events.wait_for("MESSAGE")
    received.put_nowait({"type": "websocket.disconnect", "code": 1012})
    await events.wait_for("DISCONNECT")
    task.cancel()
    await asyncio.wait_for(task, 10)
    await asyncio.wait_for(ended.wait(), 10)
    await api.close_here()
    assert [message["type"] for message in sent] == ["websocket.accept"]


async def test_a_client_that_is_gone_when_it_is_accepted_is_disconnected() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        raise OSError("gone")

    events = Events()
    api = WebSocketApi({"bridge": events})
    await api({"type": "websocket", "path": "/", "headers": [], "scheme": "ws"}, receive, send)
    await api.startup_here()
    await api.close_here()
    assert [event["requestContext"]["eventType"] for event in events.all] == ["CONNECT", "DISCONNECT"]


# --- records


async def test_events_and_requests_are_observed() -> None:
    events = Events()
    async with serving(events) as server, connect(server.url + "/?name=ann") as client:
        connection_id = events.all[0]["requestContext"]["connectionId"]
        await client.send("tea")
        await events.wait_for("MESSAGE")
        await server.request("POST", connection_id, "milk")
        await _received(client)
        await client.close(1000, "bye")
        await events.wait_for("DISCONNECT")
    lines = [(each.request.method, each.request.target, each.answer.status) for each in server.records]
    assert lines == [
        ("CONNECT", "/?name=ann", 101),
        ("MESSAGE", "$default", 200),
        ("POST", "@connections", 200),
        ("DISCONNECT", "$disconnect", 1000),
    ]
    assert {each.connection for each in server.records} == {connection_id}
    assert server.records[1].request.body == b"tea"
    assert server.records[1].event == events.of("MESSAGE")[0]
    assert server.records[1].payload == {"statusCode": 200}
    assert server.records[2].request.body == b"milk"
