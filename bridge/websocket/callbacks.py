"""Callbacks for the events of a WebSocket API, for applications without ASGI.

Example::

    def on_message(connection, message):
        connection.send(message.upper())

    handler = bridge.handler(app, on_message=on_message)
"""

from __future__ import annotations

from bridge.errors import InterfaceError, is_cancellation
from bridge.logs import logger
from bridge.request import current
from bridge.response import Response
from bridge.websocket.connections import current_client, encode, poster
from bridge.websocket.events import read
from bridge.websocket.outbox import hand_over, send_kept
from bridge.websocket.store import find_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.settings import Settings
    from bridge.websocket.events import WebSocketScope


class Connection:
    """A WebSocket connection, as callbacks get it.

    Attributes:
        id: API Gateway's ID of the connection.
        headers: the headers of the event, by lower-case name; those of the client only in ``on_connect``.
        event: the event.
        context: Lambda's context object.
    """

    def __init__(self, scope: WebSocketScope) -> None:
        self.id = scope.connection_id
        self.headers = {name.lower(): value for name, value in scope.headers}
        self.event = scope.event
        self.context = scope.context
        self._scope = scope

    def send(self, data: str | bytes) -> None:
        """Send a message; raises GoneError, MessageTooLargeError, WebSocketError."""
        poster()(self.id, encode(data))

    def close(self) -> None:
        """Close the connection; raises GoneError, WebSocketError."""
        if self._scope.kind == "CONNECT":
            self._scope.outbox.append(None)
        else:
            current_client().close(self.id)


def answer(event: Any, context: Any, settings: Settings, resolve: Callable[[Any], Any]) -> Any:
    """The payload for an event of a WebSocket API; *settings* have the callbacks, or their names for *resolve*."""
    scope = read(event, context, settings)
    name = f"on_{scope.kind.lower()}"
    callback = getattr(settings, name, None)
    result = None
    if callback is not None:
        callback = resolve(callback)
        setattr(settings, name, callback)
        arguments = (Connection(scope), scope.data()) if scope.kind == "MESSAGE" else (Connection(scope),)
        token = current.set(scope)
        try:
            if scope.kind == "MESSAGE":
                send_kept(scope.connection_id)
            result = callback(*arguments)
            if isinstance(result, bool) or not (result is None or isinstance(result, (int, dict))):
                if hasattr(result, "close"):  # a coroutine, which would warn
                    result.close()
                raise InterfaceError(
                    f"It returned {result!r}; a callback returns None, a status or a payload, and is no async function."
                )
        except BaseException as error:
            if not isinstance(error, Exception) and not is_cancellation(error):
                raise
            logger.exception("%s: the callback %s failed.", scope, name)
            return {"statusCode": 500}
        finally:
            current.reset(token)
    payload = result if isinstance(result, dict) else {"statusCode": 200 if result is None else result}
    if scope.outbox and payload.get("statusCode") in range(200, 300):
        store = find_store()
        response, kept = hand_over(scope, Response(payload["statusCode"], [], b""), has_store=store is not None)
        if store is not None and response.status < 300:
            store.put(scope.connection_id, {"connect": None, "session": {}, "kept": kept})
        payload = {**payload, "statusCode": response.status}
    return payload
