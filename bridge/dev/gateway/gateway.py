"""A front door as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bridge.dev.gateway.asgi_messages import read_request, send_answer
from bridge.dev.gateway.cors import (
    FunctionUrlCors,
    add_headers,
    is_preflight,
    options_answer,
    preflight_answer,
)
from bridge.dev.gateway.decisions import Decision, recorded_decisions
from bridge.dev.gateway.event_parts import strip_prefix
from bridge.dev.gateway.front_doors import front_door
from bridge.dev.gateway.invoker import FunctionInvoker, SupportsLifespan
from bridge.dev.gateway.models import Answer, FrontDoorConfig, RefusedError, Request, json_answer
from bridge.dev.gateway.payload_validation import lambda_json
from bridge.dev.gateway.routes import match
from bridge.dev.gateway.streaming import StreamedAnswer
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from bridge.dev.gateway.context import LocalContext
    from bridge.dev.gateway.cors import Cors
    from bridge.dev.gateway.routes import FunctionRoute

    LambdaHandler = Callable[[Any, Any], Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

# The front doors with routes and stages.
_APIS = ("rest-api", "http-api", "http-api-v1")
# AWS does not document its answer. nginx answers so, and its load balancers resemble nginx.
_CONNECT_REFUSED = json_answer(405, {"message": "Method Not Allowed"})


@dataclass(slots=True)
class AccessRecord:
    """The record of one request, for an access log and for the inspector.

    Attributes:
        request: the client's request.
        source: the front door.
        answer: the answer that the client got; its status is 0 until there is one.
        event_json: the event as JSON; ``""`` if the front door answered without the function.
        payload_json: the payload, or a stream's prelude, as JSON; ``""`` if there is none.
        encoding: how the payload has the body: ``"text"``, ``"base64"``, ``"stream"``; or ``"-"`` without a payload.
        seconds: how long the request took, after its body had come.
        compose_seconds, handler_seconds, interpret_seconds: how long the front door took to make the event, the
            function to answer, and the front door to make the answer.
        streamed: the number of bytes of body that were streamed; None if the payload was not a stream.
        cut_off: why a stream is incomplete; ``""`` if it is complete.
        door: the configuration of the front door, with the route; None if the front door answered before it chose one.
        function: the name of the function; ``""`` if there is no event.
        context: the function's context object; None if there is no event.
        started: when the request began, in seconds since the epoch.
        number: a number that the recorder gives; 0 without one.
        replay_of: the number of the request that this one repeats; 0 for a client's own.
        connection: the ID of the connection of a WebSocket API, whose event this is; ``""`` for HTTP requests.
    """

    request: Request
    source: str = ""
    answer: Answer = field(default_factory=lambda: Answer(0))
    event_json: str = ""
    payload_json: str = ""
    encoding: str = "-"
    seconds: float = 0.0
    compose_seconds: float = 0.0
    handler_seconds: float = 0.0
    interpret_seconds: float = 0.0
    streamed: int | None = None
    cut_off: str = ""
    door: FrontDoorConfig | None = None
    function: str = ""
    context: LocalContext | None = None
    started: float = field(default_factory=time.time)
    number: int = 0
    replay_of: int = 0
    connection: str = ""

    @property
    def event(self) -> Any:
        """The event, parsed anew; None if the front door answered without the function."""
        return json.loads(self.event_json) if self.event_json else None

    @property
    def payload(self) -> Any:
        """The payload, or a stream's prelude, parsed anew; None if there is none."""
        return json.loads(self.payload_json) if self.payload_json else None


class RequestRecorder(Protocol):
    """The gateway's hook for a recorder: it stores references to objects that do not change afterwards."""

    def on_request(self, record: AccessRecord) -> None:
        """A request has come."""

    def on_chunk(self, record: AccessRecord, chunk: bytes) -> None:
        """A chunk of a streamed response goes to the client."""

    def on_answer(self, record: AccessRecord) -> None:
        """The request is answered, to the end of the stream if the response is one."""


