"""WebSocket APIs of API Gateway: send to connections from anywhere.

Example::

    import bridge.websocket

    bridge.websocket.send(connection_id, "the report is ready")
    bridge.websocket.broadcast("lobby", "good morning")

Each function has an asynchronous twin: :func:`asend`, :func:`aclose`, :func:`ajoin`, :func:`aleave`,
:func:`abroadcast`. ``bridge.websocket.events`` describes the events.
"""

from __future__ import annotations

from bridge.websocket.connections import current_client, encode, poster
from bridge.websocket.groups import broadcast, join, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, ParamSpec, TypeVar

    Arguments = ParamSpec("Arguments")
    Result = TypeVar("Result")

__all__ = ["abroadcast", "aclose", "ajoin", "aleave", "asend", "broadcast", "close", "join", "leave", "send"]


def send(connection_id: str, data: str | bytes, *, endpoint: str | None = None) -> None:
    """Send a message to a connection.

    Args:
        connection_id: API Gateway's ID of the connection.
        data: text, or bytes that are UTF-8.
        endpoint: the URL of the WebSocket API's stage, such as
            ``"https://abc.execute-api.eu-west-1.amazonaws.com/prod"``; if None, ``BRIDGE_WEBSOCKET_ENDPOINT``, or the
            API that sent the current event.

    Raises:
        GoneError: the connection is closed.
        MessageTooLargeError: the message is larger than API Gateway allows.
        WebSocketError: the message is binary, or the API cannot be used.
    """
    poster(endpoint)(connection_id, encode(data))


def close(connection_id: str, *, endpoint: str | None = None) -> None:
    """Close a connection; raises GoneError, WebSocketError.

    Args:
        connection_id: API Gateway's ID of the connection.
        endpoint: see :func:`send`.
    """
    current_client(endpoint).close(connection_id)


def _asynchronous(function: Callable[Arguments, Result]) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    async def call(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        import asyncio  # a WSGI application has no other use for it

        return await asyncio.to_thread(function, *args, **options)

    call.__name__ = call.__qualname__ = f"a{function.__name__}"
    call.__doc__ = f"Asynchronous :func:`{function.__name__}`."
    return call


asend = _asynchronous(send)
aclose = _asynchronous(close)
ajoin = _asynchronous(join)
aleave = _asynchronous(leave)
abroadcast = _asynchronous(broadcast)
