"""VPC Lattice's side of a Lambda target.

https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway import http_api
from bridge.dev.gateway.events import all_values, check_event_size, event_body, forwarded, joined_values, query_pairs
from bridge.dev.gateway.models import Answer, Request
from bridge.dev.gateway.payloads import object_of

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Door

FAILED = Answer(500, [("content-type", "text/plain")], b"Internal Server Error")
TIMED_OUT = Answer(504, [("content-type", "text/plain")], b"Gateway Timeout")
NO_ROUTE = Answer(404, [("content-type", "text/plain")], b"Not Found")
TIMEOUT_SECONDS = 60.0

_TOO_LARGE = Answer(413, [("content-type", "text/plain")], b"Content Too Large")


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event, version 2.

    Raises:
        RefusedError: the request is larger than Lambda takes.
    """
    text, is_base64 = event_body(request.body, is_text=http_api.is_text(request))
    place = f"arn:aws:vpc-lattice:{door.region}:{door.account}"
    pairs = query_pairs(request.query, decode=True)
    event: dict[str, Any] = {
        "version": "2.0",
        "path": request.target,
        "method": request.method,
        "headers": all_values([(name.lower(), value) for name, value in forwarded(request)]),
        "isBase64Encoded": is_base64,
        "requestContext": {
            "serviceNetworkArn": f"{place}:servicenetwork/sn-bridge",
            "serviceArn": f"{place}:service/svc-bridge",
            "targetGroupArn": f"{place}:targetgroup/tg-bridge",
            "identity": {
                "sourceVpcArn": f"arn:aws:ec2:{door.region}:{door.account}:vpc/vpc-bridge",
            },
            "region": door.region,
            "timeEpoch": str(int(time.time() * 1_000_000)),
        },
    }
    if pairs:
        event["queryStringParameters"] = all_values(pairs, fold=False)
    if text:
        event["body"] = text
    check_event_size(event, request, _TOO_LARGE)
    return event


def compose_v1(request: Request, door: Door) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    """The event, version 1.

    Raises:
        RefusedError: the request is larger than Lambda takes.
    """
    text, is_base64 = event_body(request.body, is_text=http_api.is_text(request))
    event = {
        "raw_path": request.target,
        "method": request.method,
        "headers": joined_values(forwarded(request)),
        "query_string_parameters": dict(query_pairs(request.query, decode=True)),
        "body": text,
        "is_base64_encoded": is_base64,
    }
    check_event_size(event, request, _TOO_LARGE)
    return event


def interpret(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets for a payload.

    Raises:
        RefusedError: the payload is malformed.
    """
    return http_api.answer_of(object_of(payload, FAILED), FAILED)
