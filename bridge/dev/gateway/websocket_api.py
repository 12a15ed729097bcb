"""An API Gateway WebSocket API, as an ASGI application for connections.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge import limits
from bridge.dev.gateway.asgi_messages import request_of
from bridge.dev.gateway.connections_endpoint import ConnectionsEndpoint, EndpointAnswer
from bridge.dev.gateway.event_parts import strip_prefix
from bridge.dev.gateway.gateway import AccessRecord
from bridge.dev.gateway.invoker import FunctionInvoker
from bridge.dev.gateway.models import Answer, FrontDoor, FrontDoorConfig, RefusedError, Request, json_answer
from bridge.dev.gateway.payload_validation import check_object, decode_body, header_map, status_code
from bridge.dev.gateway.websocket_events import (
    CONNECT,
    DEFAULT,
    DEFAULT_SELECTION,
    DISCONNECT,
    ClientConnection,
    connect_event,
    disconnect_event,
    message_event,
    new_id,
    select_route,
    stage_of,
)
from bridge.dev.limits import REST_API_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from bridge.dev.gateway.gateway import LambdaHandler, Receive, RequestRecorder, Send

SOURCE = "websocket"
_FAILED = json_answer(502, {"message": "Internal server error"})
_TIMED_OUT = json_answer(504, {"message": "Endpoint request timed out"})
_FORBIDDEN = json_answer(403, {"message": "Forbidden"})
_GOING_AWAY = (1001, "Going away")
# Seconds that a message waits for those before it.
_TRIP_SECONDS = 0.2
# Seconds in which a client may answer the closing handshake.
_CLOSING_SECONDS = 2.0


def _no_request(*_: Any) -> Any:
    raise NotImplementedError("A WebSocket API has no HTTP requests.")


# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
_RULES = FrontDoor(
    compose=_no_request,
    interpret=_no_request,
    failed=_FAILED,
    timed_out=_TIMED_OUT,
    no_route=_FORBIDDEN,
    timeout=REST_API_SECONDS,
)


class WebSocketApi:
    """A WebSocket API in front of Lambda handlers; an ASGI application for scopes of the type ``websocket``.

    Args:
        handlers: ``(event, context) -> payload``, synchronous or asynchronous, by function name.
        stage, base_path: what the path of the address is; see :class:`bridge.dev.gateway.FrontDoorConfig`.
        routes: the names of functions by route key; None for ``$connect``, ``$default`` and ``$disconnect`` to the
            first function.
        selection: the route selection expression.
        timeout: how long the API waits for a function, in seconds; None for its default.
        timeouts: the functions' own timeouts by name, in seconds.
        threads: how many events synchronous handlers handle at once.
        observe: called with an :class:`~bridge.dev.gateway.gateway.AccessRecord` after each event, and each request to
            a connection.
        recorder: called at the beginning and at the end of each of them.
        endpoint: the ``@connections`` endpoint; None for a new one.
        on_open: called with the ID of each connection that is open, in a thread and before its first message; None for
            nothing.
    """

    def __init__(
        self,
        handlers: Mapping[str, LambdaHandler],
        *,
        stage: str = "",
        base_path: str = "",
        routes: Mapping[str, str] | None = None,
        selection: str = DEFAULT_SELECTION,
        timeout: float | None = None,
        timeouts: Mapping[str, float] | None = None,
        threads: int = 16,
        observe: Callable[[AccessRecord], None] | None = None,
        recorder: RequestRecorder | None = None,
        endpoint: ConnectionsEndpoint | None = None,
        on_open: Callable[[str], None] | None = None,
    ) -> None:
        first = next(iter(handlers))
        self._routes = dict.fromkeys((CONNECT, DEFAULT, DISCONNECT), first) if routes is None else routes
        self._selection = selection
        self._door = FrontDoorConfig(stage, base_path)
        self._observe = observe
        self._recorder = recorder
        self._on_open = on_open
        self._invoker = FunctionInvoker(handlers, _RULES, timeout or _RULES.timeout, timeouts or {}, threads)
        self._connections: dict[str, ClientConnection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._endpoint = endpoint or ConnectionsEndpoint(stage_of(self._door.stage))
        self._endpoint.answer = self._on_request

    @property
    def endpoint_url(self) -> str:
        """The URL of the ``@connections`` endpoint, as ``BRIDGE_WEBSOCKET_ENDPOINT`` has it."""
        return self._endpoint.url

    @property
    def late(self) -> Collection[asyncio.Task[Any]]:
        """The tasks of functions that still run after the API has answered without them."""
        return self._invoker.late

    async def startup_here(self) -> None:
        """Serve the ``@connections`` endpoint."""
        self._loop = asyncio.get_running_loop()
        self._endpoint.start()

    async def close_here(self) -> None:
        """Close the endpoint, and cancel functions that are late."""
        self._invoker.close()
        await asyncio.to_thread(self._endpoint.close)
        self._loop = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI 3, scope type ``websocket``."""
        await receive()  # websocket.connect
        connection = ClientConnection(request_of(scope), self._door.stage)
        try:
            answer = await self._connect(connection)
            if answer.status == 101:
                await self._run(connection, answer, receive, send)
            elif "websocket.http.response" in scope.get("extensions", {}):
                await _refuse(answer, send)
            else:
                await send({"type": "websocket.close"})
        except asyncio.CancelledError:  # the server shuts down
            pass
        except OSError:  # the client has gone
            pass

    async def _connect(self, connection: ClientConnection) -> Answer:
        """Return the answer to the handshake; its status is 101 if the connection opens."""
        request = replace(connection.request, method="CONNECT")
        record = AccessRecord(request, SOURCE, door=self._door, connection=connection.id)
        with self._recorded(record):
            try:
                if strip_prefix(request, self._door, _FORBIDDEN) not in ("", "/"):
                    raise RefusedError(
                        _FORBIDDEN,
                        f"clients of a WebSocket API connect to its stage; connect to {self._door.prefix or '/'}, and "
                        "name the path of the application's WebSocket in the variable BRIDGE_WEBSOCKET_PATH",
                    )
                if CONNECT in self._routes:
                    record.answer = _handshake_answer(await self._invoke(record, CONNECT, connect_event(connection)))
                else:
                    record.answer = Answer(101)
            except RefusedError as refusal:
                record.answer = _with_ids(refusal.answer, connection, record)
        return record.answer

    async def _run(self, connection: ClientConnection, answer: Answer, receive: Receive, send: Send) -> None:
        """Accept the connection, and handle its messages until it is closed."""
        subprotocol = answer.header("sec-websocket-protocol") or None
        messages: set[asyncio.Task[None]] = set()
        self._connections[connection.id] = connection
        code, reason = 1006, ""
        sender = asyncio.create_task(_send_all(connection, send))
        try:
            try:
                await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
                connection.is_open = True
                if self._on_open is not None:
                    await asyncio.to_thread(self._on_open, connection.id)
                code, reason = await self._receive_all(connection, receive, messages)
            except OSError:  # the client has gone
                pass
            finally:
                connection.is_open = False
                del self._connections[connection.id]
                sender.cancel()
            await self._disconnect(connection, code, reason)
            if messages:
                await asyncio.wait(messages)
        except asyncio.CancelledError:  # the server, which shuts down, has waited long enough
            for task in messages:
                task.cancel()
            raise

    async def _receive_all(
        self, connection: ClientConnection, receive: Receive, messages: set[asyncio.Task[None]]
    ) -> tuple[int, str]:
        """Handle each message in a task, and return the code and the reason with which the connection is closed.

        The messages of a connection are handled at the same time, as on AWS. There a client's next message takes
        longer to come than most functions need after they have sent the answer to the one before.
        """
        closing: tuple[int, str] | None = None
        close_by = 0.0
        while True:
            receiving = asyncio.ensure_future(receive())
            try:
                while not receiving.done():
                    seconds = (_end_of(connection) if closing is None else close_by) - time.time()
                    if seconds > 0:
                        await asyncio.wait({receiving}, timeout=seconds)
                    elif closing is None:
                        closing, close_by = _GOING_AWAY, time.time() + _CLOSING_SECONDS
                        connection.outgoing.put_nowait(closing)
                    else:  # the client does not answer the closing handshake
                        return closing
            finally:
                receiving.cancel()
            message = receiving.result()
            if message["type"] == "websocket.disconnect":
                return closing or _close_of(message)
            if closing is not None:
                continue
            connection.last_active = time.time()
            text = message.get("text")
            if text is None:
                closing = (1003, "Binary frames are not supported")
            elif len(text.encode("utf-8", "replace")) > limits.WEBSOCKET_MESSAGE_LIMIT:
                closing = (1009, "The message is too large")
            if closing is not None:
                close_by = time.time() + _CLOSING_SECONDS
                connection.outgoing.put_nowait(closing)
                continue
            if messages:
                await asyncio.wait(messages, timeout=_TRIP_SECONDS)
            task = asyncio.create_task(self._message(connection, text))
            messages.add(task)
            task.add_done_callback(messages.discard)

    async def _message(self, connection: ClientConnection, text: str) -> None:
        """Invoke the function of the message's route. If it fails, the client gets a message of API Gateway's own."""
        route = select_route(self._routes, self._selection, text)
        request = replace(connection.request, method="MESSAGE", path=route or "-", query="", headers=[])
        request.body = text.encode("utf-8", "replace")
        record = AccessRecord(request, SOURCE, door=self._door, connection=connection.id)
        with self._recorded(record):
            try:
                if route is None:
                    keys = ", ".join(self._routes)
                    raise RefusedError(_FORBIDDEN, f"no route matches the message; the routes are: {keys}")
                payload = await self._invoke(record, route, message_event(connection, route, text))
                record.answer = Answer(status_code(check_object(payload, _FAILED), _FAILED))
            except RefusedError as refusal:
                record.answer = _with_ids(refusal.answer, connection, record)
                connection.outgoing.put_nowait(record.answer.body.decode())

    async def _disconnect(self, connection: ClientConnection, code: int, reason: str) -> None:
        """Invoke the function of ``$disconnect``, whose answer counts for nothing."""
        request = replace(connection.request, method="DISCONNECT", path=DISCONNECT, query="", headers=[])
        record = AccessRecord(request, SOURCE, answer=Answer(code), door=self._door, connection=connection.id)
        with self._recorded(record):
            if DISCONNECT in self._routes:
                with suppress(RefusedError):
                    await self._invoke(record, DISCONNECT, disconnect_event(connection, code, reason))

    async def _invoke(self, record: AccessRecord, route: str, event: dict[str, Any]) -> Any:
        """Return the payload of the route's function; raises RefusedError."""
        record.function = self._routes[route]
        record.event_json = json.dumps(event)
        record.context = self._invoker.new_context(record.function)
        started = time.perf_counter()
        try:
            record.payload_json = await self._invoker.invoke(
                record.function, json.loads(record.event_json), record.context
            )
        finally:
            record.handler_seconds = time.perf_counter() - started
        record.encoding = "text"
        return record.payload

    @contextmanager
    def _recorded(self, record: AccessRecord) -> Iterator[None]:
        """Complete a record, and pass it on."""
        started = time.perf_counter()
        if self._recorder is not None:
            self._recorder.on_request(record)
        try:
            yield
        finally:
            record.seconds = time.perf_counter() - started
            record.answer.log(record.request, SOURCE)
            if self._observe is not None:
                self._observe(record)
            if self._recorder is not None:
                self._recorder.on_answer(record)

    def _on_request(self, method: str, connection_id: str, body: bytes) -> EndpointAnswer:
        """Answer a request to a connection, in a thread of the endpoint."""
        connection, loop = self._connections.get(connection_id), self._loop
        if connection is None or loop is None or not connection.is_open:
            answer = EndpointAnswer(410, "GoneException")
        elif method == "GET":
            answer = EndpointAnswer(200, body=json.dumps(_description(connection)).encode())
        elif method == "POST" and len(body) > limits.WEBSOCKET_MESSAGE_LIMIT:
            answer = EndpointAnswer(413, "PayloadTooLargeException", b'{"message": "Message too long"}')
        else:
            message = body.decode("utf-8", "replace") if method == "POST" else (1000, "Connection Closed Normally")
            loop.call_soon_threadsafe(connection.outgoing.put_nowait, message)
            answer = EndpointAnswer(200 if method == "POST" else 204)
            connection.last_active = time.time()
        if loop is not None:
            request = Request(method, "@connections", body=body)
            record = AccessRecord(request, SOURCE, Answer(answer.status, body=answer.body), connection=connection_id)
            loop.call_soon_threadsafe(self._record_request, record)
        return answer

    def _record_request(self, record: AccessRecord) -> None:
        with self._recorded(record):
            pass


