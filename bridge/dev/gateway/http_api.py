"""An API Gateway HTTP API, with payload formats 2.0 and 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.bodies import media_type
from bridge.dev.gateway import rest_api
from bridge.dev.gateway.decisions import exceeds, explain
from bridge.dev.gateway.event_parts import (
    all_values,
    check_event_size,
    decode_header,
    encode_body,
    forwarded_headers,
    header_size,
    host_and_port,
    joined_values,
    query_pairs,
    request_time,
    strip_prefix,
)
from bridge.dev.gateway.models import Answer, FrontDoor, RefusedError, Request, json_answer
from bridge.dev.gateway.payload_validation import (
    check_headers,
    check_object,
    declared_length,
    decode_body,
    drop_hop_by_hop,
    header_lists,
    header_map,
    status_code,
)
from bridge.dev.limits import API_GATEWAY_HEADER_LIMIT, HTTP_API_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway.models import FrontDoorConfig

_TEXT = re.compile(r"(text/.*|application/(json|xml|javascript))\Z")
BODY_RULE = "text/*, JSON, XML and JavaScript are sent as text, and other bodies as base64"

_FAILED = json_answer(500, {"message": "Internal Server Error"})
_NO_ROUTE = json_answer(404, {"message": "Not Found"})
_TOO_LARGE = json_answer(413, {"message": "Request Entity Too Large"})
_HEADERS_TOO_LARGE = json_answer(431, {"message": "Request Header Fields Too Large"})


def compose(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event in payload format 2.0.

    Raises:
        RefusedError: the request is over a limit, or outside the stage or base path.
    """
    _check_headers_size(request)
    strip_prefix(request, door, _NO_ROUTE)
    path = decode_path(request.path)
    route_key = f"{door.route.method} {door.route.template}" if door.route is not None else "$default"
    event = base_event(request, door, path, path, route_key, door.stage or "$default")
    if door.route is not None and door.route.parameters:
        event["pathParameters"] = {name: unquote(value) for name, value in door.route.parameters.items()}
    if event["headers"].pop("cookie", None) is not None and (cookies := split_cookies(request)):
        event["cookies"] = cookies
    check_event_size(event, request, _TOO_LARGE)
    return event


def compose_v1(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event in payload format 1.0.

    Raises:
        RefusedError: the request is over a limit, or outside the stage or base path.
    """
    _check_headers_size(request)
    path = decode_path(request.path)
    event = rest_api.base_event(request, door, path, strip_prefix(request, door, _NO_ROUTE), version="1.0")
    event["requestContext"]["path"] = path
    body, event["isBase64Encoded"] = encode_body(request.body, is_text=is_text(request), rule=BODY_RULE)
    event["body"] = body or None
    check_event_size(event, request, _TOO_LARGE)
    return event


def base_event(
    request: Request, door: FrontDoorConfig, raw_path: str, path: str, route_key: str, stage: str
) -> dict[str, Any]:
    """Return the parts of payload format 2.0 that HTTP APIs and function URLs share."""
    domain = host_and_port(request)[0] or "localhost"
    time, milliseconds = request_time()
    query = all_values(query_pairs(request.query, decode=True), ignore_case=False)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": raw_path,
        "rawQueryString": request.query,
        "headers": joined_values(forwarded_headers(request)),
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
                "userAgent": decode_header(request.header("user-agent")),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": route_key,
            "stage": stage,
            "time": time,
            "timeEpoch": milliseconds,
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if request.body:
        event["body"], event["isBase64Encoded"] = encode_body(request.body, is_text=is_text(request), rule=BODY_RULE)
    return event


def interpret(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload of format 2.0; without ``statusCode`` the payload is the body.

    Raises:
        RefusedError: API Gateway answers 500.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return inferred_answer(payload)
    return answer_of(payload, _FAILED, content_type="text/plain; charset=utf-8")


def interpret_v1(payload: Any, _request: Request, _door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload of format 1.0; ``multiValueHeaders`` takes precedence over ``headers``.

    Raises:
        RefusedError: API Gateway answers 500.
    """
    payload = check_object(payload, _FAILED)
    repeated = header_lists(payload, "multiValueHeaders", _FAILED)
    return answer_of(payload, _FAILED, repeated, content_type="text/plain; charset=utf-8")


FRONT_DOOR = FrontDoor(
    compose,
    interpret,
    failed=_FAILED,
    timed_out=json_answer(503, {"message": "Service Unavailable"}),
    no_route=_NO_ROUTE,
    timeout=HTTP_API_SECONDS,
)
V1_FRONT_DOOR = replace(FRONT_DOOR, compose=compose_v1, interpret=interpret_v1)


def inferred_answer(payload: Any) -> Answer:
    """Return the answer for a payload without a status: a string as it is, anything else as JSON."""
    text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    return Answer(200, [("content-type", "application/json")], text.encode("utf-8", "replace"))


def answer_of(
    payload: dict[str, Any], failed: Answer, repeated: Iterable[tuple[str, Any]] = (), *, content_type: str = ""
) -> Answer:
    """Return the answer for a payload with ``statusCode``, ``headers``, ``cookies`` and ``body``.

    Args:
        payload: the payload.
        failed: the answer to a malformed payload.
        repeated: headers that replace those of the same name in ``headers``.
        content_type: the default Content-Type.

    Raises:
        RefusedError: the payload is malformed.
    """
    status = status_code(payload, failed)
    cookies = payload.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        raise RefusedError(failed, "the payload's cookies must be a list of strings, such as ['a=1; Path=/']")
    first = [(name.lower(), value) for name, value in check_headers(repeated, failed)]
    replaced = {name for name, _ in first}
    rest = check_headers(header_map(payload, "headers", failed).items(), failed)
    headers = list(first)
    for name, value in rest:
        if name.lower() in replaced:
            explain("response header", name, "dropped: multiValueHeaders has it, too, and takes precedence")
        else:
            headers.append((name.lower(), value))
    length = declared_length(headers)
    headers = drop_hop_by_hop(headers)
    if content_type and "content-type" not in [name for name, _ in headers]:
        explain("response header", "content-type", "added by the front door: the payload has none")
        headers.append(("content-type", content_type))
    headers += check_headers([("set-cookie", cookie) for cookie in cookies], failed)
    return Answer(status, headers, decode_body(payload, failed), declared_length=length)


def decode_path(path: str) -> str:
    """Return the path as an HTTP API passes it: decoded except for ``%25``, and cut off at a question mark."""
    decoded = "%25".join(unquote(part, errors="replace") for part in path.split("%25"))
    path, question_mark, rest = decoded.partition("?")
    if question_mark:
        explain("path", f"?{rest}", "cut off: an HTTP API decodes the path, and ends it at a question mark (%3F)")
    return path


def split_cookies(request: Request) -> list[str]:
    """Return each cookie of every Cookie header."""
    values = [decode_header(value) for name, value in request.headers if name.lower() == "cookie"]
    cookies = [cookie.strip(" \t") for value in values for cookie in value.split(";")]
    return [cookie for cookie in cookies if cookie]


def is_text(request: Request) -> bool:
    """Return whether the event carries the body as text; forms, and bodies without a type, are base64."""
    return _TEXT.match(media_type(request.header("content-type"))) is not None


def _check_headers_size(request: Request) -> None:
    size = len(request.target) + header_size(request)
    if exceeds("request line and headers", size, API_GATEWAY_HEADER_LIMIT):
        raise RefusedError(
            _HEADERS_TOO_LARGE,
            f"request line and headers have {size} bytes, but API Gateway accepts {API_GATEWAY_HEADER_LIMIT}; send "
            "less in cookies and query",
        )
