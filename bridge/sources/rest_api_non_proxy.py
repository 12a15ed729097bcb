"""API Gateway REST APIs with the ``lambda`` (non-proxy) integration, by the Serverless Framework's template.

The event has the fields of that template: ``method``, ``requestPath`` (the route, its variables in ``path``),
``query``, ``headers``, ``body`` parsed from JSON or a form, ``stage``, ``identity``, ``principalId``,
``enhancedAuthContext``.

Users of this integration map a status of 300 and above by a pattern on the error message, so such a response is raised.
"""

from __future__ import annotations

import json

from bridge.bodies import media_type
from bridge.errors import FailedIntegrationError
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.request import Scope
from bridge.sources import parse, rest_api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a templated event."""
    headers = event.get("headers") or {}

    scope = Scope("non-proxy", event, context, LAMBDA_PAYLOAD_LIMIT)
    scope.method = parse.as_text(event.get("method") or "GET")
    scope.headers = parse.pairs_of(headers)
    scope.body = _body(event.get("body"), parse.header(headers, "content-type", "Content-Type"))
    scope.scheme, scope.server_name, scope.server_port = parse.server_of(headers)
    identity = event.get("identity") or {}
    scope.client = parse.client_of(identity.get("sourceIp"))
    scope.authorizer = event.get("enhancedAuthContext")
    scope.user = parse.native(parse.as_text(event.get("principalId"))) or parse.caller(identity)

    # Variables are replaced segment by segment: a value may look like another variable.
    values = event.get("path") or {}
    segments = parse.as_text(event["requestPath"]).split("/")
    path = "/".join([parse.as_text(values.get(s[1:-1].rstrip("+"), s)) if s[:1] == "{" else s for s in segments])
    stage = event.get("stage")
    is_stage_in_url = stage and ".execute-api." in parse.header(headers, "host", "Host") and not settings.strip_stage
    root = f"/{stage}" if is_stage_in_url else ""
    scope.raw_path, scope.root_path, scope.path = parse.split_path(root, path, settings.base_path)
    scope.query = parse.query_of(event.get("query"))
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload of a REST API.

    Raises:
        FailedIntegrationError: the status is 300 or above; the payload is its message.
    """
    payload = rest_api.write(response, scope, settings)
    if response.status >= 300:
        raise FailedIntegrationError(json.dumps(payload))
    return payload


def _body(body: Any, content_type: str) -> bytes:
    """Approximately what the client sent: the template has parsed it, and writes ``{}`` for an empty body."""
    if body is None or body == {} or isinstance(body, str):
        return parse.body_of(body or "", is_base64=False)
    if isinstance(body, dict) and media_type(content_type) == "application/x-www-form-urlencoded":
        return parse.query_of(body).encode("latin-1")
    return json.dumps(body).encode()
