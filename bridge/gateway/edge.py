"""CloudFront's side of a Lambda@Edge viewer request.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bridge.gateway.message import Answer, Request
from bridge.gateway.wire import (
    HOP_BY_HOP,
    html_answer,
    native_of,
    payload_body,
    refused,
    status_of,
    text_of,
)

if TYPE_CHECKING:
    from bridge.gateway.message import Door

FAILED = html_answer(502, "Bad Gateway")
TIMED_OUT = html_answer(503, "Service Unavailable")
NO_ROUTE = html_answer(404, "Not Found")
TIMEOUT_SECONDS = 5.0

_BODY_LIMIT = 40_960
_FORBIDDEN = HOP_BY_HOP | {"expect", "content-length", "via", "x-cache", "x-real-ip", "x-forwarded-proto"}


def compose(request: Request, door: Door) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    """The event of a viewer request whose body is included."""
    headers: dict[str, list[dict[str, str]]] = {}
    for name, value in request.headers:
        if name.lower() not in HOP_BY_HOP:
            headers.setdefault(name.lower(), []).append({"key": name, "value": text_of(value)})
    sent: dict[str, Any] = {
        "clientIp": request.client,
        "headers": headers,
        "method": request.method,
        "querystring": request.query,
        "uri": request.path,
    }
    if request.body:
        sent["body"] = {
            "action": "read-only",
            "data": base64.b64encode(request.body[:_BODY_LIMIT]).decode("ascii"),
            "encoding": "base64",
            "inputTruncated": request.size > _BODY_LIMIT,
        }
    config = {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": "viewer-request",
        "requestId": "bridge",
    }
    return {"Records": [{"cf": {"config": config, "request": sent}}]}


def interpret(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets for a generated response.

    Raises:
        RefusedError: CloudFront answers 502 for such a payload.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("status"), str):
        raise refused(FAILED, "the payload has no status in text: CloudFront would take it for a request")
    status = status_of(payload, FAILED, "status")
    headers = []
    for lower, items in (payload.get("headers") or {}).items():
        if lower in _FORBIDDEN or lower.startswith(("x-amz-cf-", "x-amzn-", "x-edge-", "x-accel-")):
            raise refused(FAILED, f"the header {lower!r} is one that CloudFront does not let a function write")
        for item in items:
            if item["key"].lower() != lower:
                raise refused(FAILED, f"headers[{lower!r}] has the key {item['key']!r}")
            headers.append((item["key"], native_of(item["value"])))
    encoding = payload.get("bodyEncoding", "text")
    if encoding not in ("text", "base64"):
        raise refused(FAILED, f"the payload's bodyEncoding is {encoding!r}; it must be text or base64")
    body = payload_body({"body": payload.get("body"), "isBase64Encoded": encoding == "base64"}, FAILED)
    if body and status == 204:
        raise refused(FAILED, "a 204 has no body")
    size = len(payload.get("body") or "") + sum(len(name) + len(value) for name, value in headers)
    if size > _BODY_LIMIT:
        raise refused(FAILED, f"the response is {size} bytes, CloudFront takes {_BODY_LIMIT} for a viewer request")
    return Answer(status, headers, body)
