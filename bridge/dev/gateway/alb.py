"""An Application Load Balancer's side of a Lambda target.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bridge.bodies import media_type
from bridge.dev.gateway.events import (
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
from bridge.dev.gateway.models import Answer, Request
from bridge.dev.gateway.payloads import (
    body_of,
    header_pairs,
    length_of,
    lists_of,
    map_of,
    object_of,
    size_of,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import Door, Headers

FAILED = html_answer(502, "Bad Gateway")
TIMED_OUT = FAILED  # the guide: 502 also when the function does not respond before its timeout
NO_ROUTE = html_answer(404, "Not Found")
TIMEOUT_SECONDS = 900.0

# The limits: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html and
# lambda-functions.html. The statuses: load-balancer-troubleshooting.html, which names both 400 and 413 for headers that
# are too large; people who have tried it report 400. A URL that is too large has a status of its own there.
_LIMIT = 1_048_576
_LINE_LIMIT = 16_384
_HEADER_LIMIT = 16_384
_HEADERS_LIMIT = 65_536
_RESPONSE_HEADERS_LIMIT = 32_768
_MOST_FORWARDED = 30
_TOO_LARGE = html_answer(413, "Request Entity Too Large")
_HEADERS_TOO_LARGE = html_answer(400, "Bad Request")
_URI_TOO_LARGE = html_answer(414, "Request-URI Too Large")
_NO_TRACE = html_answer(405, "Not Allowed")
_FORWARDED_TOO_OFTEN = html_answer(463, "")
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
    _check(request)
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


def _check(request: Request) -> None:
    if request.method == "TRACE":
        raise refused(_NO_TRACE, "a load balancer does not take the method TRACE; use another one")
    line = len(f"{request.method} {request.target} HTTP/1.1")
    if line > _LINE_LIMIT:
        why = f"the request line is {line} bytes, a load balancer takes {_LINE_LIMIT}; send long values in the body"
        raise refused(_URI_TOO_LARGE, why)
    for name, value in request.headers:
        if len(name) + len(value) + 2 > _HEADER_LIMIT:  # with the colon and space between them
            size = len(name) + len(value) + 2
            why = f"the header {name!r} is {size} bytes, a load balancer takes {_HEADER_LIMIT}; send less in it"
            raise refused(_HEADERS_TOO_LARGE, why)
    size = header_size(request)
    if size > _HEADERS_LIMIT:
        why = f"the headers are {size} bytes, a load balancer takes {_HEADERS_LIMIT}; send less in them"
        raise refused(_HEADERS_TOO_LARGE, f"{why}, often in cookies")
    forwarded_for = ",".join(value for name, value in request.headers if name.lower() == "x-forwarded-for")
    hops = len([hop for hop in forwarded_for.split(",") if hop.strip()])
    if hops > _MOST_FORWARDED:
        why = f"X-Forwarded-For has {hops} addresses, a load balancer takes {_MOST_FORWARDED}; send fewer"
        raise refused(_FORWARDED_TOO_OFTEN, why)
    if request.size > _LIMIT:
        why = f"the body is {request.size} bytes, a load balancer passes {_LIMIT} to Lambda; send less, or upload to S3"
        raise refused(_TOO_LARGE, why)


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
    size = sum(len(name) + len(value) for name, value in headers)
    if size > _RESPONSE_HEADERS_LIMIT:
        why = f"the headers are {size} bytes, a load balancer takes {_RESPONSE_HEADERS_LIMIT}; send less in them"
        raise refused(FAILED, why)
    kept = [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP | {"content-length"}]
    return Answer(status, kept, body_of(payload, FAILED), length=length_of(headers))
