"""A VPC Lattice service with a Lambda target group.

https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway import http_api
from bridge.dev.gateway.event_parts import (
    all_values,
    check_event_size,
    encode_body,
    forwarded_headers,
    joined_values,
    query_pairs,
)
from bridge.dev.gateway.models import Answer, FrontDoor, Request
from bridge.dev.gateway.payload_validation import check_object

if TYPE_CHECKING:
    from bridge.dev.gateway.models import FrontDoorConfig


def _plain(status: int, phrase: bytes) -> Answer:
    return Answer(status, [("content-type", "text/plain")], phrase)


_FAILED = _plain(500, b"Internal Server Error")
_TOO_LARGE = _plain(413, b"Content Too Large")


def compose(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event of version 2.

    Raises:
        RefusedError: the request is larger than Lambda's limit.
    """
    body, is_base64 = encode_body(request.body, is_text=http_api.is_text(request), rule=http_api.BODY_RULE)
    arn = f"arn:aws:vpc-lattice:{door.region}:{door.account}"
    query = all_values(query_pairs(request.query, decode=True), ignore_case=False)
    event: dict[str, Any] = {
        "version": "2.0",
        "path": request.target,
        "method": request.method,
        "headers": all_values([(name.lower(), value) for name, value in forwarded_headers(request)]),
        "isBase64Encoded": is_base64,
        "requestContext": {
            "serviceNetworkArn": f"{arn}:servicenetwork/sn-bridge",
            "serviceArn": f"{arn}:service/svc-bridge",
            "targetGroupArn": f"{arn}:targetgroup/tg-bridge",
            "identity": {
                "sourceVpcArn": f"arn:aws:ec2:{door.region}:{door.account}:vpc/vpc-bridge",
            },
            "region": door.region,
            "timeEpoch": str(int(time.time() * 1_000_000)),
        },
    }
    if query:
        event["queryStringParameters"] = query
    if body:
        event["body"] = body
    check_event_size(event, request, _TOO_LARGE)
    return event


def compose_v1(request: Request, _door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event of version 1.

    Raises:
        RefusedError: the request is larger than Lambda's limit.
    """
    body, is_base64 = encode_body(request.body, is_text=http_api.is_text(request), rule=http_api.BODY_RULE)
    event = {
        "raw_path": request.target,
        "method": request.method,
        "headers": joined_values(forwarded_headers(request)),
        "query_string_parameters": dict(query_pairs(request.query, decode=True)),
        "body": body,
        "is_base64_encoded": is_base64,
    }
    check_event_size(event, request, _TOO_LARGE)
    return event


def interpret(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload.

    Raises:
        RefusedError: the payload is malformed.
    """
    return http_api.answer_of(check_object(payload, _FAILED), _FAILED)


FRONT_DOOR = FrontDoor(
    compose,
    interpret,
    failed=_FAILED,
    timed_out=_plain(504, b"Gateway Timeout"),
    no_route=_plain(404, b"Not Found"),
    timeout=60.0,
)
V1_FRONT_DOOR = replace(FRONT_DOOR, compose=compose_v1)
