"""API Gateway REST APIs (proxy integration), HTTP APIs with payload 1.0, and what imitates them.

The event: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html

=============  =====================================================================================================
path           percent-encoded, without the stage, but with a custom domain's base path; payload 1.0 is decoded, as
               in 2.0, and has the stage in it. ``requestContext.path`` is what the client asked for.
query          decoded, so it is encoded again; repeated names in ``multiValueQueryStringParameters``
headers        the client's spelling; ``headers`` has the last value, ``multiValueHeaders`` all, in a list
client         ``requestContext.identity.sourceIp``
payload        only the known keys: any other is answered 502. A header is in ``headers`` or in
               ``multiValueHeaders``.
=============  =====================================================================================================

Imitators: serverless-offline; Kong, Scaleway Functions and Express Gateway, which have no stage or no
``requestContext``, null for multi-value maps, and (Express Gateway) the query, as sent, still in the path.
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.request import Scope
from bridge.sources import LAMBDA_LIMIT
from bridge.sources.address import header, principal, set_server
from bridge.sources.text import as_text, body_of, native, query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Fields, Response
    from bridge.settings import Settings

# The source whose responses may be streamed, where it is set up so (``responseTransferMode``).
STREAMED = "rest-api"


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a REST API's event."""
    about = event.get("requestContext") or {}
    multi = event.get("multiValueHeaders")
    if multi and not isinstance(multi, dict):
        raise TypeError(multi)
    headers = event.get("headers") or multi or {}

    source = "http-api-v1" if event.get("version") == "1.0" else "rest-api"
    scope = Scope(source, event, context, LAMBDA_LIMIT)
    scope.method = event.get("httpMethod") or about.get("httpMethod") or "GET"
    scope.sent = multi or headers
    scope.are_lists = bool(multi)
    body = event.get("body")
    scope.body = body_of(body, event.get("isBase64Encoded")) if body else b""

    set_server(scope, headers, about.get("domainName") or "")
    identity = about.get("identity")
    scope.client = as_text(identity.get("sourceIp")) if identity else ""
    authorizer = about.get("authorizer")
    if authorizer:
        scope.authorizer = authorizer
        scope.user = principal(authorizer)

    path, query_in_path = as_text(event.get("path")), ""
    if "?" in path:
        path, _, query_in_path = path.partition("?")
    root, path = _split(event, about, path, headers, settings)
    scope.set_path(root, path, settings, raw=source == "rest-api")
    parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    scope.query = native(query_in_path) or query_of(parameters or event.get("query"))
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload; every header in ``multiValueHeaders`` if the event had that, else only the repeated ones."""
    fields = response.fields(settings.exclude_headers)
    text, is_base64 = encode(response.body, fields, settings)
    payload = head(response.status, fields, scope)
    payload["body"] = text
    payload["isBase64Encoded"] = is_base64
    return payload


def head(status: int, fields: Fields, scope: Scope) -> dict[str, Any]:
    """The payload without the body, which is what a stream begins with."""
    payload: dict[str, Any] = {"statusCode": status}
    if scope.are_lists:
        payload["multiValueHeaders"] = fields.lists()
    else:
        payload["headers"] = headers = fields.single
        repeated = fields.repeated
        if len(fields.cookies) == 1:
            headers[fields.cookie_name] = fields.cookies[0]
        elif fields.cookies:
            repeated = {**repeated, fields.cookie_name: fields.cookies}
        if repeated:
            payload["multiValueHeaders"] = repeated
    return payload


def _split(
    event: dict[str, Any], about: dict[str, Any], path: str, headers: dict[str, Any], settings: Settings
) -> tuple[str, str]:
    """Stage or base path, and the rest, of a path as it arrived."""
    stage = about.get("stage")
    if stage and path[:1] == "/" and about.get("path") == f"/{stage}{path}" and stage != "$default":
        return "" if settings.strip_stage else f"/{stage}", path  # as nearly always
    if path and not path.startswith("/"):
        path = "/" + path
    if not stage:
        return "", path  # Kong, whose resource is where its own route begins, and other imitators
    stage_root = "" if stage == "$default" else f"/{stage}"
    shown = "" if settings.strip_stage else stage_root
    has_stage = event.get("version") == "1.0"
    asked = about.get("path")
    from bridge.sources.prefix import before_route, starts_with  # custom domains and imitators come here

    if asked:
        # `path` has lost all but one of several leading slashes; `requestContext.path` has them.
        rest = asked[len(stage_root) :]
        if stage_root and starts_with(asked, stage_root) and rest.lstrip("/") == path.lstrip("/"):
            return shown, rest
        if asked.lstrip("/") == path.lstrip("/"):
            path = asked
            root = before_route(path, as_text(event.get("resource")), event.get("pathParameters"))
            if root is not None:
                return shown if root == stage_root else root, path[len(root) :]
    if has_stage:
        return (shown, path[len(stage_root) :]) if starts_with(path, stage_root) else ("", path)
    # Without a `requestContext.path` that explains it, AWS's own domain name tells that the URL had the stage in it.
    host = header(headers, "host", "Host")
    return shown if ".execute-api." in host and ".amazonaws.com" in host else "", path
