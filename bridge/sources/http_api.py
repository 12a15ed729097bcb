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

from bridge.response import encode, joined
from bridge.scope import Scope
from bridge.sources import LAMBDA_LIMIT
from bridge.sources.address import principal, set_server
from bridge.sources.prefix import before_route, set_path, starts_with
from bridge.sources.text import as_text, body_of, native, pairs_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings

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

    source = "function-url" if is_url else "http-api"
    scope = Scope(source, event, context, LAMBDA_LIMIT)
    scope.method = as_text(http.get("method") or "GET")
    if cookies:
        joined = "; ".join([as_text(cookie) for cookie in cookies if cookie])
        scope.headers = pairs_of(
            {**{name: value for name, value in headers.items() if name.lower() != "cookie"}, "cookie": joined}
        )
    else:
        scope.headers = pairs_of(headers)
    scope.body = body_of(event.get("body"), event.get("isBase64Encoded"))
    scope.http_version = _VERSIONS.get(http.get("protocol"), "1.1")

    set_server(scope, headers, domain)
    scope.client = as_text(http.get("sourceIp"))
    scope.authorizer = authorizer = about.get("authorizer")
    scope.user = principal(authorizer) if authorizer else ""

    path = event.get("rawPath")
    if path is None:
        path = http.get("path") or "/"
    if is_url:
        set_path(scope, "", path, settings)
    else:
        root = _root(event, about, path)
        stripped = settings.strip_stage and root == f"/{about.get('stage')}"
        set_path(scope, "" if stripped else root, path[len(root) :], settings, raw=False)
    scope.query = native(event.get("rawQueryString") or "")
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, with Set-Cookie in its list of its own."""
    groups = response.grouped(settings.exclude_headers)
    text, is_base64 = encode(response.body, groups, settings)
    payload: dict[str, Any] = {"statusCode": response.status}
    cookies = groups.pop("set-cookie", None)
    if cookies:
        payload["cookies"] = cookies[1]
    payload["headers"] = joined(groups)
    payload["body"] = text
    payload["isBase64Encoded"] = is_base64
    return payload


def _root(event: dict[str, Any], about: dict[str, Any], path: str) -> str:
    """The stage, or a custom domain's base path, at the beginning of *path*."""
    route = event.get("routeKey")
    if route and route != "$default":
        root = before_route(path, route.rpartition(" ")[2], event.get("pathParameters"))
        if root is not None:
            return root
    stage = about.get("stage")
    return f"/{stage}" if stage and stage != "$default" and starts_with(path, f"/{stage}") else ""
