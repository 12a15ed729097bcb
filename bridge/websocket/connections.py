"""The client of API Gateway's ``@connections`` endpoint: sends to WebSocket connections and closes them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html

Requests are signed, except those to an ``http://`` endpoint, which is a local one.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from urllib.parse import quote, urlsplit

from bridge.errors import GoneError, MessageTooLargeError, WebSocketError
from bridge.limits import WEBSOCKET_MESSAGE_LIMIT
from bridge.request import current
from bridge.websocket.aws_client import AwsClient
from bridge.websocket.events import WebSocketScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

_CONCURRENCY = 16  # requests at once; signing takes the processor, and more threads only wait for it
# Seconds before the attempts that follow one that was throttled or failed on API Gateway's side.
_RETRIES = (0.1, 0.4)


class ConnectionsClient:
    """A client of one endpoint, for any number of threads.

    Args:
        endpoint: the URL up to ``/@connections``, such as ``"https://abc.execute-api.eu-west-1.amazonaws.com/prod"``.
    """

    def __init__(self, endpoint: str) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.netloc:
            raise WebSocketError(f"The endpoint {endpoint!r} is not the URL of a WebSocket API's stage (https://…).")
        self._url = endpoint.rstrip("/") + "/@connections/"
        _, marker, rest = url.netloc.partition(".execute-api.")
        region = rest.partition(".")[0] if marker else None
        self._client = AwsClient(endpoint, "execute-api" if url.scheme == "https" else None, region)

    def send(self, connection_id: str, body: bytes) -> None:
        """Send a message; raises GoneError, MessageTooLargeError, WebSocketError."""
        self._call("POST", connection_id, body)

    def close(self, connection_id: str) -> None:
        """Close a connection; raises GoneError, WebSocketError."""
        self._call("DELETE", connection_id, b"")

    def _call(self, method: str, connection_id: str, body: bytes) -> None:
        for pause in (*_RETRIES, None):
            status, answer = self._client.request(method, self._url + quote(connection_id, safe=""), body)
            if status < 300:
                return
            if pause is None or (status != 429 and status < 500):
                break
            time.sleep(pause)
        if status == 410:
            raise GoneError(f"The WebSocket connection {connection_id} is closed.")
        if status == 413:
            raise MessageTooLargeError(f"API Gateway refused a message of {len(body)} bytes as too large.")
        hint = " The function's role needs execute-api:ManageConnections." if status == 403 else ""
        raise WebSocketError(f"{method} {self._url}{connection_id} was answered {status}: {answer[:300]!r}.{hint}")


client_for = lru_cache(16)(ConnectionsClient)


def current_client(endpoint: str | None = None) -> ConnectionsClient:
    """The client of *endpoint*, of ``BRIDGE_WEBSOCKET_ENDPOINT``, or of the API that sent the current event.

    Raises:
        WebSocketError: none of them is given.
    """
    endpoint = endpoint or os.environ.get("BRIDGE_WEBSOCKET_ENDPOINT")
    if not endpoint:
        request = current.get()
        endpoint = endpoint_of(request.event) if request is not None else None
    if not endpoint:
        raise WebSocketError(
            "No WebSocket API is known here, since no event of one is being answered. Set BRIDGE_WEBSOCKET_ENDPOINT to "
            "the URL of its stage, such as https://abc.execute-api.eu-west-1.amazonaws.com/prod, or pass endpoint."
        )
    return client_for(endpoint)


def endpoint_of(event: Any) -> str | None:
    """The endpoint of the WebSocket API that sent *event*; None for other events.

    The mapping of a custom domain is not in its events, so the API's own domain is used.
    """
    context = event.get("requestContext") if isinstance(event, dict) else None
    if not isinstance(context, dict) or "connectionId" not in context:
        return None
    domain, region = context["domainName"], os.environ.get("AWS_REGION")
    if ".execute-api." not in domain and region and context.get("apiId"):
        domain = f"{context['apiId']}.execute-api.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    return f"https://{domain}/{context['stage']}"


def encode(data: str | bytes | bytearray | memoryview) -> bytes:
    """The bytes of a message.

    Raises:
        WebSocketError: *data* is binary.
        MessageTooLargeError: *data* is larger than API Gateway allows.
    """
    if isinstance(data, str):
        body = data.encode("utf-8", "replace")
    elif not isinstance(data, (bytes, bytearray, memoryview)):  # bytes(5) are five of them
        raise TypeError(f"A message is text or bytes, not {type(data).__name__}: use json.dumps() for JSON.")
    else:
        body = bytes(data)
        try:
            body.decode()
        except UnicodeDecodeError:
            # API Gateway sends text frames only, and replaces what is not UTF-8 by U+FFFD.
            raise WebSocketError(
                "API Gateway sends no binary messages, and would replace bytes that are not UTF-8. Send them as text, "
                "such as base64."
            ) from None
    if len(body) > WEBSOCKET_MESSAGE_LIMIT:
        raise MessageTooLargeError(
            f"The message has {len(body)} bytes; a WebSocket API takes at most {WEBSOCKET_MESSAGE_LIMIT}. Send it in "
            "parts, or send the URL of a file."
        )
    return body


def poster(endpoint: str | None = None) -> Callable[[str, bytes], None]:
    """A function of connection ID and body that sends a message.

    What is for the connection whose connect event is being answered waits for the answer.

    Raises:
        WebSocketError: as :func:`current_client`.
    """
    event, client = current.get(), current_client(endpoint)
    connecting = event if isinstance(event, WebSocketScope) and event.kind == "CONNECT" else None

    def post(connection_id: str, body: bytes) -> None:
        if connecting is not None and connecting.connection_id == connection_id:
            connecting.outbox.append(body.decode())
        else:
            client.send(connection_id, body)

    return post


@lru_cache
def threads() -> ThreadPoolExecutor:
    """The threads in which requests are made."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(_CONCURRENCY, "bridge websocket")
