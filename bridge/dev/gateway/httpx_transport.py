"""An httpx transport over a Lambda handler: a client's requests take the whole road, without a server."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

import httpx

from bridge.asgi.loop import Loop
from bridge.dev.gateway import front_door
from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.events import log_own, outgoing
from bridge.dev.gateway.json_text import through_json
from bridge.dev.gateway.models import Door, RefusedError, Request
from bridge.dev.gateway.payloads import through_lambda
from bridge.interfaces.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable


class HandlerTransport(httpx.BaseTransport):
    """Answers the requests of an ``httpx.Client`` with a handler behind a front door.

    Args:
        handler: ``(event, context) -> payload``, plain or async; an async one runs on one event loop, which is closed
            with the client. What it raises comes out of the client's call.
        source: the front door, a key of :data:`bridge.dev.gateway.SOURCES`.
        **door: how it is set up; see :class:`bridge.dev.gateway.Door`.

    Raises:
        SettingError: there is no such source.
    """

    def __init__(self, handler: Callable[[Any, Any], Any], source: str = "http-api", **door: Any) -> None:
        self._handler = handler
        self._source = source
        self._front_door = front_door(source)
        self._door = Door(**door)
        self._loop: Loop | None = None
        self._making = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; what the front door refuses is answered as it would."""
        url = request.url
        asked = Request(
            method=request.method,
            path=url.raw_path.partition(b"?")[0].decode("ascii"),
            query=url.query.decode("ascii"),
            headers=[(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw],
            body=request.read(),
            scheme=url.scheme,
        )
        try:
            event = through_json(self._front_door.compose(asked, self._door))
            context = LocalContext.starting(self._front_door.timeout)
            payload = through_lambda(self._called(event, context), self._front_door.failed)
            answer = self._front_door.interpret(payload, asked, self._door)
        except RefusedError as refusal:
            answer = refusal.answer
        log_own(answer, asked, self._source)
        headers, body = outgoing(answer, asked.method)
        return httpx.Response(answer.status, headers=headers, content=body, request=request)

    def close(self) -> None:
        """Close the event loop of an async handler, if there is one."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.finish(_nothing)

    def _called(self, event: Any, context: Any) -> Any:
        result = self._handler(event, context)
        if not inspect.iscoroutine(result):
            return result
        with self._making:
            self._loop = self._loop or Loop()
        turn = Turn()
        return self._loop.take(turn, turn.run(result))


async def _nothing() -> None:
    """Nothing is to be done last."""
