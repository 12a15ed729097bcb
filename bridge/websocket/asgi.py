"""Running an ASGI application for one event of a WebSocket API.

https://asgi.readthedocs.io/en/latest/specs/www.html#websocket

The application runs from its beginning for each event. After ``websocket.connect`` it receives the event's message, if
there is one, and its run ends where it waits for another one: its task is cancelled. A cancellation runs ``finally``
clauses and is no ``websocket.disconnect``, so the application's code for a disconnected client does not run.

What the application sends before it waits for the first message was sent when the connection was opened, and is not
sent again.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import lru_cache, partial

from bridge.asgi.loop import await_chain
from bridge.asgi.request_cycle import RequestCycle, connection_scope, texts_of
from bridge.errors import GoneError, InterfaceError, WebSocketError
from bridge.logs import logger
from bridge.response import Response
from bridge.websocket import events
from bridge.websocket.connections import current_client, encode
from bridge.websocket.outbox import hand_over, send_kept
from bridge.websocket.store import find_store, save_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.asgi.application import AsgiApplication
    from bridge.settings import Settings
    from bridge.websocket.events import WebSocketScope

# A task waits for what other tasks of the same run do, or for a message, if one of its innermost frames is here.
_WAITING = {
    ("asyncio.queues", "get"),
    ("asyncio.tasks", "_wait"),
    ("asyncio.tasks", "wait_for"),  # Python 3.11, with a task of its own for what it waits for
    ("asyncio.taskgroups", "__aexit__"),
    ("asyncio.taskgroups", "_aexit"),
    ("anyio._backends._asyncio", "__aexit__"),
    ("anyio.streams.memory", "receive"),
}
_OPENING = ("websocket.accept", "websocket.http.response.start", "websocket.http.response.body")
_SLEEPING = ("asyncio.tasks", "sleep")
_QUIET_ITERATIONS = 4  # of the loop, in which callbacks may wake a task
# Seconds that tasks may sleep before they are cancelled, unless one sleep takes longer; and that they then have to end.
_SLEEP_SECONDS = 2.0
_LONGEST_PAUSE = 0.02  # seconds between two looks at tasks that are busy


def read(event: dict[str, Any], context: Any, settings: Settings) -> WebSocketScope:
    """The request in an event of a WebSocket API, for an ASGI application."""
    scope = events.read(event, context, settings)
    scope.new_cycle = partial(WebSocketCycle, scope)
    return scope


write = events.write


class WebSocketCycle(RequestCycle):
    """The ``receive`` and ``send`` of an application during one event.

    Args:
        scope: the event.
    """

    def __init__(self, scope: WebSocketScope, _application: AsgiApplication) -> None:
        super().__init__(b"")
        self._scope = scope
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        self._waiting: asyncio.Future[None]  # done once the application waits for a message
        self._receivers: set[asyncio.Task[Any] | None] = set()
        self._is_prologue = scope.kind != "CONNECT"
        self._is_closed = False  # by the client, or by the application
        self._is_gone = False  # closed by the client, which a request to the connection has shown
        self._late: GoneError | None = None  # raised by send() after the connection was closed
        self._is_accepted = False
        self._is_stopped = False
        self._is_over = False

    async def run(self, app: Any, connection: dict[str, Any]) -> None:
        """Call the application, and let it end where it waits for a message that the event does not have."""
        scope, store = self._scope, find_store()
        try:
            item = await self._load(store)
            if not self._is_closed:
                session = _json(item["session"])
                await self._call(app, _connection_scope(scope, connection.get("state"), session))
                if scope.kind == "CONNECT":
                    await self._answer(store, {**item, "session": _json(session)})
                elif scope.kind == "MESSAGE" and store is not None and _json(session) != item["session"]:
                    await asyncio.to_thread(save_session, store, scope.connection_id, item, _json(session))
        finally:
            if scope.kind == "DISCONNECT" and store is not None:
                await asyncio.to_thread(store.delete, scope.connection_id)
        self.response = self.response or Response(200, [], b"")
        self.is_complete = True

    async def receive(self) -> dict[str, Any]:
        """``websocket.connect`` and the message of the event. Where this waits for another one, the run ends."""
        if self._is_stopped or self._is_over:
            raise asyncio.CancelledError("The event of this WebSocket connection is over.")
        if self._inbox.empty() and not self._waiting.done():
            self._waiting.set_result(None)
        task = asyncio.current_task()
        self._receivers.add(task)
        try:
            message = await self._inbox.get()
        finally:
            self._receivers.discard(task)
        self._is_closed = self._is_closed or message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Any) -> None:
        """Take one message of the application, and send what it has for the client.

        Raises:
            GoneError: the connection is closed.
            InterfaceError: ASGI does not allow the message at this point.
            MessageTooLargeError: the message is larger than API Gateway allows.
            WebSocketError: the message is binary or cannot be sent, or the event is over.
        """
        kind, is_connect = message["type"], self._scope.kind == "CONNECT"
        if self._is_over:
            raise WebSocketError(
                f"{kind} came after the event of the WebSocket connection {self._scope.connection_id} was over. An "
                "object for a connection lives as long as one event: keep the connection's ID or a group, and use "
                "bridge.websocket.send() or broadcast()."
            )
        if self._is_stopped:  # a finally clause of a stopped application; its connection stays open
            return
        if self._is_closed:
            self._late = GoneError("The WebSocket connection is closed.")
            raise self._late
        if kind == "websocket.send" and (self._is_accepted or not is_connect):
            await self._send(message)
        elif kind == "websocket.close" and (self._is_accepted or not is_connect):
            await self._close(message.get("code", 1000))
        elif kind in _OPENING and not is_connect:
            pass
        elif kind == "websocket.accept" and self.response is None:
            headers = texts_of(message.get("headers") or ())
            if message.get("subprotocol"):
                headers.append(("Sec-WebSocket-Protocol", message["subprotocol"]))
            self.response = Response(200, headers, b"")
            self._is_accepted = True
        elif kind == "websocket.close" and self.response is None:
            self.response = Response.plain(403, "Forbidden")
            self._disconnect(1006)
        elif kind == "websocket.http.response.start" and self.response is None:
            self.response = Response(message["status"], texts_of(message.get("headers") or ()), b"")
        elif kind == "websocket.http.response.body" and self.response is not None and not self._is_accepted:
            self.response.body += message.get("body", b"")
            if not message.get("more_body"):
                self._disconnect(1006)
        else:
            when = "before it accepted the connection" if self.response is None else "after its response had begun"
            raise InterfaceError(f"The application sent {kind!r} {when}.")

    async def _load(self, store: Any) -> dict[str, Any]:
        """What is stored of the connection, of which the scope gets the fields of the connect event."""
        scope = self._scope
        item: dict[str, Any] | None = None
        if scope.kind != "CONNECT" and store is not None:
            try:
                load = send_kept if scope.kind == "MESSAGE" else store.get
                item = await asyncio.to_thread(load, scope.connection_id)
            except GoneError:
                self._disconnect(1006)
        if item is None:
            if scope.kind != "CONNECT" and not self._is_closed:
                _warn_of_missing_fields(has_store=store is not None)
            return {"connect": None, "session": {}, "kept": [], "version": 0}
        if item["connect"] is not None:
            scope.restore(item["connect"])
        return item

    async def _call(self, app: Any, connection: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        messages = _messages_of(self._scope)

        async def call() -> None:
            await app(connection, self.receive, self.send)

        self._waiting = loop.create_future()
        main = loop.create_task(call())
        try:
            await self._until_waiting(main)
            for message in messages:
                self._is_prologue = False
                self._waiting = loop.create_future()
                self._inbox.put_nowait(message)
                await self._until_waiting(main)
        finally:
            await self._stop(main)
            self._is_over = True
        if not self._is_stopped:
            await self._end(main)

    async def _until_waiting(self, main: asyncio.Task[None]) -> None:
        """Wait until the application has returned, or waits for a message and its tasks do or wait for each other.

        The task that calls ``receive`` is often not the one that handles messages.
        """
        loop = asyncio.get_running_loop()
        await asyncio.wait({main, self._waiting}, return_when=asyncio.FIRST_COMPLETED)
        start, pause, quiet = loop.time(), 0.0, 0
        while not main.done() and quiet < _QUIET_ITERATIONS and {main, *self.tasks} - self._receivers:
            working = self._working_tasks(main)
            shortest = min(working.values(), default=_SLEEP_SECONDS)
            if not shortest or max(shortest, loop.time() - start) < _SLEEP_SECONDS:
                await asyncio.wait({main}, timeout=pause)
                pause, quiet = min(pause + 0.001, _LONGEST_PAUSE), 0
                continue
            if working and not quiet and not self._is_prologue:
                logger.warning(
                    "%s: tasks of the application sleep (%s) and are cancelled. Lambda freezes the process between two "
                    "events, so it cannot send at a time of its own. Let a schedule call bridge.websocket.send().",
                    self._scope,
                    ", ".join(task.get_name() for task in working),
                )
            quiet += 1
            await asyncio.sleep(0)

    def _working_tasks(self, main: asyncio.Task[None]) -> dict[asyncio.Task[Any], float]:
        """The tasks that wait neither for a message nor for each other, with the seconds that they sleep; 0 if busy."""
        working: dict[asyncio.Task[Any], float] = {}
        for task in {main, *self.tasks} - self._receivers:
            frames = await_chain(task)[-3:]
            places = [(frame.f_globals.get("__name__"), frame.f_code.co_name) for frame in frames]
            # What a task that has just been woken has waited for is done.
            locals_ = frames[-1].f_locals.values() if frames else ()
            is_woken = any(isinstance(value, asyncio.Future) and value.done() for value in locals_)
            if not task.done() and (is_woken or _WAITING.isdisjoint(places)):
                working[task] = frames[-1].f_locals["delay"] if places[-1:] == [_SLEEPING] else 0
        return working

    async def _stop(self, main: asyncio.Task[None]) -> None:
        """Cancel what is left of the application."""
        self._is_stopped = not main.done()
        for tasks in ({main}, self.tasks):
            left = {task for task in tasks if not task.done()}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=_SLEEP_SECONDS)
        if self._is_stopped and main.done() and not main.cancelled() and main.exception() is not None:
            logger.warning("%s: the application failed when it was stopped.", self._scope, exc_info=main.exception())

    async def _end(self, main: asyncio.Task[None]) -> None:
        """Close the connection of an application that has returned or failed, as other servers do."""
        error: BaseException | None = asyncio.CancelledError() if main.cancelled() else main.exception()
        if self._is_gone or (error is not None and error is self._late and self._scope.kind == "DISCONNECT"):
            logger.info("The WebSocket connection %s was closed by its client.", self._scope.connection_id)
            return
        if not self._is_closed and (self._scope.kind == "MESSAGE" or (self._is_accepted and error is None)):
            try:
                await self._close(1000)
            except WebSocketError:
                if error is None:
                    raise
                logger.exception("%s: the connection cannot be closed.", self._scope)
        if isinstance(error, asyncio.CancelledError):
            raise InterfaceError("The application cancelled its own task, or raised CancelledError.") from error
        if error is not None:
            raise error

    async def _answer(self, store: Any, item: dict[str, Any]) -> None:
        """Make the response to a connect event, and keep what later events need."""
        scope = self._scope
        if self.response is None or (not self._is_accepted and not self._is_closed):
            raise InterfaceError("The application has neither accepted nor closed the connection.")
        if not self._is_accepted:
            if self.response.status < 300:  # would accept
                raise InterfaceError(f"The application refuses a connection with the status {self.response.status}.")
            return
        self.response, kept = hand_over(scope, self.response, has_store=store is not None)
        if store is not None and self.response.status == 200:
            try:
                await asyncio.to_thread(
                    store.put, scope.connection_id, {**item, "connect": scope.kept_fields(), "kept": kept}
                )
            except BaseException:
                scope.outbox.clear()  # the connection will not open
                raise

    async def _send(self, message: Any) -> None:
        text, data = message.get("text"), message.get("bytes")
        body = encode(text if text is not None else data if data is not None else b"")
        if self._scope.kind == "CONNECT":
            self._scope.outbox.append(body.decode())
        elif not self._is_prologue:
            try:
                await asyncio.to_thread(current_client().send, self._scope.connection_id, body)
            except GoneError:
                self._is_gone = True
                self._disconnect(1006)
                raise

    async def _close(self, code: int) -> None:
        self._is_closed = True
        if self._scope.kind == "CONNECT":
            self._scope.outbox.append(None)
        else:
            with suppress(GoneError):
                await asyncio.to_thread(current_client().close, self._scope.connection_id)
        self._disconnect(code)  # afterwards: Quart then cancels the task that closes the connection

    def _disconnect(self, code: int) -> None:
        self._is_closed = True
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})


def _messages_of(scope: WebSocketScope) -> list[dict[str, Any]]:
    """What the application receives after ``websocket.connect``."""
    if scope.kind == "CONNECT":
        return []
    if scope.kind == "MESSAGE":
        data = scope.data()
        return [{"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}]
    context = scope.event["requestContext"]
    code, reason = context.get("disconnectStatusCode") or 1005, context.get("disconnectReason") or ""
    return [{"type": "websocket.disconnect", "code": code, "reason": reason}]


def _connection_scope(scope: WebSocketScope, state: dict[str, Any] | None, session: dict[str, Any]) -> dict[str, Any]:
    connection = connection_scope(scope, state)
    del connection["method"]
    names = {"connection_id": scope.connection_id, "event": scope.kind, "route": scope.route}
    return {
        **connection,
        "type": "websocket",
        "subprotocols": scope.subprotocols,
        "extensions": {"websocket.http.response": {}, "bridge.websocket": {**names, "session": session}},
    }


def _json(session: Any) -> Any:
    """*session* as JSON values; raises WebSocketError if it has others."""
    try:
        return json.loads(json.dumps(session))
    except (TypeError, ValueError) as error:
        raise WebSocketError(f"The session of a WebSocket connection takes JSON values only: {error}.") from error


@lru_cache
def _warn_of_missing_fields(*, has_store: bool) -> None:
    problem = "A WebSocket connection is not in the store" if has_store else "BRIDGE_WEBSOCKET_STORE is not set"
    advice = "Let the API's $connect route call this function" if has_store else "Set it to dynamodb:TABLE"
    logger.warning("%s: the scope of its messages has neither headers nor a session. %s.", problem, advice)
