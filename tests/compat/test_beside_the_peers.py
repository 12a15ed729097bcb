"""The libraries that ``bridge.compat`` stands in for, asked the same: where they are right, nothing changes.

Where they are not, docs/migrating.md says what changes.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from bridge.compat import apig_wsgi, mangum, serverless_wsgi
from bridge.dev.gateway import Request, compose, interpret

if TYPE_CHECKING:
    from collections.abc import Iterator

REASON = "it is in the group bench"
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
ANSWERS = {
    "page": (200, HTML, "<p>Grünkohl".encode()),
    "json": (201, [("Content-Type", "application/json"), ("Location", "/orders/8")], b"{}"),
    "cookie": (302, [("Content-Type", "text/plain"), ("Location", "/"), ("Set-Cookie", "a=1; Path=/")], b"moved"),
    "image": (200, [("Content-Type", "image/png"), ("Cache-Control", "no-store")], b"\x89PNG\xff"),
    "packed": (200, [("Content-Type", "image/png"), ("Content-Encoding", "br")], b"\xff\xfe"),
    "error": (422, [("Content-Type", "application/json")], b'{"detail": []}'),
}
DOOR = {"binary_media_types": ("*/*",)}


class WSGI:
    def __init__(self, answer: str = "page") -> None:
        self.answer = answer
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen.append({**environ, "body": environ["wsgi.input"].read()})
        status, headers, body = ANSWERS[self.answer]
        start_response(f"{status} Reason", headers)
        return [body]


class ASGI:
    def __init__(self, answer: str = "page") -> None:
        self.answer = answer
        self.seen: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        headers_seen = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
        self.seen.append({**scope, "headers": headers_seen, "body": (await receive())["body"]})
        status, headers, body = ANSWERS[self.answer]
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


def ask(handlers: list[Any], request: Request, source: str) -> list[Any]:
    """The answers of each handler to the same event."""
    event = compose(request, source, **DOOR)
    answers = [interpret(handler(copy.deepcopy(event), None), source, request, **DOOR) for handler in handlers]
    return [(each.status, sorted((name.lower(), value) for name, value in each.headers), each.body) for each in answers]


def serverless_wsgi_pair(app: Any) -> list[Any]:
    theirs = pytest.importorskip("serverless_wsgi", reason=REASON)
    return [lambda e, c, use=use: use.handle_request(app, e, c) for use in (theirs, serverless_wsgi)]


def apig_wsgi_pair(app: Any) -> list[Any]:
    theirs = pytest.importorskip("apig_wsgi", reason=REASON)
    return [use.make_lambda_handler(app, binary_support=True) for use in (theirs, apig_wsgi)]


def mangum_pair(app: Any) -> list[Any]:
    theirs = pytest.importorskip("mangum", reason=REASON)
    return [use.Mangum(app, lifespan="off") for use in (theirs, mangum)]


@pytest.fixture
def thread_loop() -> Iterator[None]:
    """The loop of the thread, which Mangum looks for; one of its own it would never close."""
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
    # An HTTP API decodes the path, and apig-wsgi puts it in the environ as text, which PEP 3333 forbids.
    if not (pair is apig_wsgi_pair and source in ("http-api", "http-api-v1") and name == "encoded")
]


@pytest.mark.parametrize(("pair", "source", "name"), WSGI_CASES)
def test_a_wsgi_application_sees_the_request_that_it_saw_before(pair: Any, source: str, name: str) -> None:
    app = WSGI()
    ask(pair(app), REQUESTS[name], source)
    theirs, ours = [{key: seen.get(key) for key in [*WSGI_KEYS, "body"]} for seen in app.seen]
    # Two ways to write the same: serverless-wsgi decodes and encodes again what a load balancer hands over as sent.
    for seen in (theirs, ours):
        seen["QUERY_STRING"] = parse_qsl(seen["QUERY_STRING"], keep_blank_values=True)
    assert theirs == ours


@pytest.mark.parametrize("pair", WSGI_PAIRS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ANSWERS)
def test_a_client_of_a_wsgi_application_gets_the_answer_that_it_got_before(pair: Any, source: str, name: str) -> None:
    theirs, ours = ask(pair(WSGI(name)), REQUESTS["page"], source)
    assert theirs == ours


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", REQUESTS)
def test_an_asgi_application_sees_the_request_that_it_saw_before(source: str, name: str, thread_loop: None) -> None:
    app = ASGI()
    ask(mangum_pair(app), REQUESTS[name], source)
    theirs, ours = [{key: seen[key] for key in [*ASGI_KEYS, "body", "headers"]} for seen in app.seen]
    for seen in (theirs, ours):
        # The length of a body that a front door does not tell is new; Django needs it.
        seen["headers"] = {(name, value) for name, value in seen["headers"] if name != b"content-length"}
        seen["query_string"] = parse_qsl(seen["query_string"], keep_blank_values=True)
    assert theirs == ours


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ANSWERS)
def test_a_client_of_an_asgi_application_gets_the_answer_that_it_got_before(
    source: str, name: str, thread_loop: None
) -> None:
    theirs, ours = ask(mangum_pair(ASGI(name)), REQUESTS["page"], source)
    assert theirs == ours
