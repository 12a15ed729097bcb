"""A Lambda function URL.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.dev.gateway import http_api
from bridge.dev.gateway.event_parts import check_event_size
from bridge.dev.gateway.models import Answer, FrontDoor, Request, json_answer
from bridge.dev.limits import LAMBDA_SECONDS

if TYPE_CHECKING:
    from bridge.dev.gateway.models import FrontDoorConfig

_DOMAIN = "bridge.lambda-url.us-east-1.on.aws"
_FAILED = Answer(502, [("content-type", "application/json")], b"Internal Server Error")
_TOO_LARGE = json_answer(
    413, {"Message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation"}
)


def compose(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event: an HTTP API's, with the raw path as sent, and with cookies in the headers, too.

    Raises:
        RefusedError: the request is larger than Lambda's limit.
    """
    path = unquote(request.path, errors="replace")
    event = http_api.base_event(request, door, request.path, path, "$default", "$default")
    event["requestContext"]["accountId"] = "anonymous"
    event["requestContext"]["domainName"] = _DOMAIN  # distinguishes a function URL from an HTTP API
    event["requestContext"]["domainPrefix"] = _DOMAIN.partition(".")[0]
    event["headers"].pop("cookie", None)
    if cookies := http_api.split_cookies(request):
        event["headers"]["cookie"] = "; ".join(cookies)
        event["cookies"] = cookies
    check_event_size(event, request, _TOO_LARGE)
    return event


def interpret(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload; without ``statusCode`` the payload is the body.

    Raises:
        RefusedError: the payload has a status and is malformed.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return http_api.inferred_answer(payload)
    body = payload.get("body")
    if isinstance(body, (dict, list)):  # function URLs alone accept these
        body = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        payload = {**payload, "body": body, "isBase64Encoded": False}
    return http_api.answer_of(payload, _FAILED, content_type="application/json")


def interpret_prelude(prelude: dict[str, Any]) -> Answer:
    """Return the answer, still without a body, for the prelude of a streamed response.

    Raises:
        RefusedError: the prelude is malformed.
    """
    payload = {
        "statusCode": prelude.get("statusCode", 200),
        **{key: prelude.get(key) for key in ("headers", "cookies")},
    }
    return http_api.answer_of(payload, _FAILED, content_type="application/octet-stream")


FRONT_DOOR = FrontDoor(
    compose,
    interpret,
    failed=_FAILED,
    timed_out=_FAILED,
    no_route=json_answer(404, {"Message": None}),
    timeout=LAMBDA_SECONDS,
    interpret_prelude=interpret_prelude,
    prelude_is_optional=True,
)
