"""Connections of a WebSocket API, and the events that API Gateway sends for them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.event_parts import (
    all_values,
    decode_header,
    forwarded_headers,
    last_values,
    query_pairs,
    request_time,
)

if TYPE_CHECKING:
    from collections.abc import Container

    from bridge.dev.gateway.models import Request

CONNECT, DEFAULT, DISCONNECT = "$connect", "$default", "$disconnect"
DEFAULT_SELECTION = "$request.body.action"
_API_ID = "bridge"
# The stage of an API without one in its address, as behind a custom domain.
_STAGE = "local"
_VARIABLE = re.compile(r"\$\{request\.body\.([\w.-]+)\}|\$request\.body\.([\w.-]+)")
# Reasons that API Gateway writes for codes that come without one.
_REASONS = {1000: "Connection Closed Normally", 1001: "Going away", 1005: "Client-side close frame status not set"}


class ClientConnection:
    """A connection of a client.

    Args:
        request: the client's handshake.
        stage: the stage with which the address begins; ``""`` for a custom domain.

    Attributes:
        request: the argument.
        stage: the stage that events name.
        domain: the domain that events name: the API's own one if the address has the stage.
        id: the ID, as API Gateway makes one.
        connected: when the client has connected, in seconds since the epoch.
        last_active: when the last message was sent or received, in seconds since the epoch.
        is_open: whether messages can be sent; not before the connect event is answered.
        outgoing: the messages for the client; a pair of code and reason closes the connection.
    """

    def __init__(self, request: Request, stage: str) -> None:
        host = decode_header(request.header("host")) or "localhost"
        self.request = request
        self.stage = stage_of(stage)
        self.domain = f"{_API_ID}.execute-api.{host}" if stage else host
        self.id = new_id()
        self.connected = self.last_active = time.time()
        self.is_open = False
        self.outgoing: asyncio.Queue[str | tuple[int, str]] = asyncio.Queue()

    @property
    def identity(self) -> dict[str, str]:
        """The client, as events describe it."""
        agent = decode_header(self.request.header("user-agent"))
        return ({"userAgent": agent} if agent else {}) | {"sourceIp": self.request.client}


def connect_event(connection: ClientConnection) -> dict[str, Any]:
    """Return the event for a client that connects."""
    request = connection.request
    # ASGI servers have lower-case names, and API Gateway those that clients of HTTP/1.1 send.
    headers = [
        (name.title().replace("-Websocket-", "-WebSocket-"), value) for name, value in forwarded_headers(request)
    ]
    event: dict[str, Any] = {"headers": last_values(headers), "multiValueHeaders": all_values(headers)}
    query = all_values(query_pairs(request.query, decode=True), ignore_case=False)
    if query:
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["multiValueQueryStringParameters"] = query
    return event | {"requestContext": _context(connection, "CONNECT", CONNECT), "isBase64Encoded": False}


def message_event(connection: ClientConnection, route: str, body: str) -> dict[str, Any]:
    """Return the event for a client's message."""
    context = {"messageId": new_id(), **_context(connection, "MESSAGE", route)}
    return {"requestContext": context, "body": body, "isBase64Encoded": False}


def disconnect_event(connection: ClientConnection, code: int, reason: str) -> dict[str, Any]:
    """Return the event for a connection that is closed."""
    host = decode_header(connection.request.header("host"))
    headers = {"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    context = _context(connection, "DISCONNECT", DISCONNECT)
    context |= {"disconnectStatusCode": code, "disconnectReason": reason or _REASONS.get(code, "")}
    repeated = {name: [value] for name, value in headers.items()}
    return {
        "headers": headers, "multiValueHeaders": repeated, "requestContext": context, "isBase64Encoded": False,
    }  # fmt: skip


def stage_of(stage: str) -> str:
    """Return the stage that events name, of an API with a stage in its address, or without one."""
    return stage or _STAGE


def select_route(routes: Container[str], expression: str, body: str) -> str | None:
    """Return the key of the route for a message; None if no route matches, and there is no ``$default``.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html

    Args:
        routes: the keys of all routes.
        expression: the route selection expression, such as ``"$request.body.action"`` or
            ``"${request.body.service}/${request.body.action}"``.
        body: the message.
    """
    try:
        content = json.loads(body)
    except ValueError:
        content = None

    def value_of(match: re.Match[str]) -> str:
        value = content
        for name in (match[1] or match[2]).split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return "" if value is None or isinstance(value, (dict, list)) else str(value)

    key = _VARIABLE.sub(value_of, expression)
    if key in routes and key not in (CONNECT, DISCONNECT):
        return key
    return DEFAULT if DEFAULT in routes else None


def is_selection_expression(text: str) -> bool:
    """Return whether *text* has at least one variable of the message."""
    return _VARIABLE.search(text) is not None


def new_id() -> str:
    """Return an ID of a connection, a message or a request, of the form that API Gateway's IDs have."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


def _context(connection: ClientConnection, kind: str, route: str) -> dict[str, Any]:
    now, milliseconds = request_time()
    request_id = new_id()
    return {
        "routeKey": route,
        "eventType": kind,
        "extendedRequestId": request_id,
        "requestTime": now,
        "messageDirection": "IN",
        "stage": connection.stage,
        "connectedAt": int(connection.connected * 1000),
        "requestTimeEpoch": milliseconds,
        "identity": connection.identity,
        "requestId": request_id,
        "domainName": connection.domain,
        "connectionId": connection.id,
        "apiId": _API_ID,
    }