async def _send_all(connection: ClientConnection, send: Send) -> None:
    """Send what is for the client in its order, until the connection is closed."""
    while True:
        item = await connection.outgoing.get()
        try:
            if isinstance(item, tuple):
                connection.is_open = False
                await send({"type": "websocket.close", "code": item[0], "reason": item[1]})
                return
            await send({"type": "websocket.send", "text": item})
        except OSError:  # the client has gone
            connection.is_open = False
            return


async def _refuse(answer: Answer, send: Send) -> None:
    """Answer a handshake with another status than 101."""
    headers = answer.encode_headers("GET", None)  # uvicorn adds a Content-Length, also if there is one
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})


def _handshake_answer(payload: Any) -> Answer:
    """Return the answer for the payload of a connect event; raises RefusedError.

    Of the headers API Gateway takes the subprotocol alone.
    """
    payload = check_object(payload, _FAILED)
    status = status_code(payload, _FAILED)
    headers = {name.lower(): value for name, value in header_map(payload, "headers", _FAILED).items()}
    subprotocol = headers.get("sec-websocket-protocol")
    if 200 <= status < 300:
        return Answer(101, [("sec-websocket-protocol", str(subprotocol))] if subprotocol else [])
    body = decode_body(payload, _FAILED)
    return Answer(status, [("content-type", str(headers.get("content-type", "text/plain")))], body)


def _with_ids(answer: Answer, connection: ClientConnection, record: AccessRecord) -> Answer:
    """Return an answer of API Gateway's own with the IDs that it adds."""
    request_id = record.event["requestContext"]["requestId"] if record.event else new_id()
    content = {**json.loads(answer.body), "connectionId": connection.id, "requestId": request_id}
    return replace(answer, body=json.dumps(content).encode())


def _description(connection: ClientConnection) -> dict[str, Any]:
    return {
        "connectedAt": _timestamp(connection.connected),
        "identity": connection.identity,
        "lastActiveAt": _timestamp(connection.last_active),
    }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end_of(connection: ClientConnection) -> float:
    """Return when API Gateway closes a connection, in seconds since the epoch."""
    lifetime, idle = limits.WEBSOCKET_SECONDS, limits.WEBSOCKET_IDLE_SECONDS
    return min(connection.connected + lifetime, connection.last_active + idle)


def _close_of(message: Any) -> tuple[int, str]:
    """Return the code and the reason of ``websocket.disconnect``; 1006 without a closing handshake."""
    code = message.get("code", 1005)
    # uvicorn has a reason, if an empty one, for every client that sends a close frame.
    return (1006 if code == 1005 and "reason" not in message else code), message.get("reason") or ""
