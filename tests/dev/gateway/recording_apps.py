"""Applications that note what they are asked and answer what they are told, one for each way to call one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge import asgi_handler, wsgi_handler

if TYPE_CHECKING:
    from bridge.adapter import Handler

    Pairs = list[tuple[str, str]]
    Seen = dict[str, Any]


@dataclass
class Given:
    """What the application answers; header values are native strings (one character for each byte)."""

    status: int
    headers: Pairs
    body: bytes


class Recorder:
    """One application and its handlers, with and without the option ``base_path``.

    Attributes:
        given: what it answers next.
        seen: what it was asked last.
    """

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.given = Given(204, [], b"")
        self.seen: Seen = {}
        self._handlers: dict[str, Handler] = {}

    def handler(self, base_path: str = "") -> Handler:
        if base_path not in self._handlers:
            if self.interface == "wsgi":
                made = wsgi_handler(self.wsgi, base_path=base_path)
            elif self.interface == "asgi":
                made = asgi_handler(self.asgi, base_path=base_path, lifespan="off")
            else:
                made = asgi_handler(self.wsgi, base_path=base_path)
            self._handlers[base_path] = made
        return self._handlers[base_path]

    def close(self) -> None:
        for handler in self._handlers.values():
            handler.close()

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen = {
            "method": environ["REQUEST_METHOD"],
            "root": environ["SCRIPT_NAME"],
            "path": environ["PATH_INFO"],
            "uri": environ.get("REQUEST_URI"),
            "query": environ["QUERY_STRING"],
            "headers": {k: v for k, v in environ.items() if k.startswith("HTTP_") or k == "CONTENT_TYPE"},
            "length": environ["CONTENT_LENGTH"],
            "body": environ["wsgi.input"].read(),
            "scheme": environ["wsgi.url_scheme"],
            "client": environ["REMOTE_ADDR"],
        }
        start_response(f"{self.given.status} Whatever", self.given.headers)
        return [self.given.body[:3], self.given.body[3:]]

    async def asgi(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        self.seen = {
            "method": scope["method"],
            "root": scope["root_path"],
            "path": scope["path"],
            "uri": scope["raw_path"],
            "query": scope["query_string"],
            "headers": headers,
            "body": message["body"],
            "scheme": scope["scheme"],
            "client": scope["client"][0],
        }
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.given.headers]
        await send({"type": "http.response.start", "status": self.given.status, "headers": pairs})
        await send({"type": "http.response.body", "body": self.given.body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": self.given.body[3:]})


INTERFACES = ("wsgi", "asgi", "wsgi through asgi")
