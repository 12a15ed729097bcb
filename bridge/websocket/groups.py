"""Groups of WebSocket connections, to which one message is sent."""

from __future__ import annotations

from time import time

from bridge.errors import GoneError
from bridge.websocket.connections import encode, poster, threads
from bridge.websocket.store import required_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

# Requests to a connection are answered 410 before its connect event is, which API Gateway waits for at most 29 s.
_CONNECT_SECONDS = 30


def join(group: str, connection_id: str) -> None:
    """Add a connection to a group; one that closes leaves its groups.

    Raises:
        WebSocketError: there is no store, or it cannot be used.
    """
    required_store().join(group, connection_id)


def leave(group: str, connection_id: str) -> None:
    """Remove a connection from a group; raises WebSocketError as :func:`join`."""
    required_store().leave(group, connection_id)


def broadcast(group: str, data: str | bytes, *, exclude: Collection[str] = (), endpoint: str | None = None) -> int:
    """Send a message to all connections of a group, several at once, and remove those that are closed.

    Args:
        group: the group.
        data: the message.
        exclude: IDs of connections that do not get it.
        endpoint: see :func:`bridge.websocket.send`.

    Returns:
        The number of connections to which it was sent.

    Raises:
        MessageTooLargeError: the message is larger than API Gateway allows.
        WebSocketError: the store or the API cannot be used. The message was sent to the connections that did not fail.
    """
    store, post, body = required_store(), poster(endpoint), encode(data)
    connections = {member: joined for member, joined in store.members(group).items() if member not in exclude}

    def send(connection_id: str) -> Exception | None:
        try:
            post(connection_id, body)
        except GoneError as error:
            if time() - connections[connection_id] > _CONNECT_SECONDS:
                store.delete(connection_id)
            return error
        except Exception as error:
            return error
        return None

    errors = list(threads().map(send, connections))
    for error in errors:
        if error is not None and not isinstance(error, GoneError):
            raise error
    return errors.count(None)
