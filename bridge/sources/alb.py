"""Application Load Balancers, with single-value and with multi-value headers.

The event: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html

=============  =====================================================================================================
path           percent-encoded
query          names and values still percent-encoded: put together again as they are
headers        lower-case; ``multiValueHeaders`` alone if the target group has multi-value headers on, else
               ``headers`` alone, with the last of repeated values
client         the last hop of ``X-Forwarded-For``; a health check has none
payload        headers in the same form as the event's. Any null is answered 502; the status needs its description.
               With single-value headers only one ``Set-Cookie`` fits, so each further one is spelled in another case.
limit          1 MB of JSON; 32 KB of headers, and for more the client gets 502, of which the log tells
=============  =====================================================================================================
"""

from __future__ import annotations

from bridge import logger
from bridge.bodies import encode
from bridge.request import Scope
from bridge.sources import ALB_LIMIT
from bridge.sources.address import header, last_hop, set_server
from bridge.sources.text import as_text, body_of, query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
_HEADERS_LIMIT = 32_768


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a load balancer's event."""
    multi = event.get("multiValueHeaders")
    headers = multi if multi is not None else event.get("headers") or {}

    source = "alb" if multi is None else "alb-multi"
    scope = Scope(source, event, context, ALB_LIMIT)
    scope.method = event.get("httpMethod") or "GET"
    scope.sent = headers
    scope.are_lists = multi is not None
    body = event.get("body")
    scope.body = body_of(body, event.get("isBase64Encoded")) if body else b""
    set_server(scope, headers, scheme="http")
    scope.client = last_hop(header(headers, "x-forwarded-for", "X-Forwarded-For"))
    scope.set_path("", as_text(event.get("path")), settings)
    parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    scope.query = query_of(parameters, encoded=True)
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, in the form that the event's headers had."""
    fields = response.fields(settings.exclude_headers)
    if response.header_size > _HEADERS_LIMIT:
        logger().warning(
            "The response to %s %s has headers of %d characters. A load balancer takes 32 KB of them and answers 502 "
            "for more: send less in cookies and other headers.",
            scope.method,
            as_text(scope.event.get("path")),
            response.header_size,
        )
    text, is_base64 = encode(response.body, fields, settings)
    payload: dict[str, Any] = {"statusCode": response.status, "statusDescription": response.status_line()}
    if scope.source == "alb-multi":
        payload["multiValueHeaders"] = fields.lists()
    else:
        payload["headers"] = headers = fields.joined()
        if len(fields.cookies) == 1:
            headers[fields.cookie_name] = fields.cookies[0]
        elif fields.cookies:
            # cookies first: when they are used up, no further spelling is made, which takes longer than all the rest
            spelled = zip(fields.cookies, _spellings(fields.cookie_name), strict=False)
            headers |= {name: cookie for cookie, name in spelled}
    payload["body"] = text
    payload["isBase64Encoded"] = is_base64
    return payload


def _spellings(name: str) -> Iterator[str]:
    """*name*, then every other way to spell it in upper and lower case: 512 for ``Set-Cookie``."""
    yield name
    letters = [position for position, letter in enumerate(name) if letter.isalpha()]
    for number in range(2 ** len(letters)):
        spelled = list(name.lower())
        for bit, position in enumerate(letters):
            if number >> bit & 1:
                spelled[position] = spelled[position].upper()
        spelling = "".join(spelled)
        if spelling != name:
            yield spelling
