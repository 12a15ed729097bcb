"""An Application Load Balancer's side of a Lambda target.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bridge.gateway.message import Answer, Request
from bridge.gateway.wire import (
    HOP_BY_HOP,
    all_values,
    event_body,
    forwarded,
    html_answer,
    last_values,
    native_of,
    payload_body,
    query_pairs,
    refused,
    status_of,
)

if TYPE_CHECKING:
    from bridge.gateway.message import Door, Headers

FAILED = html_answer(502, "Bad Gateway")
TIMED_OUT = FAILED  # the guide: 502 also when the function does not respond before its timeout
NO_ROUTE = html_answer(404, "Not Found")
TIMEOUT_SECONDS = 900.0

_LIMIT = 1_048_576
_HEADER_LIMIT = 65_536
_TOO_LARGE = html_answer(413, "Request Entity Too Large")
_HEADERS_TOO_LARGE = html_answer(400, "Bad Request")
_TEXT = re.compile(r"(text/.*|application/(json|javascript|xml))\Z")


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event of a target group with single-value headers."""
    headers, event = _event(request, door)
    pairs = query_pairs(request.query, decode=False)
    return {
        "requestContext": event["requestContext"],
        "httpMethod": request.method,
        "path": request.path,
        "queryStringParameters": dict(pairs),
        "headers": last_values(headers),
        "body": event["body"],
        "isBase64Encoded": event["isBase64Encoded"],
    }


def compose_multi(request: Request, door: Door) -> dict[str, Any]:
    """The event of a target group with multi-value headers."""
    headers, event = _event(request, door)
    pairs = query_pairs(request.query, decode=False)
    return {
        "requestContext": event["requestContext"],
        "httpMethod": request.method,
        "path": request.path,
        "multiValueQueryStringParameters": all_values(pairs, fold=False),
        "multiValueHeaders": all_values(headers),
        "body": event["body"],
        "isBase64Encoded": event["isBase64Encoded"],
    }


def interpret(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001 - one signature for all
    """What the client gets for a payload with ``headers``.

    Raises:
        RefusedError: the load balancer answers 502 for such a payload.
    """
    checked = _check(payload, "headers")
    return _answer(checked, [(name, value) for name, value in checked.get("headers", {}).items()])


def interpret_multi(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets for a payload with ``multiValueHeaders``."""
    checked = _check(payload, "multiValueHeaders")
    headers = checked.get("multiValueHeaders", {})
    if not all(isinstance(values, list) for values in headers.values()):
        raise refused(FAILED, "multiValueHeaders must be an object of lists")
    return _answer(checked, [(name, value) for name, values in headers.items() for value in values])


def _event(request: Request, door: Door) -> tuple[Headers, dict[str, Any]]:
    size = sum(len(name) + len(value) for name, value in request.headers)
    if size > _HEADER_LIMIT:
        raise refused(_HEADERS_TOO_LARGE, f"the headers are {size} bytes, a load balancer takes {_HEADER_LIMIT}")
    if request.size > _LIMIT:
        raise refused(_TOO_LARGE, f"the body is {request.size} bytes, a load balancer passes {_LIMIT} to Lambda")
    media = request.header("content-type").partition(";")[0].strip().lower()
    is_text = not request.header("content-encoding") and _TEXT.match(media) is not None
    body, is_base64 = event_body(request.body, is_text=is_text) if request.body else ("", False)
    group = f"arn:aws:elasticloadbalancing:{door.region}:{door.account}:targetgroup/bridge/0123456789abcdef"
    headers = [(name.lower(), value) for name, value in forwarded(request)]
    return headers, {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _check(payload: Any, header_key: str) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise refused(FAILED, f"the payload is a JSON {type(payload).__name__}, not an object")
    for key in ("body", "headers", "multiValueHeaders", "statusDescription"):
        if key in payload and payload[key] is None:
            raise refused(FAILED, f"the payload's {key} is null; leave it out")
    if payload.get("statusDescription") == "":
        raise refused(FAILED, "the payload's statusDescription is empty; leave it out or write '200 OK'")
    other = "headers" if header_key == "multiValueHeaders" else "multiValueHeaders"
    if payload.get(other) and not payload.get(header_key):
        raise refused(FAILED, f"the target group wants {header_key}, the payload has {other}")
    if not isinstance(payload.get(header_key, {}), dict):
        raise refused(FAILED, f"the payload's {header_key} is no object")
    size = len(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"))
    if size > _LIMIT:
        raise refused(FAILED, f"the payload is {size} bytes of JSON, a load balancer takes {_LIMIT}")
    return payload


def _answer(payload: dict[str, Any], headers: list[tuple[str, Any]]) -> Answer:
    status = status_of(payload, FAILED)
    for name, value in headers:
        if not isinstance(value, str):
            raise refused(FAILED, f"the header {name!r} is {value!r}; a load balancer takes text only")
    kept = [(name, native_of(value)) for name, value in headers if name.lower() not in HOP_BY_HOP | {"content-length"}]
    return Answer(status, kept, payload_body(payload, FAILED))
