"""A front door as an ASGI application, so that any ASGI server or test client drives a Lambda handler through it."""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge import logger
from bridge.dev.gateway import cors as cors_rules
from bridge.dev.gateway import front_door
from bridge.dev.gateway.asgi_messages import request_of, send_answer
from bridge.dev.gateway.events import json_answer, log_own, refused, strip_prefix
from bridge.dev.gateway.invoker import Functions, TooLateError
from bridge.dev.gateway.json_text import through_json
from bridge.dev.gateway.models import Answer, Door, RefusedError, Request
from bridge.dev.gateway.routes import match
from bridge.dev.gateway.streaming import StreamedAnswer
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from bridge.dev.gateway.routes import FunctionRoute
    from bridge.interfaces.call import LambdaHandler


# What AWS answers is not written down; its load balancers are nginx's kind, which answers so.
_NO_CONNECT = json_answer(405, {"message": "Method Not Allowed"})


@dataclass(slots=True)
class AccessRecord:
    """One request's way through the front door, for whoever looks on.

    Attributes:
        request, answer: what came from the client and what went back.
        event, payload: what went to the function and what came back; None where the front door answered itself.
        seconds: how long it took.
        streamed: how many bytes of a body were streamed, which is in no payload; None if it was not.
    """

    request: Request
    answer: Answer
    event: Any
    payload: Any
    seconds: float
    streamed: int | None = None


