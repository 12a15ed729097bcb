"""The request that applications receive from an event, and the payload that their response becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

from bridge import asgi_handler, wsgi_handler
from bridge.settings import Settings
from bridge.sources import recognise, source_named
from tests.events import load_event
from tests.sources.payload_checks import CHECKS

if TYPE_CHECKING:
    from bridge.request import Scope
    from bridge.response import Response

Pairs = list[tuple[str, str]]
Environ = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


class Context:
    """As much of Lambda's context as the bridge reads."""

    aws_request_id = "6c1f1f2e-7a53-4b0d-9d6e-3b7a4f0f3f21"


CONTEXT = Context()


def scope_of(event: Any, **options: Any) -> Scope:
    """The Scope that an event's source reads."""
    name = recognise(event)
    assert name is not None, f"not recognised: {event}"
    return source_named(name).read(event, CONTEXT, Settings(options, environ={}))


def environ_of(event: Any, **options: Any) -> Environ:
    """The environ of a WSGI application, with the request's body in ``body``."""
    environs: list[Environ] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        environs.append({**environ, "body": environ["wsgi.input"].read(-1)})
        start_response("204 No Content", [])
        return []

    handler = wsgi_handler(validator(app), **options)
    handler(event, CONTEXT)
    handler(event, CONTEXT)  # takes names and values from caches
    assert len(environs) == 2, "the application was not called"
    first, second = environs
    new_objects = ("wsgi.input", "wsgi.errors")  # the validator makes them for each request
    assert {**second, **{key: first[key] for key in new_objects}} == first
    return first


@dataclass
class AsgiRequest:
    """The connection scope and the body that an ASGI application receives."""

    scope: dict[str, Any]
    body: bytes

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        return headers

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.headers if key == name.encode()]


def asgi_request(event: Any, **options: Any) -> AsgiRequest:
    """The request that an ASGI application receives."""
    requests: list[AsgiRequest] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": message["body"], "more_body": False}
        requests.append(AsgiRequest(scope, message["body"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    handler = asgi_handler(app, lifespan="off", **options)
    try:
        handler(event, CONTEXT)
    finally:
        handler.close()
    assert requests, "the application was not called"
    check_connection_scope(requests[0].scope)
    return requests[0]


def check_connection_scope(scope: dict[str, Any]) -> None:
    """Assert the types of ASGI's HTTP connection scope, and that its values agree."""
    assert scope["type"] == "http"
    assert scope["asgi"]["version"] == "3.0"
    assert scope["http_version"] in ("1.0", "1.1", "2", "3")
    assert type(scope["method"]) is str
    assert scope["scheme"] in ("http", "https")
    assert type(scope["path"]) is str
    assert scope["path"].startswith(scope["root_path"] + "/")
    assert scope["root_path"] == "" or scope["root_path"].startswith("/")
    assert not scope["root_path"].endswith("/")
    assert type(scope["query_string"]) is bytes
    assert scope["raw_path"] is None or type(scope["raw_path"]) is bytes
    assert scope["raw_path"] is None or b"?" not in scope["raw_path"]
    for name, value in scope["headers"]:
        assert type(name) is bytes
        assert name == name.lower()
        assert type(value) is bytes
    assert [name for name, _ in scope["headers"]].count(b"cookie") <= 1
    assert scope["client"] is None or (type(scope["client"][0]) is str and type(scope["client"][1]) is int)
    assert type(scope["server"][0]) is str
    assert 0 < scope["server"][1] < 65536


def payload_of(
    event: Any, status: str = "200 OK", headers: Pairs | None = None, body: bytes = b"", **options: Any
) -> dict[str, Any]:
    """The payload of a response, after JSON; the same from a WSGI and from an ASGI application."""
    pairs = [("Content-Type", "text/plain; charset=utf-8")] if headers is None else headers

    def wsgi_app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response(status, pairs)
        return [body]

    async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    handler = wsgi_handler(wsgi_app, **options)
    payload = handler(event, CONTEXT)
    assert handler(event, CONTEXT) == payload
    handler = asgi_handler(asgi_app, lifespan="off", **options)
    try:
        of_asgi = handler(event, CONTEXT)
    finally:
        handler.close()
    assert {**of_asgi, "statusDescription": None} == {**payload, "statusDescription": None}  # ASGI has no reason phrase
    return json.loads(json.dumps(payload))  # type: ignore[no-any-return]


def written_payload(name: str, response: Response, **options: Any) -> dict[str, Any]:
    """The payload that the source of an event makes of a Response, after JSON; its form is checked."""
    scope = scope_of(load_event(name))
    source = recognise(scope.event)
    assert source is not None
    payload = source_named(source).write(response, scope, Settings(options, environ={}))
    CHECKS[scope.source](payload)
    return json.loads(json.dumps(payload))  # type: ignore[no-any-return]
