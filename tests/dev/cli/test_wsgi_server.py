"""A WSGI application behind an ASGI server."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.cli.server.wsgi_server import WsgiServer
from tests.wsgi.applications import PLAIN, returning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


async def messages_of(app: Any, *bodies: bytes, **fields: Any) -> list[dict[str, Any]]:
    """The messages that an application sends to another ASGI server."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"shop.example")],
        **fields,
    }
    chunks = [*bodies] or [b""]
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await WsgiServer(app)(scope, receive, send)
    return messages


def environ_of(**fields: Any) -> dict[str, Any]:
    received: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        received.update(environ)
        start_response("200 OK", PLAIN)
        return []

    asyncio.run(messages_of(app, **fields))
    return received


async def test_each_chunk_is_a_message() -> None:
    messages = await messages_of(
        returning([b"one", b"", b"two"], headers=[("Content-Type", "text/plain"), ("X-A", "\xe9")])
    )
    assert messages == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"x-a", b"\xe9")],
        },
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b"two", "more_body": True},
        {"type": "http.response.body"},
    ]


async def test_a_chunk_is_sent_before_the_next_one_is_requested() -> None:
    arrived = threading.Event()
    order = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"one"
        order.append(arrived.wait(10))
        yield b"two"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        if message.get("body") == b"one":
            arrived.set()

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await WsgiServer(app)(scope, receive, send)
    assert order == [True]


async def test_a_request_body_of_several_messages_is_joined() -> None:
    received = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        received.append((environ["CONTENT_LENGTH"], environ["wsgi.input"].read()))
        start_response("200 OK", PLAIN)
        return []

    big = b"x" * 100_000  # asgiref writes it to a file
    await messages_of(app, b"ab", b"", big, method="POST")
    assert received == [("100002", b"ab" + big)]


def test_the_environ_has_the_values_of_the_connection_scope() -> None:
    environ = environ_of(
        method="PUT",
        path="/root/café",
        raw_path=b"/root/caf%C3%A9",
        root_path="/root",
        query_string=b"a=%20",
        scheme="https",
        server=("shop.example", 8443),
        client=("203.0.113.7", 5),
        headers=[(b"host", b"shop.example"), (b"x-a", b"1"), (b"x-a", b"2"), (b"content-type", b"text/plain"),
                 (b"x_a", b"3"), (b"proxy", b"evil"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
    )  # fmt: skip
    expected = {
        "REQUEST_METHOD": "PUT",
        "SCRIPT_NAME": "/root",
        "PATH_INFO": "/café".encode().decode("latin-1"),
        "RAW_URI": "/root/caf%C3%A9?a=%20",
        "QUERY_STRING": "a=%20",
        "wsgi.url_scheme": "https",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "8443",
        "REMOTE_ADDR": "203.0.113.7",
        "HTTP_X_A": "1,2",
        "HTTP_COOKIE": "a=1; b=2",
        "CONTENT_TYPE": "text/plain",
        "wsgi.multithread": True,
    }
    assert {key: environ[key] for key in expected} == expected
    assert "HTTP_PROXY" not in environ


@pytest.mark.parametrize("raw", [b"/%FF/x", None])
def test_bytes_of_a_path_are_read_from_the_raw_path(raw: bytes | None) -> None:
    environ = environ_of(path="/�/x", raw_path=raw)
    assert environ["PATH_INFO"] == ("/\xff/x" if raw else "/�/x".encode().decode("latin-1"))


def test_a_path_that_middleware_has_changed_is_kept() -> None:
    environ = environ_of(path="/after", raw_path=b"/before")
    assert environ["PATH_INFO"] == "/after"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_other_connections_than_http_are_an_error(kind: str) -> None:
    with pytest.raises(ValueError, match=f"no connections of the type {kind}"):
        await messages_of(returning([]), type=kind)


async def test_requests_run_concurrently() -> None:
    barrier = threading.Barrier(3)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        barrier.wait(10)  # a single thread would wait forever
        start_response("200 OK", PLAIN)
        return [b"fine"]

    responses = await asyncio.gather(*[messages_of(app) for _ in range(3)])
    assert [response[1]["body"] for response in responses] == [b"fine"] * 3


async def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_request() -> None:
    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    messages: list[dict[str, Any]] = [{"type": "http.request", "body": b"half", "more_body": True}]
    messages.append({"type": "http.disconnect"})
    called: list[object] = []
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    await WsgiServer(lambda *_: called.append(True))(scope, receive, None)
    assert called == []
