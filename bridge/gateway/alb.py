"""An Application Load Balancer's side of a Lambda target.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bridge.encoder import media_type
from bridge.gateway.message import Answer, Request
from bridge.gateway.payload import body_of, header_pairs, lists_of, map_of, object_of, size_of, status_of
from bridge.gateway.wire import (
    HOP_BY_HOP,
    all_values,
    event_body,
    forwarded,
    header_size,
    html_answer,
    last_values,
    query_pairs,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    payload = _checked(payload, "headers", "multiValueHeaders")
    return _answer(payload, map_of(payload, "headers", FAILED).items())


def interpret_multi(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets for a payload with ``multiValueHeaders``.

    Raises:
        RefusedError: the load balancer answers 502 for such a payload.
    """
    payload = _checked(payload, "multiValueHeaders", "headers")
    return _answer(payload, lists_of(payload, "multiValueHeaders", FAILED))


def _event(request: Request, door: Door) -> tuple[Headers, dict[str, Any]]:
    size = header_size(request)
    if size > _HEADER_LIMIT:
        why = (
            f"the headers are {size} bytes, a load balancer takes {_HEADER_LIMIT}; send less in them, often in cookies"
        )
        raise refused(_HEADERS_TOO_LARGE, why)
    if request.size > _LIMIT:
        why = f"the body is {request.size} bytes, a load balancer passes {_LIMIT} to Lambda; send less, or upload to S3"
        raise refused(_TOO_LARGE, why)
    media = media_type(request.header("content-type"))
    is_text = not request.header("content-encoding") and _TEXT.match(media) is not None
    body, is_base64 = event_body(request.body, is_text=is_text)
    group = f"arn:aws:elasticloadbalancing:{door.region}:{door.account}:targetgroup/bridge/0123456789abcdef"
    headers = [(name.lower(), value) for name, value in forwarded(request)]
    return headers, {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _checked(payload: Any, header_key: str, other: str) -> dict[str, Any]:
    checked = object_of(payload, FAILED)
    for key in ("body", "headers", "multiValueHeaders", "statusDescription"):
        if key in checked and checked[key] is None:
            raise refused(FAILED, f"the payload's {key} is null; leave it out")
    if checked.get("statusDescription") == "":
        raise refused(FAILED, "the payload's statusDescription is empty; leave it out or write '200 OK'")
    if checked.get(other) and not checked.get(header_key):
        raise refused(FAILED, f"the payload has {other}; this target group wants {header_key}, as its events have them")
    size = size_of(checked)
    if size > _LIMIT:
        why = (
            f"the payload is {size} bytes of JSON, a load balancer takes {_LIMIT}; answer with less, or redirect to S3"
        )
        raise refused(FAILED, why)
    return checked


def _answer(payload: dict[str, Any], pairs: Iterable[tuple[str, Any]]) -> Answer:
    status = status_of(payload, FAILED)
    headers = header_pairs(pairs, FAILED, only_text=True)
    kept = [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP | {"content-length"}]
    return Answer(status, kept, body_of(payload, FAILED))
