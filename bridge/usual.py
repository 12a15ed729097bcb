"""The short way of usual requests: what is read and written for nearly all of them, each in one function.

Nearly all requests are alike: from an API Gateway, a Function URL or a load balancer, with nothing missing, and a path
without escapes; and so are their answers: text, with header names that were seen together before. Here no rule has to
be applied to them, which spares a seventh of the time (``scripts/bench --only stages``).

The long way, :mod:`bridge.adapter` and the sources, is the one that knows. Whatever is not as usual is left to it, and
the tests hold the one against the other.
"""

from __future__ import annotations

from bridge.encoder import carried
from bridge.response import is_plain, layouts, plain_values
from bridge.scope import Scope
from bridge.sources import ALB_LIMIT, LAMBDA_LIMIT
from bridge.sources.address import default_ports, last_hop, names, principal, server_of
from bridge.sources.text import body_of, query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.response import Response
    from bridge.settings import Settings


def read(event: Any, context: Any, settings: Settings) -> Scope | None:
    """The request in an event, as the ``read`` of its source has it; None if something is not as usual.

    What is missing, or of another type than usual, raises in here.
    """
    try:
        if type(event) is not dict:
            return None
        about = event["requestContext"]
        if type(about) is not dict:
            return None
        domain = root = host = proto = port = ""
        if "elb" in about:
            headers = event.get("multiValueHeaders")
            if headers is None:
                headers = event["headers"]
                scope = Scope("alb", event, context, ALB_LIMIT)
                host, proto, port = headers["host"], headers["x-forwarded-proto"], headers["x-forwarded-port"]
            else:
                scope = Scope("alb-multi", event, context, ALB_LIMIT)
                scope.are_lists = True
                (host,), (proto,), (port,) = (
                    headers["host"],
                    headers["x-forwarded-proto"],
                    headers["x-forwarded-port"],
                )
            scope.sent = headers
            scheme = "http"
            hops = headers["x-forwarded-for"]
            client = last_hop(hops[-1] if type(hops) is list else hops)
            method, path = event["httpMethod"], event["path"]
            whole = scope.raw_path = path
            parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            scope.query = query_of(parameters, encoded=True) if parameters else ""
        elif "http" in about:
            http, domain = about["http"], about["domainName"]
            is_url = ".lambda-url." in domain
            query, cookies, authorizer = event["rawQueryString"], event.get("cookies"), about.get("authorizer")
            if not (is_url or about["stage"] == event["routeKey"] == "$default") or "routeArn" in event:
                return None
            if http["protocol"] != "HTTP/1.1" or not query.isascii():
                return None
            scheme = "https"
            scope = Scope("function-url" if is_url else "http-api", event, context, LAMBDA_LIMIT)
            scope.sent = headers = event["headers"]
            host, proto, port = headers["host"], headers["x-forwarded-proto"], headers["x-forwarded-port"]
            if cookies:
                if type(cookies) is not list:
                    return None
                scope.cookies = cookies
            client, method = http["sourceIp"], http["method"]
            whole = path = event["rawPath"]
            scope.raw_path = path if is_url else None
            scope.query = query
            if authorizer:
                scope.authorizer = authorizer
                scope.user = principal(authorizer)
        else:
            sent, headers, stage = event["multiValueHeaders"], event["headers"], about["stage"]
            domain, authorizer = about["domainName"], about.get("authorizer")
            method, path = event["httpMethod"], event["path"]
            root = f"/{stage}"
            whole = root + path
            if about["path"] != whole or "?" in path or not stage or stage == "$default" or type(sent) is not dict:
                return None
            if not (sent and headers) or "targetGroupArn" in about or "serviceArn" in about or "methodArn" in event:
                return None
            if event.get("version") == "1.0":
                return None
            scheme = "https"
            scope = Scope("rest-api", event, context, LAMBDA_LIMIT)
            scope.sent = sent
            scope.are_lists = True
            if "host" not in headers:
                host, proto, port = headers["Host"], headers["X-Forwarded-Proto"], headers["X-Forwarded-Port"]
            client = about["identity"]["sourceIp"]
            if settings.strip_stage:
                root, whole = "", path
            scope.raw_path = whole
            parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            parameters = parameters or event.get("query")
            scope.query = query_of(parameters) if parameters else ""
            if authorizer:
                scope.authorizer = authorizer
                scope.user = principal(authorizer)
        # What is compared is the first character: that takes a third of startswith().
        if not ("/" <= path < "0" and whole.isascii()) or "%" in whole or not method or type(client) is not str:
            return None
        scope.method = method
        scope.root_path = root
        scope.path = path
        scope.client = client
        if host in names and port == default_ports.get(proto):
            scope.scheme, scope.server_name, scope.server_port = proto, names[host], port
        else:
            scope.scheme, scope.server_name, scope.server_port = server_of(headers, domain, scheme)
        body = event.get("body")
        scope.body = body_of(body, event.get("isBase64Encoded")) if body else b""
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return scope


def write(response: Response, scope: Scope) -> Any:
    """The payload, as the ``write`` of the scope's source has it; None if something is not as usual."""
    status, body = response.status, response.body
    # As in Handler.write; with a layout that is known, all headers are short.
    if len(body) * 6 + 65_536 > scope.limit or scope.method == "HEAD" or status in (204, 304):
        return None
    headers: dict[str, Any] = {}
    try:
        for name, value in response.headers:
            if value not in plain_values and not is_plain(value):
                return None
            headers[name] = value
        content_type, cookie, count = layouts[tuple(headers)]
        if count != len(response.headers):
            return None
        text = body.decode(carried[headers[content_type]])  # type: ignore[arg-type]  # None raises
    except (KeyError, TypeError, ValueError):
        return None
    source = scope.source
    payload: dict[str, Any]
    if source == "http-api" or source == "function-url":
        payload = {"statusCode": status, "headers": headers}
        if cookie:
            payload["cookies"] = [headers.pop(cookie)]
    else:
        payload = {"statusCode": status}
        if source != "rest-api":
            payload["statusDescription"] = response.status_line()
        if cookie:
            headers[cookie] = headers.pop(cookie)
        if scope.are_lists:
            payload["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        else:
            payload["headers"] = headers
    payload["body"] = text
    payload["isBase64Encoded"] = False
    return payload
