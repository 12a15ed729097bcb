"""Lambda@Edge: viewer and origin requests that CloudFront lets the function answer.

The event: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
What may be answered: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html

=============  =====================================================================================================
path, query    ``uri`` and ``querystring`` as the client sent them
headers        ``{lower-case name: [{"key", "value"}, …]}``; for host and scheme only those that CloudFront writes
body           in base64; cut off at 40 KB (viewer) or 1 MB (origin), which ``inputTruncated`` says: answered 413
client         ``clientIp``
payload        ``status`` as text; headers in the event's form; some of them CloudFront answers with 502, so they are
               left out
limit          40 KB (viewer) or 1 MB (origin), headers included
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge.bodies import encode
from bridge.errors import EventError
from bridge.request import Scope
from bridge.response import Response
from bridge.sources.address import header, set_server
from bridge.sources.text import as_text, body_of, native, tidy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.settings import Settings

LIMIT = 1_048_576
VIEWER_LIMIT = 40_960

_REFUSED = frozenset(
    {
        "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "trailer", "transfer-encoding", "upgrade", "via", "x-cache", "x-forwarded-proto",
        "x-real-ip",
    }
)  # fmt: skip
_REFUSED_BEGINNINGS = ("x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-")


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a CloudFront event."""
    cloudfront = event["Records"][0]["cf"]
    request = cloudfront.get("request") or {}
    viewer = cloudfront["config"]["eventType"] == "viewer-request"
    fields = request.get("headers") or {}
    headers = {name: [item.get("value") for item in items or () if item] for name, items in fields.items()}
    sent = request.get("body") or {}

    scope = Scope("edge", event, context, VIEWER_LIMIT if viewer else LIMIT)
    scope.method = as_text(request.get("method") or "GET")
    scope.headers = tidy((name, value) for name, values in headers.items() for value in values)
    scope.body = body_of(sent.get("data"), sent.get("encoding") == "base64")
    # CloudFront adds its own headers after the viewer request; it never writes X-Forwarded-Port, and hides -Proto.
    proto = "" if viewer else header(headers, "cloudfront-forwarded-proto", "CloudFront-Forwarded-Proto")
    set_server(scope, {"host": headers.get("host")}, scheme="http" if proto == "http" else "https")
    scope.client = as_text(request.get("clientIp"))
    if sent.get("inputTruncated"):
        scope.refusal = Response.plain(413, "Content Too Large")
    if not request.get("uri"):
        raise EventError("The CloudFront event's request has no uri.")
    scope.set_path("", as_text(request["uri"]), settings)
    scope.query = native(as_text(request.get("querystring")))
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, in CloudFront's own shape."""
    fields = response.fields(settings.exclude_headers)
    text, is_base64 = encode(response.body, fields, settings)
    payload: dict[str, Any] = {
        "status": str(response.status),
        "statusDescription": response.status_line().partition(" ")[2],
        "headers": {
            lower: [{"key": name, "value": value} for value in values]
            for name, values in fields.lists().items()
            if (lower := name.lower()) not in _REFUSED and not lower.startswith(_REFUSED_BEGINNINGS)
        },
    }
    if text:
        payload["body"] = text
        payload["bodyEncoding"] = "base64" if is_base64 else "text"
    return payload