class WebSocketServer(SupportsLifespan, Protocol):
    """What takes the WebSockets beside a gateway: :class:`bridge.dev.gateway.websocket_api.WebSocketApi`."""

    @property
    def late(self) -> Collection[asyncio.Task[Any]]:
        """The tasks of functions that still run after the API has answered without them."""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI 3, scope type ``websocket``."""


class Gateway:
    """An ASGI application that passes requests to a Lambda handler as a front door does.

    Events and payloads are converted to JSON and back, as on AWS. A
    :class:`~bridge.dev.gateway.lambda_service.LambdaService` is a handler, too, whose responses may be streams.

    ::

        app = Gateway(bridge.handler(application), source="rest-api", stage="prod")

    Args:
        handler: ``(event, context) -> payload``, synchronous or asynchronous; or several by function name, with
            *routes*.
        source: the front door, a key of :data:`bridge.dev.gateway.FRONT_DOORS`.
        stage, base_path, binary_media_types: the configuration; see :class:`bridge.dev.gateway.FrontDoorConfig`.
        timeout: how long the front door waits for the function, in seconds; None for its default.
        timeouts: the functions' own timeouts by name, in seconds. A function that exceeds its own has failed. The
            default is a second more than the front door waits, so that a function can log where it hangs.
        threads: how many requests synchronous handlers answer at once.
        routes: the routes; without any, every request goes to the handler.
        cors: the CORS configuration of an HTTP API or a function URL.
        observe: called with an :class:`AccessRecord` after each request.
        recorder: called at the beginning and at the end of each request, and with each chunk of a stream.
        answers_if_cancelled: whether a request whose task is cancelled gets the answer of a timeout, in place of a
            ``CancelledError``. Set it for a server that cancels tasks at its shutdown.
        websockets: takes WebSockets; None to refuse them. With it, there may be several handlers without routes, of
            which the first one answers HTTP requests.

    Raises:
        SettingError: there is no such source, a route names no handler, or there are several handlers without routes.
    """

    def __init__(
        self,
        handler: LambdaHandler | Mapping[str, LambdaHandler],
        source: str = "http-api",
        *,
        stage: str = "",
        base_path: str = "",
        binary_media_types: Sequence[str] = (),
        timeout: float | None = None,
        timeouts: Mapping[str, float] | None = None,
        threads: int = 16,
        routes: Sequence[FunctionRoute] = (),
        cors: Cors | None = None,
        observe: Callable[[AccessRecord], None] | None = None,
        recorder: RequestRecorder | None = None,
        answers_if_cancelled: bool = False,
        websockets: WebSocketServer | None = None,
    ) -> None:
        handlers: Mapping[str, LambdaHandler] = {"bridge": handler} if callable(handler) else handler
        if missing := [route.function for route in routes if route.function not in handlers]:
            raise SettingError(
                f"A route names the function {missing[0]!r}, but the functions are {', '.join(handlers)}. Correct the "
                "name, or add the function."
            )
        if len(handlers) != 1 and not routes and websockets is None:
            raise SettingError(f"There are {len(handlers)} functions and no routes. Add routes, or pass one function.")
        self._source = source
        self._front_door = front_door(source)
        self._door = FrontDoorConfig(stage, base_path, tuple(binary_media_types))
        self._default_function = next(iter(handlers))
        self._routes = routes
        self._has_several_functions = len(handlers) > 1
        self._cors = cors
        self._observe = observe
        self._recorder = recorder
        self._answers_if_cancelled = answers_if_cancelled
        self._websockets = websockets
        timeout = self._front_door.timeout if timeout is None else timeout
        self._invoker = FunctionInvoker(handlers, self._front_door, timeout, timeouts or {}, threads)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve the ASGI 3 scopes ``http``, ``lifespan`` and ``websocket``."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif self._websockets is not None:
            await self._websockets(scope, receive, send)
        else:  # API Gateway's WebSocket APIs have events of another form
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    @property
    def late(self) -> Collection[asyncio.Task[Any]]:
        """The tasks of functions that still run after the front door has answered without them."""
        return self._invoker.late if self._websockets is None else {*self._invoker.late, *self._websockets.late}

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        if request is not None:
            await self.respond(AccessRecord(request), receive, send)

    async def respond(self, record: AccessRecord, receive: Receive, send: Send) -> None:
        """Respond to a request that has been read, and complete its record.

        Args:
            record: a record with the request.
            receive: the ASGI ``receive``, from which only ``http.disconnect`` is still to come.
            send: the ASGI ``send``.
        """
        started = time.perf_counter()
        request, recorder = record.request, self._recorder
        record.source = self._source
        if recorder is not None:
            recorder.on_request(record)
        streamed: StreamedAnswer | None = None
        try:
            record.door, record.function = self._route(request)
            # A record stores text: hundreds of events as objects would slow the server down.
            record.event_json = json.dumps(self._front_door.compose(request, record.door))
            event = json.loads(record.event_json)
            record.context = self._invoker.new_context(record.function)
            composed = time.perf_counter()
            record.compose_seconds = composed - started
            try:
                result = await self._invoker.invoke(record.function, event, record.context)
            finally:
                handled = time.perf_counter()
                record.handler_seconds = handled - composed
            if isinstance(result, StreamedAnswer):
                streamed, payload = result, result.prelude
                record.payload_json, record.encoding, record.streamed = json.dumps(payload), "stream", 0
            else:
                record.payload_json, payload = result, json.loads(result)
                record.encoding = _encoding(payload)
            answer = self._interpret(payload, record)
            record.interpret_seconds = time.perf_counter() - handled
        except RefusedError as refusal:
            if streamed is not None:
                streamed.close()
                streamed = record.streamed = None
                record.encoding = "text"
            if record.context is None:
                record.compose_seconds = time.perf_counter() - started
            answer = refusal.answer
        except asyncio.CancelledError:
            if not self._answers_if_cancelled:
                raise
            explanation = "the function did not answer before the server shut down"
            answer = replace(self._front_door.timed_out, explanation=explanation)
        record.answer = answer
        try:
            if streamed is None:
                await send_answer(answer, request, send)
                answer.log(request, self._source)
            else:
                on_chunk = None if recorder is None else partial(recorder.on_chunk, record)
                await streamed.send(answer, request, receive, send, on_chunk)
        except asyncio.CancelledError:
            if not self._answers_if_cancelled:
                raise
        finally:
            record.seconds = time.perf_counter() - started
            if streamed is not None:
                record.streamed, record.cut_off = streamed.size, streamed.cut_off
            if self._observe is not None:
                self._observe(record)
            if recorder is not None:
                recorder.on_answer(record)

    def behind(self, source: str) -> Gateway:
        """Return a gateway that passes requests to the same functions behind another front door.

        Routes apply to API Gateway alone, and a stage and CORS to the front doors that have them.
        """
        if source == self._source:
            return self
        other = copy(self)
        other._source = source
        other._front_door = front_door(source)
        is_api = source in _APIS
        other._door = replace(self._door, stage=self._door.stage if is_api else "")
        other._routes = self._routes if is_api or self._has_several_functions else ()
        is_same_kind = (source == "function-url") == isinstance(self._cors, FunctionUrlCors)
        other._cors = self._cors if is_same_kind and (is_api or source == "function-url") else None
        other._invoker = self._invoker.behind(other._front_door)
        return other

    def path_of(self, other: Gateway, request: Request) -> str:
        """Return the path by which a client of this front door requests what *request* requests of *other*."""
        prefix = other._door.prefix
        if prefix == self._door.prefix or not (request.path == prefix or request.path.startswith(f"{prefix}/")):
            return request.path
        return self._door.prefix + request.path[len(prefix) :] or "/"

    def decisions(self, record: AccessRecord) -> list[Decision]:
        """Return why the front door made this event of a request, and this answer of a payload.

        The code that decided runs again, with the same arguments; the function does not.
        """
        with recorded_decisions() as decisions, suppress(RefusedError):
            door, _ = self._route(record.request)
            self._front_door.compose(record.request, door)
            if record.payload_json:
                payload = record.payload
                if record.streamed is None:
                    lambda_json(payload, self._front_door.failed)
                self._interpret(payload, record)
        return decisions

    def _interpret(self, payload: Any, record: AccessRecord) -> Answer:
        """Return the answer for *payload*, which is a prelude if the response of *record* is a stream."""
        assert record.door is not None
        if record.streamed is not None and self._front_door.interpret_prelude is not None:
            answer = self._front_door.interpret_prelude(payload)
        else:
            answer = self._front_door.interpret(payload, record.request, record.door)
        return answer if self._cors is None else add_headers(self._cors, record.request, answer)

    def _route(self, request: Request) -> tuple[FrontDoorConfig, str]:
        """Return the front door's configuration for *request*, and the name of the function.

        Raises:
            RefusedError: the front door answers the request itself.
        """
        if request.method == "CONNECT":  # a successful answer would open a tunnel
            raise RefusedError(_CONNECT_REFUSED, "front doors are not proxies and refuse CONNECT; use another method")
        if isinstance(self._cors, FunctionUrlCors) and is_preflight(request):
            raise RefusedError(options_answer(self._cors, request))
        if not self._routes:
            return self._door, self._default_function
        path = strip_prefix(request, self._door, self._front_door.no_route) or "/"
        found = match(self._routes, request.method, path, rest=self._source == "rest-api")
        if found is None:
            if self._cors is not None and (answer := preflight_answer(self._cors, request)) is not None:
                raise RefusedError(answer)
            routes = ", ".join(f"{route.method} {route.template}" for route in self._routes)
            raise RefusedError(
                self._front_door.no_route, f"no route matches; request one of these, or add a route: {routes}"
            )
        route, matched = found
        if route.preflight is not None:
            raise RefusedError(options_answer(route.preflight, request))
        return replace(self._door, route=matched), route.function

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        lifespans = [*self._invoker.lifespans, *([] if self._websockets is None else [self._websockets])]
        try:
            for lifespan in lifespans:
                await lifespan.startup_here()
        except Exception as error:
            for lifespan in lifespans:
                await lifespan.close_here()
            # The server logs the message.
            message = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
            await send({"type": "lifespan.startup.failed", "message": message + str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._invoker.close()
        for lifespan in lifespans:
            await lifespan.close_here()
        await send({"type": "lifespan.shutdown.complete"})


def _encoding(payload: Any) -> str:
    """Return how *payload* has the body: ``text``, ``base64``, or ``-`` without a payload."""
    if not isinstance(payload, dict):
        return "-" if payload is None else "text"
    is_base64 = payload.get("isBase64Encoded") or payload.get("bodyEncoding") == "base64"
    return "base64" if is_base64 else "text"
