"""API Gateway HTTP APIs with payload 2.0, and Lambda Function URLs, which send the same form.

The events: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
and https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html

=============  =====================================================================================================
path           ``rawPath``. A Function URL leaves it percent-encoded. An HTTP API has decoded all but ``%25``, so
               decoding the rest is still decoding once; the client's spelling is lost. The path starts with the
               stage unless that is ``$default``.
query          ``rawQueryString``, exactly as sent
headers        lower-case; repeated ones joined by commas
cookies        in ``cookies``; a Function URL repeats them in the ``cookie`` header: they are read once
client         ``requestContext.http.sourceIp``
user           the authorizer's ``jwt.claims.sub`` or ``iam.userId``
payload        repeated headers joined by commas, ``Set-Cookie`` in ``cookies``
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.request import Scope
from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Fields, Response
    from bridge.settings import Settings

# The source whose responses may be streamed; those of an HTTP API may not.
STREAMED = "function-url"

# As ASGI spells them.
_HTTP_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/2": "2", "HTTP/2.0": "2", "HTTP/3": "3", "HTTP/3.0": "3"}


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in an HTTP API's or Function URL's event."""
    request_context = event["requestContext"]
    http = request_context["http"] or {}
    headers = event.get("headers") or {}
    body = event.get("body")
    authorizer = request_context.get("authorizer")
    domain = request_context.get("domainName") or ""
    is_function_url = ".lambda-url." in domain

    scope = Scope("function-url" if is_function_url else "http-api", event, context, LAMBDA_PAYLOAD_LIMIT)
    scope.method = http.get("method") or "GET"
    scope.headers = parse.pairs_of(headers, event.get("cookies"))
    scope.body = parse.body_of(body, event.get("isBase64Encoded")) if body else b""
    if http.get("protocol") != "HTTP/1.1":
        scope.http_version = _HTTP_VERSIONS.get(parse.as_text(http.get("protocol")), "1.1")
    scope.client = parse.client_of(http.get("sourceIp"))
    if authorizer:
        scope.authorizer = authorizer
        scope.user = parse.principal(authorizer)

    get = headers.get
    if get("host") == domain and get("x-forwarded-port") == "443" and get("x-forwarded-proto") == "https":
        scope.scheme, scope.server_name, scope.server_port = "https", parse.split_host(domain)[0] or "lambda", "443"
    else:
        scope.scheme, scope.server_name, scope.server_port = parse.server_of(headers, domain)

    root, path = "", event.get("rawPath") or http.get("path") or "/"
    if not is_function_url and not request_context.get("stage") == event.get("routeKey") == "$default":
        root, _ = root_of(event, path)
        path = path[len(root) :]
        if settings.strip_stage and root == f"/{request_context.get('stage')}":
            root = ""
    if root or settings.base_path or path[:1] != "/" or "%" in path or not path.isascii():
        raw_path, scope.root_path, scope.path = parse.split_path(root, path, settings.base_path)
    else:
        raw_path, scope.root_path, scope.path = path, "", path
    scope.raw_path = raw_path if is_function_url else None
    scope.query = parse.native(event.get("rawQueryString") or "")
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, with the values of Set-Cookie in a list."""
    fields = response.fields(settings.exclude_headers)
    body, is_base64 = encode(response.body, fields, settings.is_text)
    payload = {"statusCode": response.status, "headers": fields.joined() if fields.repeated else fields.single}
    if fields.cookies:
        payload["cookies"] = fields.cookies
    payload["body"] = body
    payload["isBase64Encoded"] = is_base64
    return payload


def head(status: int, fields: Fields, scope: Scope) -> dict[str, Any]:
    """The payload without the body: the prelude of a Function URL's stream."""
    payload: dict[str, Any] = {"statusCode": status, "headers": fields.joined()}
    if fields.cookies:
        payload["cookies"] = fields.cookies
    return payload


def root_of(event: dict[str, Any], path: str) -> tuple[str, str]:
    """The stage, or a custom domain's base path, at the start of *path*; and the rule that says so, in words."""
    stage = event["requestContext"].get("stage")
    route = event.get("routeKey")
    if route and route != "$default":
        root = parse.prefix_before_route(path, route.rpartition(" ")[2], event.get("pathParameters"))
        if root is not None:
            return root, "it comes before the part that the route matched"
    if stage and stage != "$default" and parse.starts_with(path, f"/{stage}"):
        return f"/{stage}", "it is the API's stage"
    return "", "the path does not begin with the API's stage"
