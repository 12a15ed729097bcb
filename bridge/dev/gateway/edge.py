"""CloudFront's side of a Lambda@Edge viewer request.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.events import HOP_BY_HOP, html_answer, refused, text_of
from bridge.dev.gateway.models import Answer, Request
from bridge.dev.gateway.payloads import body_of, header_pairs, lists_of, object_of, status_of

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Door

FAILED = html_answer(502, "Bad Gateway")
TIMED_OUT = html_answer(503, "Service Unavailable")
NO_ROUTE = html_answer(404, "Not Found")
TIMEOUT_SECONDS = 5.0

_BODY_LIMIT = 40_960
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html: those that are
# not exposed, and those that are read-only in a viewer request.
_FORBIDDEN = frozenset(
    {
        "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "trailer", "transfer-encoding", "upgrade", "via", "x-cache", "x-forwarded-proto",
        "x-real-ip",
    }
)  # fmt: skip
_FORBIDDEN_BEGINNINGS = ("x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-")


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
    payload = object_of(payload, FAILED)
    if not isinstance(payload.get("status"), str):
        why = (
            f"the payload's status is {payload.get('status')!r}; without one in text CloudFront takes it for a request"
        )
        raise refused(FAILED, why)
    status = status_of(payload, FAILED, "status")
    headers = header_pairs([_pair(name, item) for name, item in lists_of(payload, "headers", FAILED)], FAILED)
    for name, _ in headers:
        if name.lower() in _FORBIDDEN or name.lower().startswith(_FORBIDDEN_BEGINNINGS):
            raise refused(
                FAILED, f"the header {name!r} is one that CloudFront does not let a function write; leave it out"
            )
    encoding = payload.get("bodyEncoding", "text")
    if encoding not in ("text", "base64"):
        raise refused(FAILED, f"the payload's bodyEncoding is {encoding!r}; it must be 'text' or 'base64'")
    body = body_of({"body": payload.get("body"), "isBase64Encoded": encoding == "base64"}, FAILED)
    if body and status == 204:
        raise refused(FAILED, "the payload has a body, and a 204 has none; leave it out")
    size = len((payload.get("body") or "").encode("utf-8", "replace"))
    size += sum(len(name) + len(value) for name, value in headers)
    if size > _BODY_LIMIT:
        why = f"the response is {size} bytes, CloudFront takes {_BODY_LIMIT} for a viewer request; answer with less"
        raise refused(FAILED, why)
    return Answer(status, headers, body)


def _pair(name: str, item: Any) -> tuple[str, Any]:
    """Name and value of one item in a header's list."""
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise refused(FAILED, f"headers[{name!r}] has {item!r}; it must be {{'key': 'Name', 'value': '…'}}")
    key = item.get("key", name)
    if not isinstance(key, str) or key.lower() != name.lower():
        raise refused(FAILED, f"headers[{name!r}] has the key {key!r}; it must be the same name")
    return key, item["value"]
