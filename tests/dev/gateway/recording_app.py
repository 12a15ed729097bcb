"""An application that records its request and sends a prepared response, for each interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge import asgi_handler, wsgi_handler

if TYPE_CHECKING:
    from bridge.handlers import Handler

    Pairs = list[tuple[str, str]]
    Record = dict[str, Any]

INTERFACES = ("wsgi", "asgi", "wsgi through asgi")


@dataclass
class AppResponse:
    """The application's response; header values are native strings (one character for each byte)."""

    status: int
    headers: Pairs
    body: bytes


class RecordingApp:
    """One application and its handlers, with and without the option ``base_path``.

    Attributes:
        response: the response to the next request.
        record: the last request.
    """

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.response = AppResponse(204, [], b"")
        self.record: Record = {}
        self._handlers: dict[str, Handler] = {}

    def handler(self, base_path: str = "") -> Handler:
        if base_path not in self._handlers:
            if self.interface == "wsgi":
                handler = wsgi_handler(self.wsgi, base_path=base_path)
            elif self.interface == "asgi":
                handler = asgi_handler(self.asgi, base_path=base_path, lifespan="off")
            else:
                handler = asgi_handler(self.wsgi, base_path=base_path)
            self._handlers[base_path] = handler
        return self._handlers[base_path]

    def close(self) -> None:
        for handler in self._handlers.values():
            handler.close()

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.record = {
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
        start_response(f"{self.response.status} Whatever", self.response.headers)
        return [self.response.body[:3], self.response.body[3:]]

    async def asgi(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        self.record = {
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
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.response.headers]
        await send({"type": "http.response.start", "status": self.response.status, "headers": pairs})
        await send({"type": "http.response.body", "body": self.response.body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": self.response.body[3:]})
