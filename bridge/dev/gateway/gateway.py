"""A front door as an ASGI application."""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.asgi_messages import read_request, send_answer
from bridge.dev.gateway.cors import (
    FunctionUrlCors,
    add_headers,
    is_preflight,
    options_answer,
    preflight_answer,
)
from bridge.dev.gateway.events import strip_prefix
from bridge.dev.gateway.front_doors import front_door
from bridge.dev.gateway.invoker import FunctionInvoker
from bridge.dev.gateway.models import Answer, Door, RefusedError, Request, json_answer
from bridge.dev.gateway.payloads import through_json
from bridge.dev.gateway.routes import match
from bridge.dev.gateway.streaming import StreamedAnswer
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from bridge.dev.gateway.cors import Cors
    from bridge.dev.gateway.routes import FunctionRoute

    LambdaHandler = Callable[[Any, Any], Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

# AWS does not document its answer. nginx answers so, and its load balancers resemble nginx.
_CONNECT_REFUSED = json_answer(405, {"message": "Method Not Allowed"})


@dataclass(slots=True)
class AccessRecord:
    """What happened to one request, for an access log.

    Attributes:
        request: the client's request.
        answer: the answer that the client got.
        event: the event; None if the front door answered without the function.
        payload: the payload, or a stream's prelude; None if there is none.
        seconds: how long the request took.
        streamed: the number of bytes of body that were streamed; None if the payload was not a stream.
    """

    request: Request
    answer: Answer
    event: Any
    payload: Any
    seconds: float
    streamed: int | None = None


class Gateway:
    """An ASGI application that passes requests to a Lambda handler as a front door does.

    Events and payloads are converted to JSON and back, as on AWS. A
    :class:`~bridge.dev.gateway.lambda_service.LambdaService` is a handler, too, whose responses may be streams.

    ::

        app = Gateway(bridge.handler(application), source="rest-api", stage="prod")

    Args:
        handler: ``(event, context) -> payload``, synchronous or asynchronous; or several by function name, with
            *routes*.
        source: the front door, a key of :data:`bridge.dev.gateway.SOURCES`.
        stage, base_path, binary_media_types: the configuration; see :class:`bridge.dev.gateway.Door`.
        timeout: how long the front door waits for the function, in seconds; None for its default.
        timeouts: the functions' own timeouts by name, in seconds. A function that exceeds its own has failed. The
            default is a second more than the front door waits, so that a function can log where it hangs.
        threads: how many requests synchronous handlers answer at once.
        routes: the routes; without any, every request goes to the handler.
        cors: the CORS configuration of an HTTP API or a function URL.
        observe: called with an :class:`AccessRecord` after each request.
        answers_if_cancelled: whether a request whose task is cancelled gets the answer of a timeout, in place of a
            ``CancelledError``. Set it for a server that cancels tasks at its shutdown.

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
        answers_if_cancelled: bool = False,
    ) -> None:
        handlers: Mapping[str, LambdaHandler] = {"bridge": handler} if callable(handler) else handler
        if missing := [route.function for route in routes if route.function not in handlers]:
            raise SettingError(
                f"A route names the function {missing[0]!r}, but the functions are {', '.join(handlers)}. Correct the "
                "name, or add the function."
            )
        if len(handlers) != 1 and not routes:
            raise SettingError(f"There are {len(handlers)} functions and no routes. Add routes, or pass one function.")
        self._source = source
        self._front_door = front_door(source)
        self._door = Door(stage, base_path, tuple(binary_media_types))
        self._default_function = next(iter(handlers))
        self._routes = routes
        self._cors = cors
        self._observe = observe
        self._answers_if_cancelled = answers_if_cancelled
        timeout = self._front_door.timeout if timeout is None else timeout
        self._invoker = FunctionInvoker(handlers, self._front_door, timeout, timeouts or {}, threads)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve the ASGI 3 scopes ``http`` and ``lifespan``, and refuse ``websocket``."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:  # API Gateway's WebSocket APIs have events of another form
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    @property
    def late(self) -> Collection[asyncio.Task[Any]]:
        """The tasks of functions that still run after the front door has answered without them."""
        return self._invoker.late

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = await read_request(scope, receive)
        if request is None:
            return
        event = payload = streamed = None
        try:
            door, function = self._route(request)
            event = self._front_door.compose(request, door)
            payload = await self._invoker.invoke(function, through_json(event))
            if isinstance(payload, StreamedAnswer):
                streamed, payload = payload, payload.prelude
            answer = self._answer(payload, request, door, is_prelude=streamed is not None)
        except RefusedError as refusal:
            if streamed is not None:
                streamed.close()
                streamed = None
            answer = refusal.answer
        except asyncio.CancelledError:
            if not self._answers_if_cancelled:
                raise
            explanation = "the function did not answer before the server shut down"
            answer = replace(self._front_door.timed_out, explanation=explanation)
        try:
            if streamed is None:
                await send_answer(answer, request, send)
                answer.log(request, self._source)
            else:
                await streamed.send(answer, request, receive, send)
        except asyncio.CancelledError:
            if not self._answers_if_cancelled:
                raise
        finally:
            if self._observe is not None:
                seconds = time.perf_counter() - started
                size = None if streamed is None else streamed.size
                self._observe(AccessRecord(request, answer, event, payload, seconds, size))

    def _answer(self, payload: Any, request: Request, door: Door, *, is_prelude: bool) -> Answer:
        if is_prelude and self._front_door.interpret_prelude is not None:
            answer = self._front_door.interpret_prelude(payload)
        else:
            answer = self._front_door.interpret(payload, request, door)
        return answer if self._cors is None else add_headers(self._cors, request, answer)

    def _route(self, request: Request) -> tuple[Door, str]:
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
        lifespans = self._invoker.lifespans
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
