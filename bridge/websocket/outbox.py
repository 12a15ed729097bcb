"""What is sent to a connection within its connect event, whose answer API Gateway waits for.

A runtime that can run code after a response sends it then. Elsewhere, and if the connection does not open soon, the
store keeps it for the client's first message.
"""

from __future__ import annotations

import time

from bridge import response_callbacks
from bridge.errors import GoneError
from bridge.logs import logger
from bridge.request import current
from bridge.response import Response
from bridge.websocket.connections import current_client
from bridge.websocket.store import find_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.websocket.connections import ConnectionsClient
    from bridge.websocket.events import WebSocketScope

# Seconds before the attempts to reach a connection that API Gateway is about to open.
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

_pending: dict[int, tuple[ConnectionsClient, WebSocketScope]] = {}  # by the identity of the event


def hand_over(scope: WebSocketScope, response: Response, *, has_store: bool) -> tuple[Response, list[str | None]]:
    """Leave the outbox of an accepted connection to the runtime, if it can send it after the response.

    Returns:
        The response, which is a refusal if the connection could not be closed otherwise; and what the store has to
        keep.
    """
    if not scope.outbox:
        return response, []
    if response_callbacks.is_deferred:
        _pending[id(scope.event)] = current_client(), scope
        response_callbacks.after_response(_flush)
        return response, []
    if None in scope.outbox:
        return Response.plain(403, "Forbidden"), []
    if not has_store:
        logger.warning(
            "%s: the connection opens after the answer, and what is sent to it before is lost. With a store "
            "(BRIDGE_WEBSOCKET_STORE) it is sent with the client's first message, and under bridge.runtime after the "
            "answer.",
            scope,
        )
        return response, []
    return response, scope.outbox


def send_kept(connection_id: str) -> Any:
    """What is stored of a connection, once what is kept of messages to it is sent; raises GoneError, WebSocketError."""
    store: Any = find_store()
    item = store.get(connection_id) if store is not None else None
    if item is None or not item["kept"]:
        return item
    if store.put(connection_id, {**item, "kept": []}, item["version"]):
        for text in item["kept"]:
            _send(current_client(), connection_id, text)
    return store.get(connection_id)


def _send(client: ConnectionsClient, connection_id: str, text: str | None) -> None:
    if text is None:
        client.close(connection_id)
    else:
        client.send(connection_id, text.encode())


def _flush() -> None:
    """Send the outbox of the event whose response was sent. A callback of the runtime."""
    request = current.get()
    client, scope = _pending.pop(id(request and request.event), (None, None))
    if client is None or scope is None:
        return
    pauses, left = list(_PAUSES), [*scope.outbox]
    while left:
        try:
            _send(client, scope.connection_id, left[0])
            del left[0]
        except GoneError:
            if not pauses:
                break
            time.sleep(pauses.pop(0))
    store: Any = find_store() if left else None
    item = store.get(scope.connection_id) if store is not None else None
    if item is not None:  # the Lambda service may hold back the response until the runtime asks for the next event
        store.put(scope.connection_id, {**item, "kept": left}, item["version"])
    elif left:
        logger.info("The WebSocket connection %s was closed by its client.", scope.connection_id)