class Gateway:
    """An ASGI application that hands requests to a Lambda handler as a front door would.

    Payloads go through JSON, as they do on AWS, but for those of the bridge's own handlers, which are made of nothing
    else, as events are. A :class:`~bridge.dev.gateway.service.LambdaService` is a handler, too; its answers may be
    streams.

    Args:
        handler: ``(event, context) -> payload``, plain or async; or several by function name, with *routes*.
        source: the front door, a key of :data:`bridge.dev.gateway.SOURCES`.
        stage, base_path, binary_media_types: how it is set up; see :class:`bridge.dev.gateway.Door`.
        timeout: how long the front door waits for the function, in seconds; None for its own default. The function's
            own deadline is a second later, so its log says where it hung.
        timeouts: the functions' own timeouts by name, in seconds, as their deadlines. A function that is ended by its
            own has failed; without one its deadline is a second after the front door's.
        threads: how many requests a plain handler answers at once.
        routes: explicit routes; without them every request goes to the handler.
        cors: an HTTP API's CORS configuration.
        observe: called with each :class:`AccessRecord`.
        shows_events: whether *observe* looks at the events, which functions may change: then it has a copy.
        detach: whether each request has a task of its own, which goes on where whoever called gives up or was answered
            before; a server that has one for each request already is spared another.

    Raises:
        SettingError: there is no such source, a route's function is not there, or several are there without routes.
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
        cors: cors_rules.Cors | None = None,
        observe: Callable[[AccessRecord], None] | None = None,
        shows_events: bool = True,
        detach: bool = True,
    ) -> None:
        self._handlers: Mapping[str, LambdaHandler] = {"bridge": handler} if callable(handler) else handler
        if missing := [route.function for route in routes if route.function not in self._handlers]:
            raise SettingError(f"A route names the function {missing[0]!r}; there is {', '.join(self._handlers)}.")
        if len(self._handlers) != 1 and not routes:
            raise SettingError(f"{len(self._handlers)} functions and no routes: give routes, or one function.")
        self._source = source
        self._front_door = front_door(source)
        self._door = Door(stage, base_path, tuple(binary_media_types))
        self._routes = routes
        self._cors = cors
        self._observe = observe
        self._copies = observe is not None and shows_events
        self._detach = detach
        self._detached: set[asyncio.Task[None]] = set()
        patience = timeout if timeout is not None else self._front_door.timeout
        self._functions = Functions(self._handlers, self._front_door, patience, timeouts or {}, threads)

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """ASGI 3, scope types ``http`` and ``lifespan``."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await (self._pass_detached if self._detach else self._pass)(scope, receive, send)
        else:
            # No front door that this plays takes a WebSocket upgrade.
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    @property
    def late(self) -> Collection[asyncio.Task[Any]]:
        """The tasks of functions that still run after their requests were answered without them."""
        return self._functions.late

    async def _pass_detached(self, scope: Any, receive: Any, send: Any) -> None:
        over = asyncio.get_running_loop().create_future()

        def end(task: asyncio.Task[None]) -> None:
            self._detached.discard(task)
            if not over.done():
                over.set_result(None)
            elif not task.cancelled() and task.exception() is not None:
                logger().error("The gateway failed.", exc_info=task.exception())

        async def send_on(message: Any) -> None:
            if over.cancelled():  # nobody wants it
                raise asyncio.CancelledError
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body") and not over.done():
                over.set_result(None)

        task = asyncio.create_task(self._pass(scope, receive, send_on))
        self._detached.add(task)
        task.add_done_callback(end)
        try:
            await over
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            task.result()

    async def _pass(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        request = await request_of(scope, receive)
        if request is None:
            return
        event = payload = None

        async def finish(answer: Answer) -> None:
            await send_answer(answer, request, send)
            log_own(answer, request, self._source)
            if self._observe is not None:
                self._observe(AccessRecord(request, answer, event, payload, time.perf_counter() - began))

        try:
            door, name = self._route(request)
            event = self._front_door.compose(request, door)
            payload = await self._functions.invoke(name, through_json(event) if self._copies else event, finish)
            if isinstance(payload, StreamedAnswer):
                await self._stream(payload, request, door, event, receive, send, began)
                return
            answer = self._front_door.interpret(payload, request, door)
            if self._cors is not None:
                answer = cors_rules.add(self._cors, request, answer)
        except RefusedError as refusal:
            answer = refusal.answer
        except TooLateError:
            return
        await finish(answer)

    async def _stream(
        self, streamed: StreamedAnswer, request: Request, door: Door, event: Any, receive: Any, send: Any, began: float
    ) -> None:
        assert self._front_door.begin is not None
        try:
            answer = self._front_door.begin(streamed.prelude, request, door)
            if self._cors is not None:
                answer = cors_rules.add(self._cors, request, answer)
        except RefusedError:
            streamed.close()
            raise
        try:
            await streamed.send(answer, request, receive, send)
        finally:
            if self._observe is not None:
                seconds = time.perf_counter() - began
                self._observe(AccessRecord(request, answer, event, streamed.prelude, seconds, streamed.size))

    def _route(self, request: Request) -> tuple[Door, str]:
        """The set-up for this request and the name of its function."""
        if request.method == "CONNECT":  # any other answer would begin a tunnel
            raise refused(_NO_CONNECT, "a front door is no proxy, so it takes no CONNECT; use another method")
        if isinstance(self._cors, cors_rules.FunctionUrlCors) and cors_rules.is_preflight(request):
            raise RefusedError(cors_rules.mock(self._cors, request))
        if not self._routes:
            return self._door, next(iter(self._handlers))
        path = strip_prefix(request, self._door, self._front_door.no_route) or "/"
        found = match(self._routes, request.method, path, rest=self._source == "rest-api")
        if found is None:
            if self._cors is not None and (answer := cors_rules.preflight(self._cors, request)) is not None:
                raise RefusedError(answer)
            known = ", ".join(f"{route.method} {route.template}" for route in self._routes)
            why = f"no route takes it; ask for one of these, or add one: {known}"
            raise RefusedError(replace(self._front_door.no_route, why=why))
        route, matched = found
        if route.preflight is not None:
            raise RefusedError(cors_rules.mock(route.preflight, request))
        return replace(self._door, route=matched), route.function

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        hosted = self._functions.hosted
        try:
            for application in hosted:
                await application.startup_here()
        except Exception as error:
            for application in hosted:
                await application.close_here()
            # Not logged here: a server logs the message.
            message = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
            await send({"type": "lifespan.startup.failed", "message": message + str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._functions.close()
        for application in hosted:
            await application.close_here()
        await send({"type": "lifespan.shutdown.complete"})
