"""The short way of usual requests: what all the steps come to for nearly all of them, in one function.

Nearly all requests are alike: from an API Gateway, a Function URL or a load balancer, with nothing missing, and a path
without escapes; and so are their answers: text, with header names that were seen together before. Here no rule has to
be applied to them, and nothing is handed from one function to the next. That matters where a call is no loop in a
benchmark but one in a while, after a framework's own code, and every function costs anew: behind Flask the bridge's
share is two thirds of the long way's (``scripts/bench --only frameworks``, ``--only stages``).

The long way, :mod:`bridge.adapter`, the sources and the interfaces, is the one that knows. Whatever is not as usual is
left to it, and the tests hold the one against the other.
"""

from __future__ import annotations

import sys
from io import BytesIO

from bridge.adapter import failed
from bridge.bodies import carried
from bridge.deadline import watch
from bridge.request import Scope, current
from bridge.response import is_plain, layouts, plain_values
from bridge.sources import ALB_LIMIT, LAMBDA_LIMIT, source_named
from bridge.sources.address import default_ports, last_hop, names, principal, server_of
from bridge.sources.text import body_of, query_of
from bridge.wsgi.call import gather
from bridge.wsgi.environ import BLANK, SIZE, keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.adapter import Handler

_MODULES = {
    "alb": "alb",
    "alb-multi": "alb",
    "http-api": "http_api",
    "function-url": "http_api",
    "rest-api": "rest_api",
}


