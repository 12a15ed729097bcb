"""Lambda's side of a Function URL.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.dev.gateway import http_api
from bridge.dev.gateway.events import check_event_size, json_answer
from bridge.dev.gateway.models import Answer, Request

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Door

FAILED = Answer(502, [("content-type", "application/json")], b"Internal Server Error")
TIMED_OUT = FAILED
NO_ROUTE = json_answer(404, {"Message": None})
TIMEOUT_SECONDS = 900.0
TAKES_BARE_STREAMS = True  # with the type that the runtime gives them
DOMAIN = "bridge.lambda-url.us-east-1.on.aws"

_TOO_LARGE = json_answer(
    413, {"Message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation"}
)


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event for a request that came to a Function URL: an HTTP API's, with path and cookies as sent.

    Raises:
        RefusedError: the request is larger than Lambda takes.
    """
    path = unquote(request.path, errors="replace")
    event = http_api.event_of(request, door, request.path, path, "$default", "$default")
    event["requestContext"]["accountId"] = "anonymous"
    event["requestContext"]["domainName"] = DOMAIN  # what tells a Function URL from an HTTP API
    event["requestContext"]["domainPrefix"] = DOMAIN.partition(".")[0]
    event["headers"].pop("cookie", None)
    if cookies := http_api.split_cookies(request):
        event["headers"]["cookie"] = "; ".join(cookies)
        event["cookies"] = cookies
    check_event_size(event, request, _TOO_LARGE)
    return event


def interpret(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001 - one signature for all
    """What the client gets for a payload: one with ``statusCode``, or anything, which is then the body.

    Raises:
        RefusedError: the payload has a status and is malformed.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return http_api.inferred(payload)
    body = payload.get("body")
    if isinstance(body, (dict, list)):  # taken here, and by no other source
        body = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        payload = {**payload, "body": body, "isBase64Encoded": False}
    return http_api.answer_of(payload, FAILED, content_type="application/json")


def begin(prelude: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets first of a stream that begins so.

    Raises:
        RefusedError: it is malformed.
    """
    begun = {"statusCode": prelude.get("statusCode", 200), **{key: prelude.get(key) for key in ("headers", "cookies")}}
    return http_api.answer_of(begun, FAILED, content_type="application/octet-stream")
