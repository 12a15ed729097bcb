"""Lambda@Edge: viewer and origin requests that CloudFront lets the function answer.

The event: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
Restrictions: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html

=============  =====================================================================================================
path, query    ``uri`` and ``querystring``, as the client sent them
headers        ``{lower-case name: [{"key", "value"}, …]}``; host and scheme only from headers that CloudFront writes
body           in base64; cut off at 40 KB (viewer) or 1 MB (origin), in which case ``inputTruncated`` is set and the
               answer is 413
client         ``clientIp``
payload        ``status`` as text; headers in the event's form, without those for which CloudFront answers 502
limit          40 KB (viewer) or 1 MB (origin), headers included
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.errors import EventError
from bridge.limits import EDGE_ORIGIN_LIMIT, EDGE_VIEWER_LIMIT, is_refused_by_edge
from bridge.request import Scope
from bridge.response import Response
from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.settings import Settings


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a CloudFront event."""
    cloudfront = event["Records"][0]["cf"]
    request = cloudfront.get("request") or {}
    config = cloudfront.get("config") or {}
    is_viewer = config.get("eventType") == "viewer-request"
    fields = request.get("headers") or {}
    headers = {name: [item.get("value") for item in items or () if item] for name, items in fields.items()}
    body = request.get("body") or {}

    scope = Scope("edge", event, context, EDGE_VIEWER_LIMIT if is_viewer else EDGE_ORIGIN_LIMIT)
    scope.method = parse.as_text(request.get("method") or "GET")
    scope.headers = parse.pairs_of(headers)
    scope.body = parse.body_of(body.get("data"), body.get("encoding") == "base64")
    # CloudFront adds its own headers after the viewer request; it never writes X-Forwarded-Port, and hides -Proto.
    proto = "" if is_viewer else parse.header(headers, "cloudfront-forwarded-proto", "CloudFront-Forwarded-Proto")
    scope.scheme, scope.server_name, scope.server_port = parse.server_of(
        {"host": headers.get("host")},
        parse.as_text(config.get("distributionDomainName")),
        scheme="http" if proto == "http" else "https",
    )
    scope.client = parse.client_of(request.get("clientIp"))
    if body.get("inputTruncated"):
        scope.refusal = Response.plain(413, "Content Too Large")
        scope.refusal.reason = "Content Too Large"  # before 3.13 Python has the phrase of an older specification
    if not request.get("uri"):
        raise EventError("The request in the CloudFront event has no uri.")
    path = parse.as_text(request["uri"])
    scope.raw_path, scope.root_path, scope.path = parse.split_path("", path, settings.base_path)
    scope.query = parse.native(parse.as_text(request.get("querystring")))
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, in CloudFront's own form."""
    fields = response.fields(settings.exclude_headers)
    payload: dict[str, Any] = {
        "status": str(response.status),
        "statusDescription": response.status_line().partition(" ")[2],
        "headers": {
            name.lower(): [{"key": name, "value": value} for value in values]
            for name, values in fields.lists().items()
            if not is_refused_by_edge(name)
        },
    }
    text, is_base64 = encode(response.body, fields, settings.is_text)
    if text:
        payload["body"] = text
        payload["bodyEncoding"] = "base64" if is_base64 else "text"
    return payload
