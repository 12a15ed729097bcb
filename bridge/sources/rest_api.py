"""API Gateway REST APIs (proxy integration), HTTP APIs with payload 1.0, and their imitators.

The event: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html

=============  =====================================================================================================
path           REST API: percent-encoded, without the stage, but with a custom domain's base path. Payload 1.0:
               decoded, as in 2.0, and with the stage. ``requestContext.path`` is the path that the client asked for.
query          decoded, so it is encoded again; repeated names in ``multiValueQueryStringParameters``
headers        the client's spelling; ``headers`` has the last value, ``multiValueHeaders`` all, in a list
client         ``requestContext.identity.sourceIp``
user           the authorizer's ``principalId`` or ``claims.sub``, or else ``identity.user`` or ``userArn`` (IAM)
payload        only the keys that AWS documents: any other is answered 502. A header is in ``headers`` or in
               ``multiValueHeaders``, never in both.
=============  =====================================================================================================

Imitators: serverless-offline; Kong, Scaleway Functions and Express Gateway, which have no stage or no
``requestContext``, null for multi-value maps, and (Express Gateway) the query, as sent, at the end of the path.
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.request import Scope
from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bridge.response import Fields, Response
    from bridge.settings import Settings

# The source whose responses may be streamed, if the API has the ``responseTransferMode`` STREAM.
STREAMED = "rest-api"


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a REST API's event."""
    request_context = event.get("requestContext") or {}
    lists = event.get("multiValueHeaders")
    headers = parse.merged(lists, event.get("headers"))
    if lists:
        headers = parse.flat(headers)

    is_payload_v1 = event.get("version") == "1.0"
    scope = Scope("http-api-v1" if is_payload_v1 else "rest-api", event, context, LAMBDA_PAYLOAD_LIMIT)
    scope.method = event.get("httpMethod") or request_context.get("httpMethod") or "GET"
    scope.headers = parse.pairs_of(headers)
    scope.has_multi_value_headers = bool(lists)
    body = event.get("body")
    scope.body = parse.body_of(body, event.get("isBase64Encoded")) if body else b""
    domain = request_context.get("domainName") or ""
    get = headers.get
    if get("Host") == domain and get("X-Forwarded-Port") == "443" and get("X-Forwarded-Proto") == "https":
        scope.scheme, scope.server_name, scope.server_port = "https", parse.split_host(domain)[0] or "lambda", "443"
    else:
        scope.scheme, scope.server_name, scope.server_port = parse.server_of(headers, domain)
    identity = request_context.get("identity") or {}
    scope.client = parse.client_of(identity.get("sourceIp"))
    if identity.get("user") or identity.get("userArn"):
        scope.user = parse.caller(identity)
    authorizer = request_context.get("authorizer")
    if authorizer:
        scope.authorizer = authorizer
        scope.user = parse.principal(authorizer) or scope.user

    path, _, query_in_path = parse.as_text(event.get("path")).partition("?")
    root, path, _ = split_stage(event, path, headers)
    if settings.strip_stage and root == f"/{request_context.get('stage')}":
        root = ""
    raw_path, scope.root_path, scope.path = parse.split_path(root, path, settings.base_path)
    scope.raw_path = None if is_payload_v1 else raw_path
    parameters = parse.merged(event.get("multiValueQueryStringParameters"), event.get("queryStringParameters"), str)
    scope.query = parse.native(query_in_path) or parse.query_of(parameters or event.get("query"))
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload; every header is in ``multiValueHeaders`` if the event had that, else only the repeated ones."""
    fields = response.fields(settings.exclude_headers)
    payload = head(response.status, fields, scope)
    payload["body"], payload["isBase64Encoded"] = encode(response.body, fields, settings.is_text)
    return payload


def head(status: int, fields: Fields, scope: Scope) -> dict[str, Any]:
    """The payload without the body: the prelude of a stream."""
    payload: dict[str, Any] = {"statusCode": status}
    if scope.has_multi_value_headers:
        payload["multiValueHeaders"] = fields.lists()
        return payload
    payload["headers"] = headers = fields.single
    repeated = fields.repeated
    if fields.cookies and len(fields.cookies) == 1:
        headers[fields.cookie_name] = fields.cookies[0]
    elif fields.cookies:
        repeated = {**(repeated or {}), fields.cookie_name: fields.cookies}
    if repeated:
        payload["multiValueHeaders"] = repeated
    return payload


def split_stage(event: dict[str, Any], path: str, headers: Mapping[str, Any]) -> tuple[str, str, str]:
    """Stage or base path, and the rest, of a path as it arrived; and the rule that separates them, in words."""
    request_context = event.get("requestContext") or {}
    stage = request_context.get("stage")
    if not stage:
        # Kong, whose resource is the start of its own route, and other imitators
        return "", path, "the event has no stage"
    root = "" if stage == "$default" else f"/{stage}"
    requested = request_context.get("path")
    if requested:
        rest = requested[len(root) :]
        # `path` has lost all but one of several leading slashes; `requestContext.path` has them.
        is_rest = requested == root + path or (
            parse.starts_with(requested, root) and rest.lstrip("/") == path.lstrip("/")
        )
        if root and is_rest:
            return root, rest, "it is the API's stage, which requestContext.path has and the event's path does not"
        if requested.lstrip("/") == path.lstrip("/"):
            path = requested
            base = parse.prefix_before_route(path, parse.as_text(event.get("resource")), event.get("pathParameters"))
            if base is not None:
                return base, path[len(base) :], "it comes before the part that the resource matched"
    if event.get("version") == "1.0":
        if parse.starts_with(path, root):
            return root, path[len(root) :], "it is the API's stage"
        return "", path, "the path does not begin with the API's stage"
    # `requestContext.path` does not show the stage: the URL contains it if the host is AWS's own domain.
    host = parse.header(headers, "host", "Host")
    if ".execute-api." in host and ".amazonaws.com" in host:
        return root, path, "it is the API's stage, with which URLs of AWS's own domain begin"
    return "", path, "the URL does not begin with the API's stage"
