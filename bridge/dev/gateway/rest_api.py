"""API Gateway's side of a REST API with proxy integration, and of payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.bodies import media_type
from bridge.dev.gateway.events import (
    all_values,
    check_event_size,
    event_body,
    forwarded,
    header_size,
    host_and_port,
    http_time,
    json_answer,
    last_values,
    query_pairs,
    refused,
    request_id,
    strip_prefix,
    text_of,
)
from bridge.dev.gateway.models import Answer, Request
from bridge.dev.gateway.payloads import body_of, header_pairs, json_name, lists_of, map_of, object_of, status_of

if TYPE_CHECKING:
    from bridge.dev.gateway.models import Door, Headers

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
_PRELUDE_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "cookies"})
_REMAPPED = {"connection", "content-length", "date", "server"}


def compose(request: Request, door: Door) -> dict[str, Any]:
    """The event for a request that came to a REST API.

    Raises:
        RefusedError: the request is larger than API Gateway takes, or begins with neither stage nor base path.
    """
    _check_size(request)
    rest = strip_prefix(request, door, NO_ROUTE)
    event = event_of(request, door, _one_slash(rest if door.stage else request.path), rest)
    check_event_size(event, request, _TOO_LONG)
    return event


def event_of(request: Request, door: Door, path: str, rest: str, *, version: str = "") -> dict[str, Any]:
    """The event of payload format 1.0.

    Args:
        request: the request.
        door: how the front door is set up.
        path: what the event calls the path.
        rest: the path without stage or base path.
        version: what an HTTP API adds.
    """
    headers = [(_TITLES.get(name.lower(), name), value) for name, value in forwarded(request)]
    headers = [pair for pair in headers if version or pair[0].lower() not in _KEPT]
    pairs = query_pairs(request.query, decode=True)
    body, is_base64 = event_body(request.body, is_text=not _is_binary(request.header("content-type"), door))
    template, parameters = "/{proxy+}", {"proxy": rest.strip("/")}
    if door.route is not None:
        template, parameters = door.route.template, dict(door.route.parameters)
    elif not parameters["proxy"]:
        template, parameters = "/", {}
    domain = host_and_port(request)[0] or "localhost"
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
            "path": request.path,
            "accountId": door.account,
            "protocol": f"HTTP/{request.http_version}",
            "stage": door.stage or ("$default" if version else "local"),
            "domainPrefix": domain.partition(".")[0],
            "requestTimeEpoch": milliseconds,
            "requestId": request_id(),
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
                "userAgent": text_of(request.header("user-agent")) or None,
                "user": None,
            },
            "domainName": domain,
            "apiId": "bridge",
        },
        "body": body or None,
        "isBase64Encoded": is_base64,
    }
    return event


def interpret(payload: Any, request: Request, door: Door) -> Answer:
    """What the client gets for a payload.

    Raises:
        RefusedError: API Gateway answers 502 for such a payload.
    """
    payload = object_of(payload, FAILED)
    _check_keys(payload, _PAYLOAD_KEYS)
    if not payload.keys() & {"statusCode", "headers", "multiValueHeaders", "body"}:
        raise refused(FAILED, "the payload is empty; return {'statusCode': 200, 'body': '…'}")
    status, headers = _head(payload)
    if payload.get("isBase64Encoded") and not _is_decoded(request, door):
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html
        body = body_of({**payload, "isBase64Encoded": False}, FAILED)
        note = (
            "sent the client base64 text instead of the body's bytes: API Gateway decodes a payload marked "
            "isBase64Encoded only if the API's binaryMediaTypes have */* or the first type in the request's Accept "
            f"header, which is {_accepted(request) or 'missing'}; set binaryMediaTypes to */* on AWS, and here with "
            "--binary-media-types '*/*'"
        )
        return Answer(status, headers, body, note=note)
    return Answer(status, headers, body_of(payload, FAILED))


def begin(prelude: Any, request: Request, door: Door) -> Answer:  # noqa: ARG001 - one signature for all
    """What the client gets first of a stream that begins so; unlike a payload it may have ``cookies``.

    Raises:
        RefusedError: API Gateway answers 502 for it.
    """
    _check_keys(prelude, _PRELUDE_KEYS)
    status, headers = _head(prelude)
    cookies = prelude.get("cookies") or []
    if not isinstance(cookies, list):
        raise refused(FAILED, f"the cookies are a JSON {json_name(cookies)}; they must be a list of texts")
    return Answer(status, headers + header_pairs([("Set-Cookie", cookie) for cookie in cookies], FAILED))


def _check_keys(payload: dict[str, Any], known: frozenset[str]) -> None:
    if unknown := payload.keys() - known:
        names = ", ".join(sorted(unknown))
        raise refused(FAILED, f"the payload has keys that a REST API does not know; leave them out: {names}")


def _head(payload: dict[str, Any]) -> tuple[int, Headers]:
    """Status and headers, with the type that API Gateway adds."""
    status = status_of({"statusCode": 200, **payload}, FAILED)
    headers = _headers(payload)
    if "content-type" not in {name.lower() for name, _ in headers}:
        headers.append(("Content-Type", "application/json"))
    return status, headers


def _one_slash(path: str) -> str:
    """Leading slashes become one; those inside stay."""
    return "/" + path.lstrip("/")


def _check_size(request: Request) -> None:
    target, headers = len(request.target), header_size(request)
    if target > _HEADER_LIMIT:
        why = f"path and query are {target} bytes, at most {_HEADER_LIMIT} pass; send long values in the body"
        raise refused(_URI_TOO_LONG, why)
    if headers > _HEADER_LIMIT:
        why = f"the headers are {headers} bytes, at most {_HEADER_LIMIT} pass; send less in them, often in cookies"
        raise refused(_HEADERS_TOO_LONG, why)
    if request.size > _REQUEST_LIMIT:
        why = f"the body is {request.size} bytes, API Gateway takes {_REQUEST_LIMIT}; send less, or upload to S3"
        raise refused(_TOO_LONG, why)


def _headers(payload: dict[str, Any]) -> Headers:
    """Both header maps merged, the multi-value one first, with the names that API Gateway renames."""
    headers = header_pairs(lists_of(payload, "multiValueHeaders", FAILED), FAILED)
    spelled = {name.lower(): name for name, _ in headers}
    for name, value in header_pairs(map_of(payload, "headers", FAILED).items(), FAILED):
        pair = (spelled.get(name.lower(), name), value)
        if pair not in headers:
            headers.append(pair)
    remapped = [(f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, value) for name, value in headers]
    return [pair for pair in remapped if pair[0].lower() != "transfer-encoding"]


def _is_binary(content_type: str, door: Door) -> bool:
    return any(_matches(content_type, pattern) for pattern in door.binary_media_types)


def _is_decoded(request: Request, door: Door) -> bool:
    """Whether a base64 body is decoded: by the first type in Accept, ``*/*`` in the list takes every request."""
    accept = _accepted(request)
    return any(pattern == "*/*" or _matches(accept, pattern) for pattern in door.binary_media_types)


def _accepted(request: Request) -> str:
    """The first type in the Accept header."""
    return request.header("accept").partition(",")[0].strip()


def _matches(content_type: str, pattern: str) -> bool:
    media = media_type(content_type)
    pattern = pattern.lower()
    return pattern == "*/*" or media == pattern or (pattern.endswith("/*") and media.startswith(pattern[:-1]))
