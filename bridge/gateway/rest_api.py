"""API Gateway's side of a REST API with proxy integration, and of payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from bridge.gateway.message import Answer, Request
from bridge.gateway.wire import (
    LAMBDA_REQUEST_LIMIT,
    all_values,
    event_body,
    forwarded,
    header_text,
    http_time,
    json_answer,
    last_values,
    payload_body,
    query_pairs,
    refused,
    status_of,
)

if TYPE_CHECKING:
    from bridge.gateway.message import Door, Headers

FAILED = json_answer(
    502, {"message": "Internal server error"}, headers=[("x-amzn-errortype", "InternalServerErrorException")]
)
TIMED_OUT = json_answer(504, {"message": "Endpoint request timed out"})
NO_ROUTE = json_answer(403, {"message": "Missing Authentication Token"})
TIMEOUT_SECONDS = 29.0

_REQUEST_LIMIT = 10 * 1024 * 1024
_HEADER_LIMIT = 10_240
_TOO_LONG = json_answer(413, {"message": "Request Too Long"})
_URI_TOO_LONG = json_answer(414, {"message": "Request-URI Too Long"})
_HEADERS_TOO_LONG = json_answer(431, {"message": "Request Header Fields Too Large"})

# Never reach the function.
_KEPT = frozenset(
    {"content-length", "expect", "max-forwards", "server", "content-md5", "proxy-authenticate", "www-authenticate"}
)
# Spelled by API Gateway whatever the client's spelling.
_TITLES = {
    name.lower(): name
    for name in (
        "Authorization", "Host", "User-Agent", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port",
        "X-Forwarded-Proto",
    )
}  # fmt: skip
_PAYLOAD_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_REMAPPED = {"connection", "content-length", "date", "server"}


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event for a request that came to a REST API.

    Raises:
        RefusedError: the request is larger than API Gateway takes, or begins with neither stage nor base path.
    """
    _check_size(request)
    return event_of(request, door)


def event_of(request: Request, door: Door, *, version: str = "") -> dict[str, Any]:
    """The event of payload format 1.0; *version* is what an HTTP API adds."""
    path, asked = split_stage(request.path, door)
    headers = [(_TITLES.get(name.lower(), name), value) for name, value in forwarded(request)]
    headers = [pair for pair in headers if version or pair[0].lower() not in _KEPT]
    pairs = query_pairs(request.query, decode=True)
    body, is_base64 = event_body(request.body, is_text=not _is_binary(request.header("content-type"), door))
    template, parameters = "/{proxy+}", {"proxy": path.removeprefix(door.base_path).strip("/")}
    if door.route is not None:
        template, parameters = door.route.template, dict(door.route.parameters)
    elif not parameters["proxy"]:
        template, parameters = "/", {}
    domain = request.header("host").partition(":")[0] or "localhost"
    when, milliseconds = http_time()
    event: dict[str, Any] = {"version": version} if version else {}
    event |= {
        "resource": template,
        "path": path,
        "httpMethod": request.method,
        "headers": last_values(headers) or None,
        "multiValueHeaders": all_values(headers) or None,
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": all_values(pairs, fold=False) or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "a1b2c3",
            "resourcePath": template,
            "httpMethod": request.method,
            "extendedRequestId": "bridge",
            "requestTime": when,
            "path": asked,
            "accountId": door.account,
            "protocol": f"HTTP/{request.http_version}",
            "stage": door.stage.strip("/") or ("$default" if version else "local"),
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
                "userAgent": request.header("user-agent") or None,
                "user": None,
            },
            "domainName": domain,
            "apiId": "bridge",
        },
        "body": body or None,
        "isBase64Encoded": is_base64 and bool(body),
    }
    return event


def interpret(payload: Any, request: Request, door: Door) -> Answer:
    """What the client gets for a payload.

    Raises:
        RefusedError: API Gateway answers 502 for such a payload.
    """
    if not isinstance(payload, dict):
        raise refused(FAILED, f"the payload is a JSON {type(payload).__name__}, not an object")
    if unknown := payload.keys() - _PAYLOAD_KEYS:
        raise refused(FAILED, f"the payload has keys that a REST API does not know: {', '.join(sorted(unknown))}")
    if not payload.keys() & {"statusCode", "headers", "multiValueHeaders", "body"}:
        raise refused(FAILED, "the payload is empty")
    status = status_of({"statusCode": 200, **payload}, FAILED)
    headers = _headers(payload)
    named = {name.lower() for name, _ in headers}
    if "content-type" not in named:
        headers.append(("Content-Type", "application/json"))
    if payload.get("isBase64Encoded") and not _is_decoded(request, door):
        # Without a matching binaryMediaTypes the client gets the base64 text itself.
        body = payload_body({**payload, "isBase64Encoded": False}, FAILED)
        why = (
            "the payload is base64, but no entry of binaryMediaTypes matches the request's Accept header, so the "
            "client gets base64 text; set binaryMediaTypes to */* (here: --binary-media-types '*/*')"
        )
        return Answer(status, headers, body, why)
    return Answer(status, headers, payload_body(payload, FAILED))


