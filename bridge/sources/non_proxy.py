"""API Gateway REST APIs with the ``lambda`` (non-proxy) integration, by the Serverless Framework's template.

The event is what that template makes: ``method``, ``requestPath`` (the route, its variables in ``path``), ``query``,
``headers``, ``body`` parsed from JSON or a form, ``stage``, ``identity``, ``principalId``, ``enhancedAuthContext``.

Its users map a status of 300 and above by a pattern on the error message, so such an answer is raised.
"""

from __future__ import annotations

from bridge.bodies import media_type
from bridge.errors import FailedIntegrationError
from bridge.request import Scope
from bridge.sources import LAMBDA_LIMIT, rest_api
from bridge.sources.address import header, set_server
from bridge.sources.text import as_text, body_of, native, query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a templated event."""
    headers = event.get("headers") or {}

    scope = Scope("non-proxy", event, context, LAMBDA_LIMIT)
    scope.method = as_text(event.get("method") or "GET")
    scope.sent = headers
    scope.body = _body(event.get("body"), header(headers, "content-type", "Content-Type"))
    host = header(headers, "host", "Host")
    set_server(scope, headers)
    scope.client = as_text((event.get("identity") or {}).get("sourceIp"))
    scope.authorizer = event.get("enhancedAuthContext")
    scope.user = native(as_text(event.get("principalId")))

    # The route, segment by segment: a value may look like another variable.
    values = event.get("path") or {}
    segments = as_text(event["requestPath"]).split("/")
    path = "/".join([as_text(values.get(s[1:-1].rstrip("+"), s)) if s[:1] == "{" else s for s in segments])
    stage = event.get("stage")
    shown = stage and ".execute-api." in host and not settings.strip_stage
    scope.set_path(f"/{stage}" if shown else "", path, settings)
    scope.query = query_of(event.get("query"))
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload as a REST API has it.

    Raises:
        FailedIntegrationError: the status is 300 or above; the payload is its message.
    """
    payload = rest_api.write(response, scope, settings)
    if response.status >= 300:
        from json import dumps

        raise FailedIntegrationError(dumps(payload))
    return payload


def _body(body: Any, content_type: str) -> bytes:
    """What the client sent, near enough: the template has parsed it, and writes ``{}`` if there was nothing."""
    if body is None or body == {} or isinstance(body, str):
        return body_of(body or "", is_base64=False)
    if isinstance(body, dict) and media_type(content_type) == "application/x-www-form-urlencoded":
        return query_of(body).encode("latin-1")
    from json import dumps

    return dumps(body).encode()
