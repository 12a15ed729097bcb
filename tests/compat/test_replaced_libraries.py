"""``bridge.compat`` beside the libraries that it replaces: requests and responses that do not change by migrating.

The differences are listed in docs/migrating.md.
"""

from __future__ import annotations

import asyncio
import copy
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from bridge.compat import apig_wsgi, mangum, serverless_wsgi
from bridge.dev.gateway import Request, compose, interpret

if TYPE_CHECKING:
    from collections.abc import Iterator

REASON = "the library is in the dependency group bench"
SOURCES = ["rest-api", "http-api", "http-api-v1", "function-url", "alb", "alb-multi"]
WSGI_KEYS = ["REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "SERVER_NAME",
             "SERVER_PORT", "SERVER_PROTOCOL", "HTTP_HOST", "HTTP_ACCEPT", "HTTP_X_TRACE", "wsgi.url_scheme",
             "wsgi.version", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"]  # fmt: skip
ASGI_KEYS = ["type", "method", "path", "query_string", "scheme", "http_version", "root_path", "aws.event"]

HEADERS = [("host", "shop.example.com"), ("accept", "text/html, */*;q=0.5"), ("x-trace", "a,b;c=1")]
FORM = [*HEADERS, ("content-type", "application/x-www-form-urlencoded")]
JSON = [*HEADERS, ("content-type", "application/json; charset=utf-8")]
REQUESTS = {
    "root": Request(headers=HEADERS),
    "page": Request("GET", "/orders/7/", "page=2&page=3&empty=&term=a%20b%2Bc", HEADERS),
    "encoded": Request("GET", "/caf%C3%A9/a%20b", "", HEADERS),
    "form": Request("POST", "/orders", "", FORM, b"a=1&b=%C3%A9"),
    "json": Request("PUT", "/orders/7", "dry=1", JSON, '{"name": "Grünkohl"}'.encode()),
    "binary": Request("PATCH", "/files", "", HEADERS, b"\x00\xff\xfe"),
    "delete": Request("DELETE", "/orders/7", "", HEADERS),
}
HTML = [("Content-Type", "text/html; charset=utf-8"), ("X-Own", "1")]
RESPONSES = {
    "page": (200, HTML, "<p>Grünkohl".encode()),
    "json": (201, [("Content-Type", "application/json"), ("Location", "/orders/8")], b"{}"),
    "cookie": (302, [("Content-Type", "text/plain"), ("Location", "/"), ("Set-Cookie", "a=1; Path=/")], b"moved"),
    "image": (200, [("Content-Type", "image/png"), ("Cache-Control", "no-store")], b"\x89PNG\xff"),
    "packed": (200, [("Content-Type", "image/png"), ("Content-Encoding", "br")], b"\xff\xfe"),
    "error": (422, [("Content-Type", "application/json")], b'{"detail": []}'),
}
DOOR = {"binary_media_types": ("*/*",)}


class WsgiApplication:
    """Records its environs and gives the response of that name."""

    def __init__(self, response: str = "page") -> None:
        self.response = response
        self.requests: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.requests.append({**environ, "body": environ["wsgi.input"].read()})
        status, headers, body = RESPONSES[self.response]
        start_response(f"{status} Reason", headers)
        return [body]


class AsgiApplication:
    """Records its scopes and gives the response of that name."""

    def __init__(self, response: str = "page") -> None:
        self.response = response
        self.requests: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        request_headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
        self.requests.append({**scope, "headers": request_headers, "body": (await receive())["body"]})
        status, headers, body = RESPONSES[self.response]
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


def request_all(handlers: list[Any], request: Request, source: str) -> list[Any]:
    """Return the response of each handler to the same event."""
    event = compose(request, source, **DOOR)
    responses = []
    for handler in handlers:
        response = interpret(handler(copy.deepcopy(event), None), source, request, **DOOR)
        headers = sorted((name.lower(), value) for name, value in response.headers)
        responses.append((response.status, headers, response.body))
    return responses


def serverless_wsgi_pair(app: Any) -> list[Any]:
    library = pytest.importorskip("serverless_wsgi", reason=REASON)
    return [partial(module.handle_request, app) for module in (library, serverless_wsgi)]


def apig_wsgi_pair(app: Any) -> list[Any]:
    library = pytest.importorskip("apig_wsgi", reason=REASON)
    return [module.make_lambda_handler(app, binary_support=True) for module in (library, apig_wsgi)]


def mangum_pair(app: Any) -> list[Any]:
    library = pytest.importorskip("mangum", reason=REASON)
    return [module.Mangum(app, lifespan="off") for module in (library, mangum)]


@pytest.fixture
def thread_loop() -> Iterator[None]:
    """An event loop for the thread. Mangum uses it, and would not close one that it creates."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


WSGI_PAIRS = [serverless_wsgi_pair, apig_wsgi_pair]
WSGI_CASES = [
    (pair, source, name)
    for pair in WSGI_PAIRS
    for source in SOURCES
    for name in REQUESTS
    # An HTTP API decodes the path, and apig-wsgi puts it into the environ as text, which violates PEP 3333.
    if not (pair is apig_wsgi_pair and source in ("http-api", "http-api-v1") and name == "encoded")
]


@pytest.mark.parametrize(("pair", "source", "name"), WSGI_CASES)
def test_a_wsgi_application_receives_the_same_request(pair: Any, source: str, name: str) -> None:
    app = WsgiApplication()
    request_all(pair(app), REQUESTS[name], source)
    theirs, ours = [{key: request.get(key) for key in [*WSGI_KEYS, "body"]} for request in app.requests]
    # Two spellings of one query: serverless-wsgi decodes and encodes that of a load balancer.
    for request in (theirs, ours):
        request["QUERY_STRING"] = parse_qsl(request["QUERY_STRING"], keep_blank_values=True)
    assert theirs == ours


@pytest.mark.parametrize("pair", WSGI_PAIRS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", RESPONSES)
def test_a_client_of_a_wsgi_application_receives_the_same_response(pair: Any, source: str, name: str) -> None:
    theirs, ours = request_all(pair(WsgiApplication(name)), REQUESTS["page"], source)
    assert theirs == ours


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", REQUESTS)
def test_an_asgi_application_receives_the_same_request(source: str, name: str, thread_loop: None) -> None:
    app = AsgiApplication()
    request_all(mangum_pair(app), REQUESTS[name], source)
    theirs, ours = [{key: request[key] for key in [*ASGI_KEYS, "body", "headers"]} for request in app.requests]
    for request in (theirs, ours):
        # The bridge adds the length of a body where the front door does not send it; Django needs it.
        request["headers"] = {(name, value) for name, value in request["headers"] if name != b"content-length"}
        request["query_string"] = parse_qsl(request["query_string"], keep_blank_values=True)
    assert theirs == ours


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", RESPONSES)
def test_a_client_of_an_asgi_application_receives_the_same_response(source: str, name: str, thread_loop: None) -> None:
    theirs, ours = request_all(mangum_pair(AsgiApplication(name)), REQUESTS["page"], source)
    assert theirs == ours
