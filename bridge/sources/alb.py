"""Application Load Balancers, with single-value and with multi-value headers.

The event: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html

=============  =====================================================================================================
path           percent-encoded
query          names and values are still percent-encoded: joined again as they are
headers        lower-case; only ``multiValueHeaders`` if the target group has multi-value headers turned on, else only
               ``headers``, with the last of repeated values
client         the last hop of ``X-Forwarded-For``; a health check has none
payload        headers in the same form as the event's. A null is answered 502; the status needs its description.
               With single-value headers only one ``Set-Cookie`` fits, so each further one is spelled in another case.
               Of several cookies of one name, path and domain the last is sent, since their order may change.
limit          1 MB of JSON; 32 KB of headers, beyond which the client gets a 502
=============  =====================================================================================================
"""

from __future__ import annotations

from itertools import product

from bridge.bodies import encode
from bridge.limits import ALB_HEADER_LIMIT, ALB_PAYLOAD_LIMIT
from bridge.logs import logger
from bridge.request import Scope
from bridge.sources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


def read(event: dict[str, Any], context: Any, settings: Settings) -> Scope:
    """The request in a load balancer's event."""
    lists = event.get("multiValueHeaders")
    headers = event.get("headers") or {} if lists is None else parse.flat(parse.merged(lists, event.get("headers")))

    scope = Scope("alb" if lists is None else "alb-multi", event, context, ALB_PAYLOAD_LIMIT)
    scope.method = event.get("httpMethod") or "GET"
    scope.headers = parse.pairs_of(headers)
    scope.body = parse.body_of(event.get("body"), event.get("isBase64Encoded"))
    scope.scheme, scope.server_name, scope.server_port = parse.server_of(headers, scheme="http")
    scope.client = parse.last_hop(parse.header(headers, "x-forwarded-for", "X-Forwarded-For"))
    path = parse.as_text(event.get("path"))
    scope.raw_path, scope.root_path, scope.path = parse.split_path("", path, settings.base_path)
    parameters = parse.merged(event.get("multiValueQueryStringParameters"), event.get("queryStringParameters"), str)
    scope.query = parse.query_of(parameters, encoded=True)
    return scope


def write(response: Response, scope: Scope, settings: Settings) -> dict[str, Any]:
    """The payload, with headers in the form of the event's."""
    fields = response.fields(settings.exclude_headers)
    if response.header_size > ALB_HEADER_LIMIT:
        logger.warning(
            "The response to %s has %d characters of headers. A load balancer takes 32 KB and answers 502 for more: "
            "send smaller cookies and headers.",
            scope,
            response.header_size,
        )
    if fields.cookies and len(fields.cookies) > 1:
        fields.cookies = _last_of_each(fields.cookies)
    payload: dict[str, Any] = {"statusCode": response.status, "statusDescription": response.status_line()}
    if scope.source == "alb-multi":
        payload["multiValueHeaders"] = fields.lists()
    else:
        payload["headers"] = headers = fields.joined()
        if fields.cookies:
            # The cookies come first: without further cookies no further spelling is made.
            for cookie, name in zip(fields.cookies, _spellings(fields.cookie_name), strict=False):
                headers[name] = cookie
    payload["body"], payload["isBase64Encoded"] = encode(response.body, fields, settings.is_text)
    return payload


def _last_of_each(cookies: list[str]) -> list[str]:
    """The last cookie of each name, path and domain: a load balancer promises no order of repeated headers."""
    last: dict[tuple[str, ...], str] = {}
    for cookie in cookies:
        pairs = [item.partition("=")[::2] for item in cookie.split(";")]
        (name, _), *attributes = [(name.strip(" \t"), value.strip(" \t")) for name, value in pairs]
        found = {attribute.lower(): value for attribute, value in attributes}
        key = name, found.get("path", ""), found.get("domain", "").lstrip(".").lower()
        last.pop(key, None)
        last[key] = cookie
    return list(last.values())


def _spellings(name: str) -> Iterator[str]:
    """*name*, then every other way to spell it in upper and lower case: 512 for ``Set-Cookie``."""
    yield name
    for letters in product(*[dict.fromkeys((letter.lower(), letter.upper())) for letter in reversed(name)]):
        spelling = "".join(reversed(letters))
        if spelling != name:
            yield spelling
