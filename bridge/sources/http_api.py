"""API Gateway HTTP APIs with payload 2.0, and Lambda Function URLs, which send the same shape.

The events: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
and https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html

=============  =====================================================================================================
path           ``rawPath``. A Function URL leaves it percent-encoded. An HTTP API has decoded all but ``%25``, so
               decoding what is left is still decoding once; the client's own spelling is lost. It begins with the
               stage unless that is ``$default``.
query          ``rawQueryString``, exactly as sent
headers        lower-case; repeated ones joined by commas
cookies        in ``cookies``; a Function URL repeats them in the ``cookie`` header: they are read once
client         ``requestContext.http.sourceIp``
payload        repeated headers joined by commas, ``Set-Cookie`` in ``cookies``
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.request import Scope
from bridge.sources import LAMBDA_LIMIT
from bridge.sources.address import principal, set_server
from bridge.sources.text import as_text, body_of, native, pairs_of, with_cookies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Fields, Response
    from bridge.settings import Settings

# The source whose responses may be streamed, where it is set up so: an HTTP API's may not.
STREAMED = "function-url"

# As ASGI spells them.
_VERSIONS: dict[str | None, str] = {"HTTP/1.0": "1.0", "HTTP/2": "2", "HTTP/2.0": "2", "HTTP/3": "3", "HTTP/3.0": "3"}


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in an HTTP API's or Function URL's event."""
    about = event["requestContext"]
    http = about["http"] or {}
    headers = event.get("headers") or {}
    cookies = event.get("cookies")
    domain = about.get("domainName") or ""
    is_url = ".lambda-url." in domain

    scope = Scope("function-url" if is_url else "http-api", event, context, LAMBDA_LIMIT)
    scope.method = http.get("method") or "GET"
    scope.sent = headers
    if cookies:
        if type(cookies) is list:
            scope.cookies = cookies
        else:
            scope.headers = pairs_of(with_cookies(headers, cookies))
    body = event.get("body")
    scope.body = body_of(body, event.get("isBase64Encoded")) if body else b""
    protocol = http.get("protocol")
    if protocol != "HTTP/1.1":
        scope.http_version = _VERSIONS.get(protocol, "1.1")

    set_server(scope, headers, domain)
    client = http.get("sourceIp")
    scope.client = client if type(client) is str else as_text(client)
    authorizer = about.get("authorizer")
    if authorizer:
        scope.authorizer = authorizer
        scope.user = principal(authorizer)

    path = event.get("rawPath")
    if path is None:
        path = http.get("path") or "/"
    if is_url:
        scope.set_path("", path, settings)
    else:
        usual = about.get("stage") == "$default" and event.get("routeKey") == "$default"
        root = "" if usual else _root(event, about, path)
        stripped = settings.strip_stage and root == f"/{about.get('stage')}"
        scope.set_path("" if stripped else root, path[len(root) :], settings, raw=False)
    query = event.get("rawQueryString")
    scope.query = (query if query.isascii() else native(query)) if query else ""
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, with Set-Cookie in its list of its own."""
    fields = response.fields(settings.exclude_headers)
    text, is_base64 = encode(response.body, fields, settings)
    payload = head(response.status, fields, scope)
    payload["body"] = text
    payload["isBase64Encoded"] = is_base64
    return payload


def head(status: int, fields: Fields, scope: Scope) -> dict[str, Any]:
    """The payload without the body, which is what a Function URL's stream begins with."""
    headers = fields.joined() if fields.repeated else fields.single
    payload: dict[str, Any] = {"statusCode": status, "headers": headers}
    if fields.cookies:
        payload["cookies"] = fields.cookies
    return payload


def _root(event: dict[str, Any], about: dict[str, Any], path: str) -> str:
    """The stage, or a custom domain's base path, at the beginning of *path*."""
    from bridge.sources.prefix import before_route, starts_with  # most APIs have neither

    route = event.get("routeKey")
    if route != "$default" and route:
        root = before_route(path, route.rpartition(" ")[2], event.get("pathParameters"))
        if root is not None:
            return root
    stage = about.get("stage")
    return f"/{stage}" if stage and stage != "$default" and starts_with(path, f"/{stage}") else ""