def split_stage(path: str, door: Door) -> tuple[str, str]:
    """The event's ``path`` and ``requestContext.path`` of a path on the wire."""
    stage = door.stage.strip("/")
    if not stage or stage == "$default":
        if door.base_path and not (path + "/").startswith(door.base_path + "/"):
            raise refused(NO_ROUTE, f"the path does not begin with the base path {door.base_path}")
        return _one_slash(path), path
    if path != f"/{stage}" and not path.startswith(f"/{stage}/"):
        raise refused(NO_ROUTE, f"the path does not begin with the stage: /{stage}")
    return _one_slash(path[len(stage) + 1 :]), path


def _one_slash(path: str) -> str:
    """Leading slashes become one; those inside stay."""
    return "/" + path.lstrip("/")


def _check_size(request: Request) -> None:
    if len(request.target) > _HEADER_LIMIT:
        raise refused(_URI_TOO_LONG, f"path and query are {len(request.target)} bytes, at most {_HEADER_LIMIT}")
    size = sum(len(name) + len(value) for name, value in request.headers)
    if size > _HEADER_LIMIT:
        raise refused(_HEADERS_TOO_LONG, f"the headers are {size} bytes, at most {_HEADER_LIMIT}")
    if request.size > _REQUEST_LIMIT:
        raise refused(_TOO_LONG, f"the body is {request.size} bytes, API Gateway takes {_REQUEST_LIMIT}")
    check_event_size(request, _TOO_LONG)


def check_event_size(request: Request, refuse: Answer) -> None:
    """Refuse what does not fit Lambda's own limit, a binary body counted in base64."""
    text, is_base64 = event_body(request.body, is_text=True)
    size = len(text) if is_base64 else request.size
    if size > LAMBDA_REQUEST_LIMIT:
        encoded = " in base64" if is_base64 else ""
        raise refused(refuse, f"the body is {size} bytes{encoded}; Lambda takes {LAMBDA_REQUEST_LIMIT} of event")


def _headers(payload: dict[str, Any]) -> Headers:
    """Both header maps merged, the multi-value one first, with the names that API Gateway renames."""
    single, multi = payload.get("headers"), payload.get("multiValueHeaders")
    if not isinstance(single, (dict, type(None))) or not isinstance(multi, (dict, type(None))):
        raise refused(FAILED, "the payload's headers and multiValueHeaders must be objects")
    headers: Headers = []
    for name, values in (multi or {}).items():
        if not isinstance(values, list):
            raise refused(FAILED, f"multiValueHeaders[{name!r}] is {values!r}; it must be a list")
        headers += [(name, header_text(value)) for value in values]
    spelled = {name.lower(): name for name in multi or {}}
    for name, value in (single or {}).items():
        if isinstance(value, (dict, list)):
            raise refused(FAILED, f"headers[{name!r}] is {value!r}; it must be text")
        if value is not None:
            pair = (str(spelled.get(name.lower(), name)), header_text(value))
            if pair not in headers:
                headers.append(pair)
    remapped = [(f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, value) for name, value in headers]
    return [pair for pair in remapped if pair[0].lower() != "transfer-encoding"]


def _is_binary(content_type: str, door: Door) -> bool:
    return any(_matches(content_type, pattern) for pattern in door.binary_media_types)


def _is_decoded(request: Request, door: Door) -> bool:
    """Whether a base64 body is decoded: by the first type in Accept, ``*/*`` in the list takes every request."""
    accept = request.header("accept").partition(",")[0]
    return any(pattern == "*/*" or _matches(accept, pattern) for pattern in door.binary_media_types)


def _matches(content_type: str, pattern: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    pattern = pattern.lower()
    return pattern == "*/*" or media == pattern or (pattern.endswith("/*") and media.startswith(pattern[:-1]))
