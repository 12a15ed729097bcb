"""CloudFront with a Lambda@Edge function for viewer requests.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.decisions import exceeds, explain
from bridge.dev.gateway.event_parts import decode_header
from bridge.dev.gateway.models import Answer, FrontDoor, RefusedError, Request, html_answer
from bridge.dev.gateway.payload_validation import (
    HOP_BY_HOP,
    check_headers,
    check_object,
    decode_body,
    header_lists,
    status_code,
)
from bridge.limits import EDGE_VIEWER_LIMIT, is_refused_by_edge

if TYPE_CHECKING:
    from bridge.dev.gateway.models import FrontDoorConfig

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
_REQUEST_BODY_LIMIT = 40_960


def _page(status: int, phrase: str) -> Answer:
    return html_answer(status, phrase, server="CloudFront")


_FAILED = _page(502, "Bad Gateway")


def compose(request: Request, _door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event of a viewer request that includes the body; a body over 40 KB is cut off."""
    headers: dict[str, list[dict[str, str]]] = {}
    for name, value in request.headers:
        if name.lower() not in HOP_BY_HOP:
            headers.setdefault(name.lower(), []).append({"key": name, "value": decode_header(value)})
        else:
            explain("request header", name, "dropped: it concerns one connection only (hop-by-hop)")
    viewer_request: dict[str, Any] = {
        "clientIp": request.client,
        "headers": headers,
        "method": request.method,
        "querystring": request.query,
        "uri": request.path,
    }
    if request.body:
        is_cut_off = exceeds("request body", request.size, _REQUEST_BODY_LIMIT)
        explain("request body", "body", "base64: CloudFront sends every body as base64")
        if is_cut_off:
            explain("request body", "body", f"cut off after {_REQUEST_BODY_LIMIT} bytes")
        viewer_request["body"] = {
            "action": "read-only",
            "data": base64.b64encode(request.body[:_REQUEST_BODY_LIMIT]).decode("ascii"),
            "encoding": "base64",
            "inputTruncated": is_cut_off,
        }
    config = {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": "viewer-request",
        "requestId": "bridge",
    }
    return {"Records": [{"cf": {"config": config, "request": viewer_request}}]}


def interpret(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a generated response.

    Raises:
        RefusedError: CloudFront answers 502.
    """
    payload = check_object(payload, _FAILED)
    if not isinstance(payload.get("status"), str):
        raise RefusedError(
            _FAILED,
            f"the payload's status is {payload.get('status')!r}; it must be a string, since CloudFront takes a payload "
            "without one for a request",
        )
    status = status_code(payload, _FAILED, "status")
    pairs = [_name_and_value(name, item) for name, item in header_lists(payload, "headers", _FAILED)]
    headers = check_headers(pairs, _FAILED)
    for name, _ in headers:
        if is_refused_by_edge(name):
            raise RefusedError(_FAILED, f"CloudFront does not let a function set the header {name!r}; omit it")
    encoding = payload.get("bodyEncoding", "text")
    if encoding not in ("text", "base64"):
        raise RefusedError(_FAILED, f"the payload's bodyEncoding is {encoding!r}; it must be 'text' or 'base64'")
    body = decode_body({"body": payload.get("body"), "isBase64Encoded": encoding == "base64"}, _FAILED)
    if body and status == 204:
        raise RefusedError(_FAILED, "the payload has status 204 and a body, which 204 does not allow; omit the body")
    size = len((payload.get("body") or "").encode("utf-8", "replace"))
    size += sum(len(name) + len(value) for name, value in headers)
    if exceeds("response headers and body", size, EDGE_VIEWER_LIMIT):
        raise RefusedError(
            _FAILED,
            f"the response has {size} bytes, but CloudFront accepts {EDGE_VIEWER_LIMIT} for a viewer request; answer "
            "with less",
        )
    return Answer(status, headers, body)


FRONT_DOOR = FrontDoor(
    compose,
    interpret,
    failed=_FAILED,
    timed_out=_page(503, "Service Unavailable"),
    no_route=_page(404, "Not Found"),
    timeout=5.0,
)


def _name_and_value(name: str, item: Any) -> tuple[str, Any]:
    """Return name and value of one item in a header's list."""
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise RefusedError(_FAILED, f"headers[{name!r}] contains {item!r}; it must be {{'key': 'Name', 'value': '…'}}")
    key = item.get("key", name)
    if not isinstance(key, str) or key.lower() != name.lower():
        raise RefusedError(_FAILED, f"headers[{name!r}] contains the key {key!r}; it must be the same name")
    return key, item["value"]