def answer(handler: Handler, event: Any, context: Any) -> Any:
    """Answer one event, if it is a usual request.

    Args:
        handler: a handler whose settings leave requests and responses as they are.
        event: what Lambda hands over.
        context: Lambda's context object.

    Returns:
        The payload; None if something in the event is not as usual, and then the application was not called.

    Raises:
        BaseException: what the application raises that is no ``Exception``.
    """
    # 1. The event, as the source's read() has it. What is missing, or of another type than usual, raises in here.
    try:
        if type(event) is not dict:
            return None
        about = event["requestContext"]
        if type(about) is not dict:
            return None
        root = domain = host = proto = port = ""
        headers: Any
        cookies = authorizer = None
        are_lists = False
        limit = LAMBDA_LIMIT
        if "elb" in about:
            source, scheme, limit = "alb", "http", ALB_LIMIT
            headers = event.get("multiValueHeaders")
            if headers is None:
                headers = event["headers"]
                host, proto, port = headers["host"], headers["x-forwarded-proto"], headers["x-forwarded-port"]
                client = last_hop(headers["x-forwarded-for"])
            else:
                source, are_lists = "alb-multi", True
                (host,), (proto,), (port,) = (
                    headers["host"],
                    headers["x-forwarded-proto"],
                    headers["x-forwarded-port"],
                )
                hops = headers["x-forwarded-for"]
                client = last_hop(hops[-1] if type(hops) is list else hops)
            sent, method, path = headers, event["httpMethod"], event["path"]
            whole = raw_path = path
            parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            query = query_of(parameters, encoded=True) if parameters else ""
        elif "http" in about:
            source, scheme = "http-api", "https"
            http, domain = about["http"], about["domainName"]
            query, cookies, authorizer = event["rawQueryString"], event.get("cookies"), about.get("authorizer")
            whole = path = event["rawPath"]
            raw_path = None
            if ".lambda-url." in domain:
                source, raw_path = "function-url", path
            elif not about["stage"] == event["routeKey"] == "$default":
                return None
            if http["protocol"] != "HTTP/1.1" or not query.isascii() or "routeArn" in event:
                return None
            if cookies and type(cookies) is not list:
                return None
            sent = headers = event["headers"]
            host, proto, port = headers["host"], headers["x-forwarded-proto"], headers["x-forwarded-port"]
            client, method = http["sourceIp"], http["method"]
        else:
            source, scheme, are_lists = "rest-api", "https", True
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
            if not ("host" in headers or "x-forwarded-proto" in headers or "x-forwarded-port" in headers):
                host, proto, port = headers["Host"], headers["X-Forwarded-Proto"], headers["X-Forwarded-Port"]
            client = about["identity"]["sourceIp"]
            if handler.settings.strip_stage:
                root, whole = "", path
            raw_path = whole
            parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            parameters = parameters or event.get("query")
            query = query_of(parameters) if parameters else ""
        # What is compared is the first character: that takes a third of startswith().
        if not ("/" <= path < "0" and whole.isascii()) or "%" in whole or not method or type(client) is not str:
            return None
        if port and port == default_ports.get(proto) and host in names:
            scheme, name = proto, names[host]
        else:
            scheme, name, port = server_of(headers, domain, scheme)
        body = event.get("body")
        body = body_of(body, event.get("isBase64Encoded")) if body else b""

        # 2. The environ, as environ_of() has it.
        app = handler._wsgi_app if handler.respond is handler._given_respond else None
        if app is not None:
            environ: dict[Any, Any] = BLANK.copy()
            known = keys
            if are_lists:
                for header, (value,) in sent.items():
                    if not value.isascii():
                        return None
                    environ[known[header]] = value
            else:
                for header, value in sent.items():
                    if not value.isascii():
                        return None
                    environ[known[header]] = value
            if len(environ) != SIZE + len(sent):
                return None
            if cookies:
                environ["HTTP_COOKIE"] = value = "; ".join(cookies)
                if not value.isascii():
                    return None
            environ.pop(None, None)
            if "CONTENT_TYPE" not in environ:
                environ["CONTENT_TYPE"] = ""
            environ["REQUEST_METHOD"] = method
            environ["PATH_INFO"] = path
            environ["QUERY_STRING"] = query
            environ["SERVER_NAME"] = f"[{name}]" if ":" in name else name
            environ["SERVER_PORT"] = port
            environ["REMOTE_ADDR"] = client
            environ["wsgi.url_scheme"] = scheme
            environ["wsgi.input"] = BytesIO(body)
            environ["wsgi.errors"] = sys.stderr
            environ["serverless.event"] = event
            environ["serverless.context"] = context
            if body:
                environ["CONTENT_LENGTH"] = str(len(body))
            if root:
                environ["SCRIPT_NAME"] = root
            if raw_path is not None:
                environ["RAW_URI"] = environ["REQUEST_URI"] = f"{raw_path}?{query}" if query else raw_path
    except (AttributeError, LookupError, TypeError, ValueError):
        return None

    # 3. The application.
    scope = Scope(source, event, context, limit)
    scope.method = method
    scope.root_path = root
    scope.path = path
    scope.raw_path = raw_path
    scope.query = query
    scope.sent = sent
    scope.are_lists = are_lists
    if cookies:
        scope.cookies = cookies
    scope.body = body
    scope.scheme = scheme
    scope.server_name = name
    scope.server_port = port
    scope.client = client
    if authorizer:
        scope.authorizer = authorizer
        scope.user = principal(authorizer)
    token = current.set(scope)
    try:
        try:
            if app is None:
                response = handler.respond(scope)
            else:
                if authorizer:
                    environ["serverless.authorizer"] = authorizer
                    if scope.user:
                        environ["REMOTE_USER"] = scope.user
                watch.begin(scope)
                try:
                    response = gather(app, environ)
                finally:
                    watch.end(scope, None)
        except Exception:
            response = failed(scope)

        # 4. The payload, as the source's write() has it.
        try:
            body, status = response.body, response.status
            text: str | None
            answered: dict[str, Any] = {}
            for header, value in response.headers:
                if value not in plain_values and not is_plain(value):
                    raise ValueError
                answered[header] = value
            content_type, cookie, count = layouts[tuple(answered)]
            # As in Handler.write; with a layout that is known, all headers are short.
            if count != len(response.headers) or len(body) * 6 + 65_536 > limit or method == "HEAD":
                raise ValueError
            if status == 204 or status == 304:
                raise ValueError
            text = body.decode(carried[answered[content_type]])  # type: ignore[arg-type]  # None raises
        except (AttributeError, KeyError, TypeError, ValueError):
            text = None
        if text is None:
            return handler.write(source_named(_MODULES[source]), scope, response)
        payload: dict[str, Any]
        if source == "http-api" or source == "function-url":
            payload = {"statusCode": status, "headers": answered}
            if cookie:
                payload["cookies"] = [answered.pop(cookie)]
        else:
            payload = {"statusCode": status}
            if source != "rest-api":
                payload["statusDescription"] = response.status_line()
            if cookie:
                answered[cookie] = answered.pop(cookie)
            if are_lists:
                payload["multiValueHeaders"] = {header: [value] for header, value in answered.items()}
            else:
                payload["headers"] = answered
        payload["body"] = text
        payload["isBase64Encoded"] = False
        return payload
    finally:
        current.reset(token)
