"""An API Gateway REST API with Lambda proxy integration; and payload format 1.0, which HTTP APIs have as well.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from bridge.bodies import media_type
from bridge.dev.gateway.decisions import exceeds, explain
from bridge.dev.gateway.event_parts import (
    all_values,
    check_event_size,
    decode_header,
    encode_body,
    forwarded_headers,
    header_size,
    host_and_port,
    last_values,
    query_pairs,
    request_time,
    strip_prefix,
)
from bridge.dev.gateway.models import Answer, FrontDoor, RefusedError, Request, json_answer
from bridge.dev.gateway.payload_validation import (
    check_headers,
    check_object,
    decode_body,
    header_lists,
    header_map,
    json_type,
    status_code,
)
from bridge.dev.limits import API_GATEWAY_HEADER_LIMIT, REST_API_SECONDS

if TYPE_CHECKING:
    from bridge.dev.gateway.models import FrontDoorConfig, Headers

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_BODY_LIMIT = 10 * 1024 * 1024

# Headers that API Gateway removes, renames in responses, or writes in its own spelling:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_REMOVED = frozenset(
    {"content-length", "expect", "max-forwards", "server", "content-md5", "proxy-authenticate", "www-authenticate"}
)
_REMAPPED = frozenset(
    {
        "authorization", "connection", "content-length", "content-md5", "date", "max-forwards", "server", "user-agent",
        "www-authenticate",
    }
)  # fmt: skip
_DROPPED = frozenset({"expect", "host", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "via"})
# AWS's own signature, which API Gateway checks (or ignores) and does not pass on.
_SIGNATURE = "AWS4-"
_SPELLINGS = {
    name.lower(): name
    for name in (
        "Authorization", "Host", "User-Agent", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port",
        "X-Forwarded-Proto",
    )
}  # fmt: skip
_PAYLOAD_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_PRELUDE_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "cookies"})

_FAILED = json_answer(
    502, {"message": "Internal server error"}, headers=[("x-amzn-errortype", "InternalServerErrorException")]
)
_NO_ROUTE = json_answer(403, {"message": "Missing Authentication Token"})
_TOO_LONG = json_answer(413, {"message": "Request Too Long"})
_URI_TOO_LONG = json_answer(414, {"message": "Request-URI Too Long"})
_HEADERS_TOO_LONG = json_answer(431, {"message": "Request Header Fields Too Large"})


def compose(request: Request, door: FrontDoorConfig) -> dict[str, Any]:
    """Return the event of a proxy integration.

    Raises:
        RefusedError: the request is over a limit, or outside the stage or base path.
    """
    _check_size(request)
    rest = strip_prefix(request, door, _NO_ROUTE)
    path = request.path
    if door.stage:
        path = rest
        explain("path", door.prefix, "removed from the event's path: it is the API's stage")
    event = base_event(request, door, "/" + path.lstrip("/"), rest)
    check_event_size(event, request, _TOO_LONG)
    return event


def base_event(request: Request, door: FrontDoorConfig, path: str, rest: str, *, version: str = "") -> dict[str, Any]:
    """Return the event in payload format 1.0.

    Args:
        request: the request.
        door: the configuration of the front door.
        path: the event's ``path``.
        rest: the path without stage or base path.
        version: the event's ``version``, which only HTTP APIs set.
    """
    headers = [(_SPELLINGS.get(name.lower(), name), value) for name, value in forwarded_headers(request)]
    if not version:
        headers = _without_removed(headers)
    query = query_pairs(request.query, decode=True)
    content_type = request.header("content-type")
    is_binary = any(_matches(content_type, pattern) for pattern in door.binary_media_types)
    types = ", ".join(door.binary_media_types) or "none are configured"
    rule = f"REST APIs send what matches their binaryMediaTypes ({types}) as base64, and other bodies as text"
    body, is_base64 = encode_body(request.body, is_text=not is_binary, rule=rule)
    resource, parameters = "/{proxy+}", {"proxy": rest.strip("/")}
    if door.route is not None:
        resource, parameters = door.route.template, dict(door.route.parameters)
    elif not parameters["proxy"]:
        resource, parameters = "/", {}
    domain = host_and_port(request)[0] or "localhost"
    time, milliseconds = request_time()
    event: dict[str, Any] = {"version": version} if version else {}
    return event | {
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": last_values(headers) or None,
        "multiValueHeaders": all_values(headers) or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": all_values(query, ignore_case=False) or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "a1b2c3",
            "resourcePath": resource,
            "httpMethod": request.method,
            "extendedRequestId": "bridge",
            "requestTime": time,
            "path": request.path,
            "accountId": door.account,
            "protocol": f"HTTP/{request.http_version}",
            "stage": door.stage or ("$default" if version else "local"),
            "domainPrefix": domain.partition(".")[0],
            "requestTimeEpoch": milliseconds,
            "requestId": str(uuid.uuid4()),
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": request.client,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": decode_header(request.header("user-agent")) or None,
                "user": None,
            },
            "domainName": domain,
            "apiId": "bridge",
        },
        "body": body or None,
        "isBase64Encoded": is_base64,
    }


def interpret(payload: Any, request: Request, door: FrontDoorConfig) -> Answer:
    """Return the answer for a payload.

    A base64 body is decoded only if the first type in the request's Accept header is among the binary media types:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html

    Raises:
        RefusedError: API Gateway answers 502.
    """
    payload = check_object(payload, _FAILED)
    _check_keys(payload, _PAYLOAD_KEYS)
    if not payload.keys() & {"statusCode", "headers", "multiValueHeaders", "body"}:
        raise RefusedError(_FAILED, "the payload is empty; return {'statusCode': 200, 'body': '…'}")
    status, headers = _status_and_headers(payload)
    accept = request.header("accept").partition(",")[0].strip()
    is_decoded = any(pattern == "*/*" or _matches(accept, pattern) for pattern in door.binary_media_types)
    if is_decoded or not payload.get("isBase64Encoded"):
        return Answer(status, headers, decode_body(payload, _FAILED))
    note = (
        "sent the client base64 text instead of the body's bytes: API Gateway decodes a payload with isBase64Encoded "
        "only if the API's binaryMediaTypes include */* or the first type in the request's Accept header, which is "
        f"{accept or 'missing'}; set binaryMediaTypes to */* on AWS, and here with --binary-media-types '*/*'"
    )
    return Answer(status, headers, decode_body({**payload, "isBase64Encoded": False}, _FAILED), note=note)


def interpret_prelude(prelude: dict[str, Any]) -> Answer:
    """Return the answer, still without a body, for the prelude of a streamed response, which may have ``cookies``.

    Raises:
        RefusedError: API Gateway answers 502.
    """
    _check_keys(prelude, _PRELUDE_KEYS)
    status, headers = _status_and_headers(prelude)
    cookies = prelude.get("cookies") or []
    if not isinstance(cookies, list):
        raise RefusedError(_FAILED, f"the cookies are a JSON {json_type(cookies)}; they must be a list of strings")
    return Answer(status, headers + check_headers([("Set-Cookie", cookie) for cookie in cookies], _FAILED))


FRONT_DOOR = FrontDoor(
    compose,
    interpret,
    failed=_FAILED,
    timed_out=json_answer(504, {"message": "Endpoint request timed out"}),
    no_route=_NO_ROUTE,
    timeout=REST_API_SECONDS,
    interpret_prelude=interpret_prelude,
)


def _check_size(request: Request) -> None:
    target, headers = len(request.target), header_size(request)
    if exceeds("path and query", target, API_GATEWAY_HEADER_LIMIT):
        raise RefusedError(
            _URI_TOO_LONG,
            f"path and query have {target} bytes, but API Gateway accepts {API_GATEWAY_HEADER_LIMIT}; send long "
            "values in the body",
        )
    if exceeds("request headers", headers, API_GATEWAY_HEADER_LIMIT):
        raise RefusedError(
            _HEADERS_TOO_LONG,
            f"the headers have {headers} bytes, but API Gateway accepts {API_GATEWAY_HEADER_LIMIT}; send less in "
            "them, for example in cookies",
        )
    if exceeds("request body", request.size, _BODY_LIMIT):
        raise RefusedError(
            _TOO_LONG,
            f"the body has {request.size} bytes, but API Gateway accepts {_BODY_LIMIT}; send less, or upload to S3",
        )


def _check_keys(payload: dict[str, Any], supported: frozenset[str]) -> None:
    if unsupported := payload.keys() - supported:
        names = ", ".join(sorted(unsupported))
        raise RefusedError(_FAILED, f"the payload has keys that REST APIs do not support; omit them: {names}")


def _status_and_headers(payload: dict[str, Any]) -> tuple[int, Headers]:
    """Return status and headers, with the Content-Type that API Gateway adds and the names that it changes.

    Both header maps are merged, the values of ``multiValueHeaders`` first.
    """
    status = status_code({"statusCode": 200, **payload}, _FAILED)
    headers = check_headers(header_lists(payload, "multiValueHeaders", _FAILED), _FAILED)
    spellings = {name.lower(): name for name, _ in headers}
    for name, value in check_headers(header_map(payload, "headers", _FAILED).items(), _FAILED):
        pair = (spellings.get(name.lower(), name), value)
        if pair not in headers:
            headers.append(pair)
    headers = [(_response_name(name), value) for name, value in headers if name.lower() not in _DROPPED]
    if "content-type" not in {name.lower() for name, _ in headers}:
        explain("response header", "Content-Type", "added by API Gateway: the payload has none")
        headers.append(("Content-Type", "application/json"))
    return status, headers


def _without_removed(headers: Headers) -> Headers:
    kept = []
    for name, value in headers:
        if name.lower() in _REMOVED or (name.lower() == "authorization" and value.startswith(_SIGNATURE)):
            explain("request header", name, "dropped: API Gateway removes this header")
        else:
            kept.append((name, value))
    return kept


def _response_name(name: str) -> str:
    if name.lower() not in _REMAPPED:
        return name
    renamed = f"x-amzn-Remapped-{name}"
    explain("response header", name, f"renamed to {renamed}: API Gateway does not pass {name} on")
    return renamed


def _matches(content_type: str, pattern: str) -> bool:
    media, pattern = media_type(content_type), pattern.lower()
    return pattern == "*/*" or media == pattern or (pattern.endswith("/*") and media.startswith(pattern[:-1]))
