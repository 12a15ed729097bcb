"""An httpx transport that passes requests through a front door to a Lambda handler, without a server."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import httpx

from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.front_doors import front_door
from bridge.dev.gateway.models import FrontDoorConfig, RefusedError, Request
from bridge.dev.gateway.payload_validation import through_json, through_lambda

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class HandlerTransport(httpx.BaseTransport):
    """Answers the requests of an ``httpx.Client`` with a handler behind a front door.

    ::

        client = httpx.Client(transport=HandlerTransport(handler, "alb"), base_url="https://testserver")

    The client's call raises what the handler raises.

    Args:
        handler: ``(event, context) -> payload``, synchronous or asynchronous. An asynchronous handler runs on one event
            loop, in a thread that ends with the client.
        source: the front door, a key of :data:`bridge.dev.gateway.FRONT_DOORS`.
        **door: the configuration of the front door; see :class:`bridge.dev.gateway.FrontDoorConfig`.

    Raises:
        SettingError: there is no such source.
    """

    def __init__(self, handler: Callable[[Any, Any], Any], source: str = "http-api", **door: Any) -> None:
        self._handler = handler
        self._source = source
        self._front_door = front_door(source)
        self._door = FrontDoorConfig(**door)
        self._loop_thread: _LoopThread | None = None
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, with the front door's own answer where it refuses the request or the payload."""
        url = request.url
        sent = Request(
            method=request.method,
            path=url.raw_path.partition(b"?")[0].decode("ascii"),
            query=url.query.decode("ascii"),
            headers=[(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw],
            body=request.read(),
            scheme=url.scheme,
        )
        try:
            event = through_json(self._front_door.compose(sent, self._door))
            result = self._call(event, LocalContext(self._front_door.timeout))
            payload = through_lambda(result, self._front_door.failed)
            answer = self._front_door.interpret(payload, sent, self._door)
        except RefusedError as refusal:
            answer = refusal.answer
        answer.log(sent, self._source)
        headers = answer.encode_headers(sent.method, len(answer.body))
        body = answer.body if answer.has_body(sent.method) else b""
        return httpx.Response(answer.status, headers=headers, content=body, request=request)

    def close(self) -> None:
        """Close the event loop of an asynchronous handler."""
        loop_thread, self._loop_thread = self._loop_thread, None
        if loop_thread is not None:
            loop_thread.close()

    def _call(self, event: Any, context: LocalContext) -> Any:
        result = _call_outside_of_event_loops(self._handler, event, context)
        if not asyncio.iscoroutine(result):
            return result
        with self._lock:
            self._loop_thread = self._loop_thread or _LoopThread()
        return self._loop_thread.run(result)


def _call_outside_of_event_loops(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call *function*, in another thread if an event loop runs in this one.

    An asynchronous test runs an event loop, in which a handler of an ASGI application cannot be called synchronously.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function(*arguments)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, function, *arguments).result()


class _LoopThread:
    """An event loop that runs in a separate thread."""

    def __init__(self) -> None:
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(started),), name="bridge event loop", daemon=True
        )
        self._thread.start()
        started.result()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return the result of *coroutine*, or raise its exception."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """Cancel the tasks that are left and end the thread."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        started.set_result(None)
        await self._closing.wait()
