"""API Gateway's side of an HTTP API, payload formats 2.0 and 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.gateway import rest_api
from bridge.gateway.message import Answer, Request
from bridge.gateway.wire import (
    all_values,
    event_body,
    forwarded,
    header_text,
    http_time,
    joined_values,
    json_answer,
    payload_body,
    query_pairs,
    refused,
    status_of,
)

if TYPE_CHECKING:
    from bridge.gateway.message import Door

FAILED = json_answer(500, {"message": "Internal Server Error"})
TIMED_OUT = json_answer(503, {"message": "Service Unavailable"})
NO_ROUTE = json_answer(404, {"message": "Not Found"})
TIMEOUT_SECONDS = 30.0

_TOO_LARGE = json_answer(413, {"message": "Request Entity Too Large"})
_HEADERS_TOO_LARGE = json_answer(431, {"message": "Request Header Fields Too Large"})
_HEADER_LIMIT = 10_240
_TEXT = re.compile(r"(text/.*|application/(json|xml|javascript))\Z")


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event, payload format 2.0, for a request that came to an HTTP API.

    Raises:
        RefusedError: the request is larger than API Gateway takes.
    """
    check_size(request)
    stage = door.stage.strip("/") or "$default"
    if stage != "$default":
        rest_api.split_stage(request.path, door)  # refuses what is not below it
    path = decode_path(request.path)
    route = f"{door.route.method} {door.route.template}" if door.route is not None else "$default"
    event = event_of(request, door, path, path, route, stage)
    if door.route is not None and door.route.parameters:
        event["pathParameters"] = {name: unquote(value) for name, value in door.route.parameters.items()}
    cookies = event["headers"].pop("cookie", None)
    if cookies is not None:
        event["cookies"] = split_cookies(request)
    return event


def compose_v1(request: Request, door: Door) -> dict[str, Any]:
    """The event, payload format 1.0."""
    check_size(request)
    event = rest_api.event_of(request, door, version="1.0")
    asked = decode_path(request.path)
    event["path"] = event["requestContext"]["path"] = asked
    event["body"], event["isBase64Encoded"] = event_body(request.body, is_text=is_text(request))
    return event


def event_of(request: Request, door: Door, raw_path: str, path: str, route: str, stage: str) -> dict[str, Any]:
    """The parts of payload format 2.0 that HTTP APIs and Function URLs share."""
    domain = request.header("host").partition(":")[0] or "localhost"
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
                "userAgent": request.header("user-agent"),
            },
            "requestId": str(uuid.uuid4()),
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
        text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        return Answer(200, [("content-type", "application/json")], text.encode())
    return answer_of(payload, FAILED)


def interpret_v1(payload: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001
    """What the client gets for a payload of format 1.0."""
    if not isinstance(payload, dict):
        raise refused(FAILED, f"the payload is a JSON {type(payload).__name__}, not an object")
    multi = payload.get("multiValueHeaders") or {}
    if not isinstance(multi, dict) or not all(isinstance(values, list) for values in multi.values()):
        raise refused(FAILED, "multiValueHeaders must be an object of lists")
    answer = answer_of(payload, FAILED)
    repeated = [(name, header_text(value)) for name, values in multi.items() for value in values]
    names = {name.lower() for name, _ in repeated}
    return Answer(answer.status, [*repeated, *[p for p in answer.headers if p[0].lower() not in names]], answer.body)


def answer_of(payload: dict[str, Any], refuse: Answer) -> Answer:
    """The answer that a payload with ``statusCode``, ``headers`` and ``cookies`` describes."""
    status = status_of(payload, refuse)
    headers, cookies = payload.get("headers") or {}, payload.get("cookies") or []
    if not isinstance(headers, dict) or any(isinstance(value, (dict, list)) for value in headers.values()):
        raise refused(refuse, "the payload's headers must be an object of texts")
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        raise refused(refuse, "the payload's cookies must be a list of texts")
    pairs = [(name.lower(), header_text(value)) for name, value in headers.items() if value is not None]
    kept = [
        pair for pair in pairs if pair[0] not in ("connection", "content-length", "transfer-encoding", "keep-alive")
    ]
    if "content-type" not in dict(kept):
        kept.append(("content-type", "text/plain; charset=utf-8"))
    kept += [("set-cookie", header_text(cookie)) for cookie in cookies]
    return Answer(status, kept, payload_body(payload, refuse))


def check_size(request: Request) -> None:
    """Refuse what is larger than an HTTP API takes."""
    size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
    if size > _HEADER_LIMIT:
        raise refused(_HEADERS_TOO_LARGE, f"request line and headers are {size} bytes, at most {_HEADER_LIMIT}")
    rest_api.check_event_size(request, _TOO_LARGE)


def decode_path(path: str) -> str:
    """The path as an HTTP API hands it over: decoded but for ``%25``, and cut off at a question mark."""
    decoded = "%25".join(unquote(part, errors="replace") for part in re.split("%25", path))
    return decoded.partition("?")[0]


def split_cookies(request: Request) -> list[str]:
    """Each cookie of every Cookie header."""
    values = [value for name, value in request.headers if name.lower() == "cookie"]
    return [cookie.strip() for value in values for cookie in value.split(";") if cookie.strip()]


def is_text(request: Request) -> bool:
    """Whether the body goes into the event as text: a form, and a body without a type, do not."""
    return _TEXT.match(request.header("content-type").partition(";")[0].strip().lower()) is not None
