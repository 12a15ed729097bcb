"""A front door as an ASGI application, so that any ASGI server or test client drives a Lambda handler through it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.adapter import Handler
from bridge.errors import SettingError, logger
from bridge.gateway import front_door
from bridge.gateway.asgi import request_of, send_answer
from bridge.gateway.context import Context
from bridge.gateway.message import Answer, Door, RefusedError, Request
from bridge.gateway.payload import through_lambda
from bridge.gateway.routes import match
from bridge.gateway.wire import below_prefix, log_own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bridge.gateway.routes import RouteOf

    LambdaHandler = Callable[[Any, Any], Any]
    _Outcome = tuple[Any, BaseException | None]  # what a function returned, what it raised


@dataclass(slots=True)
class Passage:
    """One request's way through the front door, for whoever looks on.

    Attributes:
        request, answer: what came from the client and what went back.
        event, payload: what went to the function and what came back; None where the front door answered itself.
        seconds: how long it took.
    """

    request: Request
    answer: Answer
    event: Any
    payload: Any
    seconds: float


class Gateway:
    """An ASGI application that hands requests to a Lambda handler as a front door would.

    Event and payload go through JSON, as they do on AWS.

    Args:
        handler: ``(event, context) -> payload``, plain or async; or several by function name, with *routes*.
        source: the front door, a key of :data:`bridge.gateway.SOURCES`.
        stage, base_path, binary_media_types: how it is set up; see :class:`bridge.gateway.Door`.
        timeout: how long the front door waits for the function, in seconds; None for its own default. The function's
            own deadline is a second later, so its log says where it hung.
        timeouts: the functions' own timeouts by name, in seconds, as their deadlines. A function that is ended by its
            own has failed; without one its deadline is a second after the front door's.
        threads: how many requests a plain handler answers at once.
        routes: explicit routes; without them every request goes to the handler.
        observe: called with each :class:`Passage`.

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
        routes: Sequence[RouteOf] = (),
        observe: Callable[[Passage], None] | None = None,
    ) -> None:
        self._handlers: Mapping[str, LambdaHandler] = {"bridge": handler} if callable(handler) else handler
        if missing := [route.function for route in routes if route.function not in self._handlers]:
            raise SettingError(f"A route names the function {missing[0]!r}; there is {', '.join(self._handlers)}.")
        if len(self._handlers) != 1 and not routes:
            raise SettingError(f"{len(self._handlers)} functions and no routes: give routes, or one function.")
        self._source = source
        self._front_door = front_door(source)
        self._door = Door(stage, base_path, tuple(binary_media_types))
        self._timeout = timeout if timeout is not None else self._front_door.timeout
        self._routes = routes
        self._observe = observe
        self._timeouts = timeouts or {}
        self._thread_count = threads
        self._threads = self._new_threads()
        self._running: set[asyncio.Future[Any]] = set()
        self._late: set[asyncio.Future[Any]] = set()

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """ASGI 3, scope types ``http`` and ``lifespan``."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._pass(scope, receive, send)
        else:
            # No front door that this plays takes a WebSocket upgrade.
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _pass(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        request = await request_of(scope, receive)
        if request is None:
            return
        event = payload = None
        try:
            door, name = self._route(request)
            event = json.loads(json.dumps(self._front_door.compose(request, door)))
            payload = await self._invoke(name, event)
            answer = self._front_door.interpret(payload, request, door)
        except RefusedError as refusal:
            answer = refusal.answer
        log_own(answer, request, self._source)
        await send_answer(answer, request, send)
        if self._observe is not None:
            self._observe(Passage(request, answer, event, payload, time.perf_counter() - began))

    def _route(self, request: Request) -> tuple[Door, str]:
        """The set-up for this request and the name of its function."""
        if not self._routes:
            return self._door, next(iter(self._handlers))
        path = below_prefix(request, self._door, self._front_door.no_route) or "/"
        found = match(self._routes, request.method, path, rest=self._source == "rest-api")
        if found is None:
            known = ", ".join(f"{route.method} {route.template}" for route in self._routes)
            why = f"no route takes it; ask for one of these, or add one: {known}"
            raise RefusedError(replace(self._front_door.no_route, why=why))
        route, matched = found
        return replace(self._door, route=matched), route.function

    async def _invoke(self, name: str, event: Any) -> Any:
        """The function's payload, through JSON.

        Raises:
            RefusedError: the function failed, did not answer in time, or answered more than Lambda takes.
        """
        own = self._timeouts.get(name, self._timeout + 1)
        context = Context.starting(own, name)
        patience = min(own, self._timeout)
        loop = asyncio.get_running_loop()
        over: asyncio.Future[_Outcome | None] = loop.create_future()
        timer = loop.call_later(patience, _settle, over, None)
        task = loop.create_task(self._call(self._handlers[name], event, context, over))
        self._running.add(task)
        try:
            outcome = await over
        except asyncio.CancelledError:
            task.cancel()
            why = "the function did not answer before the server had to end"
            raise RefusedError(replace(self._front_door.timed_out, why=why)) from None
        finally:
            timer.cancel()
            self._running.discard(task)
        if outcome is None:
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            if len(self._late) % self._thread_count == 0:
                self._threads = self._new_threads()  # the late ones may never give theirs back
            if own < self._timeout:
                why = f"the function was ended by its own timeout of {own:g} s; raise it, or answer sooner"
                raise RefusedError(replace(self._front_door.failed, why=why))
            why = f"the function did not answer in {patience:g} s; answer sooner, or raise --timeout"
            raise RefusedError(replace(self._front_door.timed_out, why=why))
        try:
            result, error = outcome
            if isinstance(error, SystemExit):  # on AWS this ends the function's process, not the front door's
                raise RuntimeError(f"the function called sys.exit({error.code!r})") from error
            if error is not None:
                raise error
            return through_lambda(result, self._front_door.failed)
        except RefusedError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            logger().exception("The function failed.")
            why = f"the function failed, its traceback is above: {type(error).__name__}: {error}"
            raise RefusedError(replace(self._front_door.failed, why=why)) from None

    async def _call(
        self, handler: LambdaHandler, event: Any, context: Context, over: asyncio.Future[_Outcome | None]
    ) -> None:
        """Settle *over* with what the function returns or raises.

        The task does so itself: a callback for its end comes a round of the event loop later.
        """
        try:
            if isinstance(handler, Handler) and handler.is_async:
                _settle(over, (await handler.answer(event, context), None))
            elif _is_async(handler):
                _settle(over, (await handler(event, context), None))
            else:
                run = contextvars.copy_context().run
                executor = self._threads
                running = asyncio.get_running_loop().run_in_executor(executor, run, _outcome, handler, event, context)
                _settle(over, await running)
        except SystemExit as error:
            _settle(over, (None, error))
        except (Exception, asyncio.CancelledError) as error:
            _settle(over, (None, error))

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        hosted = [h.hosted for h in self._handlers.values() if isinstance(h, Handler) and h.hosted is not None]
        try:
            for application in hosted:
                await application.startup_here()
        except Exception as error:
            logger().exception("The application does not start up.")
            for application in hosted:
                await application.close_here()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._late:
            task.cancel()  # on AWS it would be over, too
        for tasks, seconds in ((self._late, 1.0), (self._running, self._timeout)):
            if tasks:
                await asyncio.wait(list(tasks), timeout=seconds)
        for application in hosted:
            await application.close_here()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._thread_count, thread_name_prefix="bridge function")


def _is_async(handler: LambdaHandler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _settle(over: asyncio.Future[_Outcome | None], outcome: _Outcome | None) -> None:
    """Settle *over*, unless it is: None for too late comes too late after an outcome, and the other way round."""
    if not over.done():
        over.set_result(outcome)


def _outcome(handler: LambdaHandler, event: Any, context: Context) -> _Outcome:
    """What *handler* returns or raises. Not raised here: a future cannot carry every exception (StopIteration)."""
    try:
        return handler(event, context), None
    except BaseException as error:
        return None, error
