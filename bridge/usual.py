"""The short way: usual requests to a WSGI application, from event to payload in one function.

Nearly all requests are alike: from API Gateway, a Function URL or a load balancer, with header names that were seen
before, one ASCII value for each, and a path without escapes. For these no Scope has to be made and nothing sorted out,
which takes little more than half of the time of the long way (``scripts/bench --only stages``).

The long way, :mod:`bridge.adapter`, is the one that knows. This one looks up what that has learned, and leaves to it
whatever is not as usual; the tests hold the one against the other.
"""

from __future__ import annotations

import sys
from io import BytesIO

from bridge.current import CurrentRequest, current
from bridge.encoder import carried
from bridge.interfaces.environ import usual_headers
from bridge.interfaces.wsgi import gather
from bridge.response import is_plain, layouts, plain_values
from bridge.sources import ALB_LIMIT, LAMBDA_LIMIT
from bridge.sources.address import last_hop, principal, server_of
from bridge.sources.text import body_of, query_of
from bridge.watch import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.adapter import Handler


class UsualRequest(CurrentRequest):
    """The current request, of which no Scope was made."""

    __slots__ = ("handler",)

    def __init__(self, event: Any, context: Any, handler: Handler) -> None:
        self.event = event
        self.context = context
        self.handler = handler

    def __str__(self) -> str:
        return str(self.handler.scope_of(self.event, self.context))


def answer(handler: Handler, event: Any, context: Any) -> Any:
    """Answer one event, if it is a usual request.

    Args:
        handler: the handler of a WSGI application, whose settings leave requests and responses as they are.
        event: what Lambda hands over.
        context: Lambda's context object.

    Returns:
        The payload; None if something is not as usual, and then the application was not called.

    Raises:
        BaseException: what the application raises that is no ``Exception``.
    """
    # The request, as bridge.sources.{alb,http_api,rest_api}.read and environ_of have it. What is missing, or of another
    # type than usual, raises, or is found not to be remembered.
    try:
        if type(event) is not dict:
            return None
        about = event["requestContext"]
        is_alb = "elb" in about
        is_http = not is_alb and "http" in about
        sent: Any
        cookies = authorizer = uri = None
        root = domain = ""
        are_lists = False
        if is_alb:
            sent = event.get("multiValueHeaders")
            are_lists = sent is not None
            if not are_lists:
                sent = event["headers"]
            headers = sent
            method, path, scheme = event["httpMethod"], event["path"], "http"
            hops = headers["x-forwarded-for"]
            client = last_hop(hops[-1] if are_lists else hops)
            parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            query = query_of(parameters, encoded=True) if parameters else ""
            whole = uri = path
        elif is_http:
            http = about["http"]
            sent = headers = event["headers"]
            domain = about["domainName"]
            method, path, scheme = http["method"], event["rawPath"], "https"
            client = http["sourceIp"]
            cookies, authorizer = event.get("cookies"), about.get("authorizer")
            query = event["rawQueryString"]
            whole = path
            if ".lambda-url." in domain:
                uri = path
            elif not about["stage"] == event["routeKey"] == "$default":
                return None
            if http["protocol"] != "HTTP/1.1" or "routeArn" in event or not query.isascii():
                return None
        else:
            sent, headers = event["multiValueHeaders"], event["headers"]
            are_lists = True
            domain, stage = about["domainName"], about["stage"]
            method, path, scheme = event["httpMethod"], event["path"], "https"
            client = about["identity"]["sourceIp"]
            authorizer = about.get("authorizer")
            root = f"/{stage}"
            whole = uri = root + path
            if (
                about["path"] != whole
                or "?" in path
                or not stage
                or stage == "$default"
                or event.get("version") == "1.0"
            ):
                return None
            if not (sent and headers) or "targetGroupArn" in about or "serviceArn" in about or "methodArn" in event:
                return None
            if handler.settings.strip_stage:
                root, whole, uri = "", path, path
            parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            parameters = parameters or event.get("query")
            query = query_of(parameters) if parameters else ""
        if not ("/" <= path < "0" and whole.isascii()) or "%" in whole or not method or type(client) is not str:
            return None

        environ = usual_headers(sent, cookies, are_lists=are_lists)
        if environ is None:
            return None
        environ["wsgi.url_scheme"], server, environ["SERVER_PORT"] = server_of(headers, domain, scheme)
        environ["SERVER_NAME"] = f"[{server}]" if ":" in server else server
        environ["REQUEST_METHOD"] = method
        if root:
            environ["SCRIPT_NAME"] = root
        environ["PATH_INFO"] = path
        environ["QUERY_STRING"] = query
        environ["REMOTE_ADDR"] = client
        text = event.get("body")
        if text:
            body = body_of(text, event.get("isBase64Encoded"))
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
        else:
            environ["wsgi.input"] = BytesIO()
        environ["wsgi.errors"] = sys.stderr
        environ["serverless.event"] = event
        environ["serverless.context"] = context
        if authorizer:
            environ["serverless.authorizer"] = authorizer
            user = principal(authorizer)
            if user:
                environ["REMOTE_USER"] = user
        if uri is not None:
            environ["RAW_URI"] = environ["REQUEST_URI"] = f"{uri}?{query}" if query else uri
    except (AttributeError, LookupError, TypeError, ValueError):
        return None

    request = UsualRequest(event, context, handler)
    token = current.set(request)
    try:
        try:
            watched = watch.begin(request)
            try:
                response = gather(handler.wsgi_app, environ)
            finally:
                if watched is not None:
                    watch.end(watched)
        except Exception:
            return handler.fail(event, context)

        # The response, as Response.fields, encode and the sources' write have it.
        body = response.body
        fits = len(body) * 6 + 65_536 <= (ALB_LIMIT if is_alb else LAMBDA_LIMIT)  # as in Handler.write
        if fits and method != "HEAD" and response.status not in (204, 304):
            single: dict[str, Any] = {}
            try:
                for name, value in response.headers:
                    if value not in plain_values and not is_plain(value):
                        break
                    single[name] = value
                content_type, cookie_name, count = layouts[tuple(single)]
                text = body.decode(carried[single[content_type]])  # type: ignore[arg-type]  # None raises
                if count == len(response.headers):
                    if is_http:
                        payload: dict[str, Any] = {"statusCode": response.status, "headers": single}
                        if cookie_name:
                            payload["cookies"] = [single.pop(cookie_name)]
                    else:
                        payload = {"statusCode": response.status}
                        if is_alb:
                            payload["statusDescription"] = response.status_line()
                        if cookie_name:
                            single[cookie_name] = single.pop(cookie_name)
                        if are_lists:
                            payload["multiValueHeaders"] = {name: [value] for name, value in single.items()}
                        else:
                            payload["headers"] = single
                    payload["body"] = text
                    payload["isBase64Encoded"] = False
                    return payload
            except (KeyError, TypeError, ValueError):
                pass
        return handler.write_for(event, context, response)
    finally:
        current.reset(token)
