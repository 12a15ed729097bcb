"""Events of API Gateway's WebSocket APIs, as requests.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html

Each event has ``requestContext`` with ``connectionId``, ``eventType``, ``routeKey``, ``domainName``, ``stage``,
``apiId``, ``connectedAt``, ``identity.sourceIp`` and, where the API has an authorizer, ``authorizer``.

============  ==============  ========================================================================================
eventType     routeKey        further fields
============  ==============  ========================================================================================
CONNECT       ``$connect``    ``headers``, ``multiValueHeaders``, and ``queryStringParameters`` and
                              ``multiValueQueryStringParameters`` if the client sent any. The answer's status decides:
                              2xx accepts, any other refuses; its header ``Sec-WebSocket-Protocol`` is the subprotocol.
                              Requests to the connection are answered 410 until then.
MESSAGE       ``$default``    ``body``, ``isBase64Encoded``; ``requestContext.messageId``. The body is text, since API
              or a custom     Gateway closes a connection that sends a binary frame (1003). An integration with
              route           ``contentHandlingStrategy: CONVERT_TO_BINARY`` decodes it from base64, and
                              ``isBase64Encoded`` is true. The answer is ignored, unless the route has a response.
DISCONNECT    ``$disconnect`` ``requestContext.disconnectStatusCode`` and ``.disconnectReason``; a few headers. The
                              connection is closed already. API Gateway does not guarantee this event.
============  ==============  ========================================================================================

There is no path: clients connect to the stage, ``wss://…/prod``, and may send a query. The application's path is
``BRIDGE_WEBSOCKET_PATH``, or ``/``; a local gateway may put the client's into ``path``. It names its ``@connections``
endpoint, with ``http://``, in ``BRIDGE_WEBSOCKET_ENDPOINT``.
"""

from __future__ import annotations

import os

from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.logs import printable
from bridge.request import Scope
from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings

PATH_VARIABLE = "BRIDGE_WEBSOCKET_PATH"


class WebSocketScope(Scope):
    """An event of a WebSocket API, as a request; that of a message gets its fields from the store.

    Attributes:
        connection_id: API Gateway's ID of the connection.
        kind: ``"CONNECT"``, ``"MESSAGE"`` or ``"DISCONNECT"``.
        route: the route's key, such as ``"$default"``.
        outbox: what is to be sent once a connect event is answered: the text of messages, and None to close.
    """

    method = "GET"
    body = b""

    def __init__(self, event: Any, context: Any) -> None:
        super().__init__("websocket", event, context, LAMBDA_PAYLOAD_LIMIT)
        request_context = event["requestContext"]
        self.connection_id: str = request_context["connectionId"]
        self.kind: str = request_context["eventType"]
        self.route: str = request_context.get("routeKey") or ""
        self.outbox: list[str | None] = []

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, the preferred one first."""
        offered = ",".join(value for name, value in self.headers if name.lower() == "sec-websocket-protocol")
        return [name.strip() for name in offered.split(",") if name.strip()]

    def data(self) -> str | bytes:
        """The message of the event: text, or bytes that API Gateway has decoded from base64."""
        body, is_base64 = self.event.get("body") or "", self.event.get("isBase64Encoded")
        return parse.body_of(body, is_base64) if is_base64 else body

    def kept_fields(self) -> dict[str, Any]:
        """The fields that only a connect event has, as JSON values."""
        return {
            "headers": [list(pair) for pair in self.headers],
            "query": self.query,
            "path": self.path,
            "server": [self.scheme, self.server_name, self.server_port],
        }

    def restore(self, fields: dict[str, Any]) -> None:
        """Set the fields that :meth:`kept_fields` returned for the connect event."""
        self.headers = [(name, value) for name, value in fields["headers"]]
        self.query, self.path = fields["query"], fields["path"]
        self.scheme, self.server_name, self.server_port = fields["server"]

    def __str__(self) -> str:
        return printable(f"{self.kind} of the WebSocket connection {self.connection_id}")


def read(event: dict[str, Any], context: Any, settings: Settings) -> WebSocketScope:
    """The request in an event of a WebSocket API."""
    scope = WebSocketScope(event, context)
    request_context = event["requestContext"]
    headers = parse.flat(parse.merged(event.get("multiValueHeaders"), event.get("headers")))
    scope.headers = parse.pairs_of(headers)
    scope.query = parse.query_of(
        parse.merged(event.get("multiValueQueryStringParameters"), event.get("queryStringParameters"), str)
    )
    domain = request_context.get("domainName") or ""
    scheme, scope.server_name, scope.server_port = parse.server_of(headers, domain)
    scope.scheme = "ws" if scheme == "http" else "wss"
    scope.client = parse.client_of((request_context.get("identity") or {}).get("sourceIp"))
    authorizer = request_context.get("authorizer")
    if authorizer:
        scope.authorizer = authorizer
        scope.user = parse.principal(authorizer)
    has_stage = ".execute-api." in domain and not settings.strip_stage
    scope.root_path = parse.native(f"/{request_context.get('stage')}" if has_stage else settings.base_path)
    path = event.get("path") or os.environ.get(PATH_VARIABLE) or "/"
    scope.path = parse.native(path if path.startswith("/") else f"/{path}")
    scope.raw_path = None
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:  # noqa: ARG001
    """The answer to a WebSocket API."""
    payload: dict[str, Any] = {"statusCode": response.status}
    fields = response.fields(settings.exclude_headers)
    headers = fields.joined()
    if headers:
        payload["headers"] = headers
    if response.body:
        payload["body"] = response.body.decode("utf-8", "replace")
    return payload
