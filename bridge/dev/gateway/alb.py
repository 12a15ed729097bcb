"""An Application Load Balancer in front of a Lambda target group.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.bodies import media_type
from bridge.dev.gateway.decisions import exceeds
from bridge.dev.gateway.event_parts import (
    all_values,
    encode_body,
    forwarded_headers,
    header_size,
    last_values,
    query_pairs,
)
from bridge.dev.gateway.models import Answer, FrontDoor, RefusedError, Request, html_answer
from bridge.dev.gateway.payload_validation import (
    check_headers,
    check_object,
    declared_length,
    decode_body,
    drop_hop_by_hop,
    header_lists,
    header_map,
    json_size,
    status_code,
)
from bridge.dev.limits import LAMBDA_SECONDS
from bridge.limits import ALB_HEADER_LIMIT, ALB_PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import FrontDoorConfig

# Limits of a request:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
# Statuses: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
# That page has both 400 and 413 for headers that are too large; load balancers are reported to answer 400.
_BODY_LIMIT = 1_048_576
_REQUEST_LINE_LIMIT = 16_384
_HEADER_LIMIT = 16_384
_ALL_HEADERS_LIMIT = 65_536
_FORWARDED_FOR_LIMIT = 30

_TEXT = re.compile(r"(text/.*|application/(json|javascript|xml))\Z")
_BODY_RULE = (
    "load balancers send text/*, JSON, XML and JavaScript as text if there is no Content-Encoding, and other bodies as "
    "base64"
)


def _page(status: int, phrase: str) -> Answer:
    return html_answer(status, phrase, server="awselb/2.0")


_FAILED = _page(502, "Bad Gateway")


def compose(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event of a target group without multi-value headers.

    Raises:
        RefusedError: the load balancer refuses the request.
    """
    headers, body, is_base64 = _checked_parts(request)
    return {
        "requestContext": _request_context(door),
        "httpMethod": request.method,
        "path": request.path,
        "queryStringParameters": dict(query_pairs(request.query, decode=False)),
        "headers": last_values(headers),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def compose_multi(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event of a target group with multi-value headers.

    Raises:
        RefusedError: the load balancer refuses the request.
    """
    headers, body, is_base64 = _checked_parts(request)
    return {
        "requestContext": _request_context(door),
        "httpMethod": request.method,
        "path": request.path,
        "multiValueQueryStringParameters": all_values(query_pairs(request.query, decode=False), ignore_case=False),
        "multiValueHeaders": all_values(headers),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def interpret(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload with ``headers``.

    Raises:
        RefusedError: the load balancer answers 502.
    """
    payload = _check_payload(payload, "headers", "multiValueHeaders")
    return _answer(payload, header_map(payload, "headers", _FAILED).items())


def interpret_multi(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload with ``multiValueHeaders``.

    Raises:
        RefusedError: the load balancer answers 502.
    """
    payload = _check_payload(payload, "multiValueHeaders", "headers")
    return _answer(payload, header_lists(payload, "multiValueHeaders", _FAILED))


FRONT_DOOR = FrontDoor(
    compose,
    interpret,
    failed=_FAILED,
    timed_out=_FAILED,  # the guide: 502 also when the function does not respond before its timeout
    no_route=_page(404, "Not Found"),
    timeout=LAMBDA_SECONDS,
)
MULTI_VALUE_FRONT_DOOR = replace(FRONT_DOOR, compose=compose_multi, interpret=interpret_multi)


def _checked_parts(request: Request) -> tuple[list[tuple[str, str]], str, bool]:
    """Return headers, body, and whether the body is base64, of a request within the limits."""
    _check_request(request)
    media = media_type(request.header("content-type"))
    is_text = not request.header("content-encoding") and _TEXT.match(media) is not None
    headers = [(name.lower(), value) for name, value in forwarded_headers(request)]
    return headers, *encode_body(request.body, is_text=is_text, rule=_BODY_RULE)


def _request_context(door: FrontDoorConfig) -> dict[str, Any]:
    group = f"arn:aws:elasticloadbalancing:{door.region}:{door.account}:targetgroup/bridge/0123456789abcdef"
    return {"elb": {"targetGroupArn": group}}


def _check_request(request: Request) -> None:
    if request.method == "TRACE":
        raise RefusedError(
            _page(405, "Not Allowed"), "load balancers do not support the method TRACE; use another method"
        )
    line = len(f"{request.method} {request.target} HTTP/1.1")
    if exceeds("request line", line, _REQUEST_LINE_LIMIT):
        raise RefusedError(
            _page(414, "Request-URI Too Large"),
            f"the request line has {line} bytes, but load balancers accept {_REQUEST_LINE_LIMIT}; send long values in "
            "the body",
        )
    for name, value in request.headers:
        size = len(f"{name}: {value}")
        if exceeds(f"request header {name}", size, _HEADER_LIMIT):
            raise RefusedError(
                _page(400, "Bad Request"),
                f"the header {name!r} has {size} bytes, but load balancers accept {_HEADER_LIMIT}; send less in it",
            )
    size = header_size(request)
    if exceeds("request headers", size, _ALL_HEADERS_LIMIT):
        raise RefusedError(
            _page(400, "Bad Request"),
            f"the headers have {size} bytes, but load balancers accept {_ALL_HEADERS_LIMIT}; send less in them, for "
            "example in cookies",
        )
    forwarded_for = ",".join(value for name, value in request.headers if name.lower() == "x-forwarded-for")
    hops = len([hop for hop in forwarded_for.split(",") if hop.strip()])
    if exceeds("addresses in X-Forwarded-For", hops, _FORWARDED_FOR_LIMIT):
        raise RefusedError(
            _page(463, ""),
            f"X-Forwarded-For has {hops} addresses, but load balancers accept {_FORWARDED_FOR_LIMIT}; send fewer",
        )
    if exceeds("request body", request.size, _BODY_LIMIT):
        raise RefusedError(
            _page(413, "Request Entity Too Large"),
            f"the body has {request.size} bytes, but load balancers pass {_BODY_LIMIT} to Lambda; send less, or upload "
            "to S3",
        )


def _check_payload(payload: Any, header_key: str, other_key: str) -> dict[str, Any]:
    checked = check_object(payload, _FAILED)
    for key in ("body", "headers", "multiValueHeaders", "statusDescription"):
        if key in checked and checked[key] is None:
            raise RefusedError(_FAILED, f"the payload's {key} is null; omit it")
    if checked.get("statusDescription") == "":
        raise RefusedError(_FAILED, "the payload's statusDescription is empty; omit it, or write '200 OK'")
    if checked.get(other_key) and not checked.get(header_key):
        raise RefusedError(
            _FAILED, f"the payload has {other_key}, but this target group requires {header_key}, as in its events"
        )
    size = json_size(checked)
    if exceeds("payload as JSON, load balancer", size, ALB_PAYLOAD_LIMIT):
        raise RefusedError(
            _FAILED,
            f"the payload has {size} bytes of JSON, but load balancers accept {ALB_PAYLOAD_LIMIT}; answer with less, "
            "or redirect to S3",
        )
    return checked


def _answer(payload: dict[str, Any], pairs: Iterable[tuple[str, Any]]) -> Answer:
    status = status_code(payload, _FAILED)
    headers = check_headers(pairs, _FAILED, only_strings=True)
    size = sum(len(name) + len(value) for name, value in headers)
    if exceeds("response headers", size, ALB_HEADER_LIMIT):
        raise RefusedError(
            _FAILED, f"the headers have {size} bytes, but load balancers accept {ALB_HEADER_LIMIT}; send less in them"
        )
    length = declared_length(headers)
    headers = drop_hop_by_hop(headers)
    return Answer(status, headers, decode_body(payload, _FAILED), declared_length=length)
