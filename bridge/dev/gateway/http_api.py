"""API Gateway's side of an HTTP API, payload formats 2.0 and 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.bodies import media_type
from bridge.dev.gateway import rest_api
from bridge.dev.gateway.events import (
    HOP_BY_HOP,
    all_values,
    check_event_size,
    event_body,
    forwarded,
    header_size,
    host_and_port,
    http_time,
    joined_values,
    json_answer,
    query_pairs,
    refused,
    request_id,
    strip_prefix,
    text_of,
)
from bridge.dev.gateway.models import Answer, Request
from bridge.dev.gateway.payloads import body_of, header_pairs, length_of, lists_of, map_of, object_of, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import Door

FAILED = json_answer(500, {"message": "Internal Server Error"})
TIMED_OUT = json_answer(503, {"message": "Service Unavailable"})
NO_ROUTE = json_answer(404, {"message": "Not Found"})
TIMEOUT_SECONDS = 30.0

_TOO_LARGE = json_answer(413, {"message": "Request Entity Too Large"})
_HEADERS_TOO_LARGE = json_answer(431, {"message": "Request Header Fields Too Large"})
_HEADER_LIMIT = 10_240
_DROPPED = HOP_BY_HOP | {"content-length"}
_TEXT = re.compile(r"(text/.*|application/(json|xml|javascript))\Z")


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event, payload format 2.0, for a request that came to an HTTP API.

    Raises:
        RefusedError: the request is larger than API Gateway takes.
    """
    _check_size(request)
    strip_prefix(request, door, NO_ROUTE)
    path = decode_path(request.path)
    route = f"{door.route.method} {door.route.template}" if door.route is not None else "$default"
    event = event_of(request, door, path, path, route, door.stage or "$default")
    if door.route is not None and door.route.parameters:
        event["pathParameters"] = {name: unquote(value) for name, value in door.route.parameters.items()}
    if event["headers"].pop("cookie", None) is not None and (cookies := split_cookies(request)):
        event["cookies"] = cookies
    check_event_size(event, request, _TOO_LARGE)
    return event


def compose_v1(request: Request, door: Door) -> dict[str, Any]:
    """The event, payload format 1.0.

    Raises:
        RefusedError: as for payload format 2.0.
    """
    _check_size(request)
    path = decode_path(request.path)
    event = rest_api.event_of(request, door, path, strip_prefix(request, door, NO_ROUTE), version="1.0")
    event["requestContext"]["path"] = path
    body, event["isBase64Encoded"] = event_body(request.body, is_text=is_text(request))
    event["body"] = body or None
    check_event_size(event, request, _TOO_LARGE)
    return event


def event_of(request: Request, door: Door, raw_path: str, path: str, route: str, stage: str) -> dict[str, Any]:
    """The parts of payload format 2.0 that HTTP APIs and Function URLs share."""
    domain = host_and_port(request)[0] or "localhost"
    when, milliseconds = http_time()
    pairs = all_values(query_pairs(request.query, decode=True), fold=False)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": raw_path,
        "rawQueryString": request.query,
        "headers": joined_values(forwarded(request)),
        "requestContext": {
            "accountId": door.account,
            "apiId": "bridge",
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": f"HTTP/{request.http_version}",
                "sourceIp": request.client,
                "userAgent": text_of(request.header("user-agent")),
            },
            "requestId": request_id(),
            "routeKey": route,
            "stage": stage,
            "time": when,
            "timeEpoch": milliseconds,
        },
        "isBase64Encoded": False,
    }
    if pairs:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in pairs.items()}
    if request.body:
        event["body"], event["isBase64Encoded"] = event_body(request.body, is_text=is_text(request))
    return event


def interpret(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001 - one signature for all
    """What the client gets for a payload: one with ``statusCode``, or anything, which is then the body.

    Raises:
        RefusedError: API Gateway answers 500 for such a payload.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return inferred(payload)
    return answer_of(payload, FAILED, content_type="text/plain; charset=utf-8")


def interpret_v1(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets for a payload of format 1.0; a header in ``multiValueHeaders`` counts before ``headers``.

    Raises:
        RefusedError: API Gateway answers 500 for such a payload.
    """
    payload = object_of(payload, FAILED)
    repeated = lists_of(payload, "multiValueHeaders", FAILED)
    return answer_of(payload, FAILED, repeated, content_type="text/plain; charset=utf-8")


def inferred(payload: Any) -> Answer:
    """The answer for a payload that names no status: text as it is, anything else as JSON."""
    text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    return Answer(200, [("content-type", "application/json")], text.encode("utf-8", "replace"))


def answer_of(
    payload: dict[str, Any], refuse: Answer, repeated: Iterable[tuple[str, Any]] = (), *, content_type: str = ""
) -> Answer:
    """The answer that a payload with ``statusCode``, ``headers`` and ``cookies`` describes.

    Args:
        payload: the payload.
        refuse: the answer to what is malformed.
        repeated: headers that come before those in ``headers``, and instead of them.
        content_type: where the payload names none.

    Raises:
        RefusedError: it is malformed.
    """
    status = status_of(payload, refuse)
    cookies = payload.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        raise refused(refuse, "the payload's cookies must be a list of texts, such as ['a=1; Path=/']")
    first = header_pairs(repeated, refuse)
    passed_over = {name.lower() for name, _ in first} | _DROPPED if first else _DROPPED
    kept = [(lower, value) for name, value in first if (lower := name.lower()) not in _DROPPED]
    then = header_pairs(map_of(payload, "headers", refuse).items(), refuse)
    kept += [(lower, value) for name, value in then if (lower := name.lower()) not in passed_over]
    if content_type and "content-type" not in [name for name, _ in kept]:
        kept.append(("content-type", content_type))
    if cookies:
        kept += header_pairs([("set-cookie", cookie) for cookie in cookies], refuse)
    return Answer(status, kept, body_of(payload, refuse), length=length_of(first + then))


def _check_size(request: Request) -> None:
    size = len(request.target) + header_size(request)
    if size > _HEADER_LIMIT:
        why = f"request line and headers are {size} bytes, at most {_HEADER_LIMIT} pass; send less in cookies and query"
        raise refused(_HEADERS_TOO_LARGE, why)


def decode_path(path: str) -> str:
    """The path as an HTTP API hands it over: decoded but for ``%25``, and cut off at a question mark."""
    if "%" not in path:
        return path.partition("?")[0]
    decoded = "%25".join(unquote(part, errors="replace") for part in re.split("%25", path))
    return decoded.partition("?")[0]


def split_cookies(request: Request) -> list[str]:
    """Each cookie of every Cookie header."""
    values = [text_of(value) for name, value in request.headers if name.lower() == "cookie"]
    cookies = [cookie.strip(" \t") for value in values for cookie in value.split(";")]
    return [cookie for cookie in cookies if cookie]


def is_text(request: Request) -> bool:
    """Whether the body goes into the event as text: a form, and a body without a type, do not."""
    return _TEXT.match(media_type(request.header("content-type"))) is not None
