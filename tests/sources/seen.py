"""What an application sees of an event, and what payload its answer becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

from bridge import asgi_handler, wsgi_handler
from bridge.settings import Settings
from bridge.sources import recognise, source_named

if TYPE_CHECKING:
    from bridge.request import Scope

Pairs = list[tuple[str, str]]
Environ = dict[str, Any]


class Context:
    """As much of Lambda's context as the bridge looks at."""

    aws_request_id = "6c1f1f2e-7a53-4b0d-9d6e-3b7a4f0f3f21"


CONTEXT = Context()
# A WSGI application's handler answers the first two requests by the long way, and others by the short one if it can.
BY_BOTH_WAYS = 3


def scope_of(event: Any, **options: Any) -> Scope:
    """The Scope that an event's source reads from it."""
    name = recognise(event)
    assert name is not None, f"recognised as no source: {event}"
    return source_named(name).read(event, CONTEXT, Settings(options, environ={}))


def environ_of(event: Any, **options: Any) -> Environ:
    """What a WSGI application gets, every time; ``wsgi.input`` is read into ``body``."""
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append({**environ, "body": environ["wsgi.input"].read(-1)})
        start_response("204 No Content", [])
        return []

    handler = wsgi_handler(validator(app), **options)
    for _ in range(BY_BOTH_WAYS):
        handler(event, CONTEXT)
    assert len(seen) == BY_BOTH_WAYS, "the application was not called"
    first, *others = seen
    ours = ("wsgi.input", "wsgi.errors")  # the validator's, for each request
    for other in others:
        assert {**other, **{key: first[key] for key in ours}} == first
    return first


@dataclass
class SeenByAsgi:
    """What an ASGI application gets."""

    scope: dict[str, Any]
    body: bytes

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        pairs: list[tuple[bytes, bytes]] = self.scope["headers"]
        return pairs

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.headers if key == name.encode()]


def asgi_of(event: Any, **options: Any) -> SeenByAsgi:
    """What an ASGI application gets."""
    seen: list[SeenByAsgi] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": message["body"], "more_body": False}
        seen.append(SeenByAsgi(scope, message["body"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    handler = asgi_handler(app, lifespan="off", **options)
    try:
        handler(event, CONTEXT)
    finally:
        handler.close()
    assert seen, "the application was not called"
    check_scope(seen[0].scope)
    return seen[0]


def check_scope(scope: dict[str, Any]) -> None:
    """The types that the ASGI specification wants, and what belongs together."""
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


def answer(
    event: Any, status: str = "200 OK", headers: Pairs | None = None, body: bytes = b"", **options: Any
) -> dict[str, Any]:
    """The payload for an application's answer; a WSGI and an ASGI application give the same one."""
    sent = [("Content-Type", "text/plain; charset=utf-8")] if headers is None else headers

    def wsgi_app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response(status, sent)
        return [body]

    async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent]
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    by_wsgi = wsgi_handler(wsgi_app, **options)
    payload, *others = [by_wsgi(event, CONTEXT) for _ in range(BY_BOTH_WAYS)]
    assert all(other == payload for other in others)
    handler = asgi_handler(asgi_app, lifespan="off", **options)
    try:
        also = handler(event, CONTEXT)
    finally:
        handler.close()
    assert {**also, "statusDescription": None} == {**payload, "statusDescription": None}
    return json.loads(json.dumps(payload))  # type: ignore[no-any-return]
