"""The inspector's ASGI application: its page, its data as JSON, and its news as server-sent events.

The page shows what clients have sent to another server. Other users of the machine do not have its access token. Web
pages that a browser opens cannot read it: requests for another host (DNS rebinding) and from other origins are refused,
and nothing in the page is HTML that came with a request.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway import FRONT_DOORS
from bridge.dev.inspector.comparison import differences
from bridge.dev.inspector.replay import Replayer
from bridge.dev.inspector.snippets import as_curl, as_event, as_test
from bridge.dev.inspector.views import Views, summary
from bridge.dev.inspector.websocket_views import messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.dev.gateway.gateway import Gateway
    from bridge.dev.inspector.recorder import Entry, Recorder

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/inspector.css": ("inspector.css", "text/css; charset=utf-8"),
    "/inspector.js": ("inspector.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
# The page sends the access token in this header, which a page of another origin cannot send without a preflight. A
# cookie would be sent to the front door as well: browsers do not tell the ports of a host apart.
_TOKEN_HEADER = b"x-bridge-inspector"
_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_LARGEST_BODY = 10_000
# News are sent together, at most this often; without any a comment keeps the connection open.
_NEWS_SECONDS, _IDLE_SECONDS = 0.1, 15.0


@dataclass(frozen=True)
class Served:
    """The gateway and the functions that the inspector shows.

    Attributes:
        description: the application and its front door, as in the greeting.
        url: the address of the front door.
        gateway: the gateway; None if the application cannot be served.
        handlers: its handlers, by function name.
        apps: the names of the applications, by function name.
    """

    description: str
    url: str
    gateway: Gateway | None = None
    handlers: Mapping[str, Any] = field(default_factory=dict)
    apps: Mapping[str, str] = field(default_factory=dict)


class _ResponseError(Exception):
    """A response with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class InspectorApplication:
    """An ASGI application for the loopback interface.

    Args:
        recorder: the recorder of the gateway.
        served: what is served.
        token: the access token, which requests must have.
    """

    def __init__(self, recorder: Recorder, served: Served, token: str) -> None:
        self._token = token.encode()
        self._recorder = recorder
        self._served = served
        self._views = None if served.gateway is None else Views(served.gateway, served.handlers)
        self._replayer = None if served.gateway is None else Replayer(served.gateway)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3, scope type ``http``."""
        if scope["type"] != "http":
            return
        try:
            _check_origin(scope)
            if scope["path"] not in _FILES:
                _check_token(scope, self._token)
            if scope["path"] == "/events" and scope["method"] == "GET":
                await self._send_events(receive, send)
                return
            content, content_type = await self._content(scope, receive)
        except _ResponseError as error:
            await _respond(send, error.status, f"{error.message}\n".encode(), "text/plain; charset=utf-8")
        else:
            await _respond(send, 200, content, content_type)

    def close(self) -> None:
        """Cancel replayed requests that are not answered."""
        if self._replayer is not None:
            self._replayer.close()

    async def _content(self, scope: Any, receive: Any) -> tuple[bytes, str]:
        """Return the body and the Content-Type of a response."""
        path, method = scope["path"], scope["method"]
        with_secrets = scope.get("query_string") == b"secrets=1"
        match (method, *path.strip("/").split("/")):
            case ("GET", *_) if path in _FILES:
                name, content_type = _FILES[path]
                return files(__package__).joinpath("page", name).read_bytes(), content_type
            case ("GET", "api", "requests"):
                return _json([summary(entry) for entry in self._recorder.entries.values()])
            case ("GET", "api", "requests", number):
                entry = self._entry(number)
                view = self._working_views.view(entry, with_secrets=with_secrets)
                return _json(view | {"messages": messages(self._recorder.entries.values(), entry.record.connection)})
            case ("GET", "api", "requests", number, "copy", kind):
                return self._copy(self._entry(number), kind, with_secrets=with_secrets)
            case ("GET", "api", "compare", before, after):
                entries = self._entry(before), self._entry(after)
                return _json(differences(self._working_views, *entries, with_secrets=with_secrets))
            case ("POST", "api", "requests", number, "replay"):
                return await self._replay(self._entry(number), await _read_json(receive))
            case ("POST", "api", "clear"):
                self._recorder.clear()
                return _json({})
        raise _ResponseError(404, "The inspector has no such address.")

    @property
    def _working_views(self) -> Views:
        if self._views is None:
            raise _ResponseError(503, "The application cannot be served; see the log of bridge serve.")
        return self._views

    def _entry(self, number: str) -> Entry:
        entry = self._recorder.entries.get(int(number)) if number.isascii() and number.isdigit() else None
        if entry is None:
            raise _ResponseError(404, "This request is not recorded any more.")
        return entry

    def _copy(self, entry: Entry, kind: str, *, with_secrets: bool) -> tuple[bytes, str]:
        record = entry.record
        if record.connection and kind != "event":
            raise _ResponseError(400, "An event of a WebSocket API is copied as event only.")
        if kind == "curl":
            text = as_curl(record, self._served.url, with_secrets=with_secrets)
        elif kind == "event":
            text = as_event(record, with_secrets=with_secrets)
        elif kind == "pytest":
            app = self._served.apps.get(record.function) or next(iter(self._served.apps.values()), "app:app")
            text = as_test(record, app, with_secrets=with_secrets)
        else:
            raise _ResponseError(404, "A request is copied as curl, event or pytest.")
        return text.encode("utf-8", "replace"), "text/plain; charset=utf-8"

    async def _replay(self, entry: Entry, content: Any) -> tuple[bytes, str]:
        if self._replayer is None:
            raise _ResponseError(503, "The application cannot be served; see the log of bridge serve.")
        if entry.record.connection:
            raise _ResponseError(400, "Events of a WebSocket API are not sent again.")
        source = content.get("source") if isinstance(content, dict) else None
        source = source or entry.record.source
        if source not in FRONT_DOORS:
            raise _ResponseError(400, f"There is no such source. The sources are: {', '.join(FRONT_DOORS)}.")
        return _json({"number": await self._replayer.replay(entry.record, source)})

    async def _send_events(self, receive: Any, send: Any) -> None:
        """Send all requests, and then those that change, until the client disconnects."""
        headers = [*_HEADERS, (b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        disconnected = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            with self._recorder.watch() as watcher:
                await _send_event(send, "hello", self._greeting())
                while not disconnected.done():
                    waiting = asyncio.create_task(watcher.changes(_IDLE_SECONDS))
                    await asyncio.wait([waiting, disconnected], return_when=asyncio.FIRST_COMPLETED)
                    if disconnected.done():
                        waiting.cancel()
                        break
                    numbers = waiting.result()
                    await self._send_news(numbers, send)
                    await asyncio.sleep(_NEWS_SECONDS)
        finally:
            disconnected.cancel()

    def _greeting(self) -> dict[str, Any]:
        return {
            "session": self._recorder.session,
            "description": self._served.description,
            "url": self._served.url,
            "isWorking": self._served.gateway is not None,
            "sources": list(FRONT_DOORS),
            "requests": [summary(entry) for entry in self._recorder.entries.values()],
            "processes": [event._asdict() for event in self._recorder.process_events],
        }

    async def _send_news(self, numbers: list[int], send: Any) -> None:
        if not numbers:
            await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
            return
        entries = self._recorder.entries
        oldest = next(iter(entries), 0)
        changed = [summary(entries[number]) for number in numbers if number in entries]
        news: dict[str, Any] = {"requests": changed, "oldest": oldest}
        if 0 in numbers:
            news["processes"] = [event._asdict() for event in self._recorder.process_events]
        await _send_event(send, "news", news)


def _check_origin(scope: Any) -> None:
    """Refuse a request that is not from the inspector's own page, or from a program on this machine.

    Raises:
        _ResponseError: the Host header does not name the loopback interface, or the request is from another origin.
    """
    headers: dict[bytes, bytes] = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    server = scope.get("server") or ("", 0)
    if host not in {f"{name}:{server[1]}" for name in _HOSTS}:
        raise _ResponseError(403, "The inspector answers requests for localhost only.")
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1") != f"http://{host}":
        raise _ResponseError(403, "The inspector answers its own page only.")
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        raise _ResponseError(403, "The inspector answers its own page only.")


def _check_token(scope: Any, token: bytes) -> None:
    """Refuse a request without the access token, which an ``EventSource`` sends in the query.

    Raises:
        _ResponseError: the token is missing, or is another one.
    """
    given: bytes = dict(scope["headers"]).get(_TOKEN_HEADER, b"")
    if scope["path"] == "/events":
        given = scope["query_string"].removeprefix(b"token=")
    if not secrets.compare_digest(given, token):
        raise _ResponseError(403, "Open the address that bridge serve prints: it has the access token.")


async def _wait_for_disconnect(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_json(receive: Any) -> Any:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            raise _ResponseError(413, "The request is too large.")
        if not message.get("more_body"):
            break
    try:
        return json.loads(body or b"{}")
    except ValueError:
        raise _ResponseError(400, "The request is not JSON.") from None


def _json(value: Any) -> tuple[bytes, str]:
    return json.dumps(value).encode(), "application/json"


async def _send_event(send: Any, name: str, value: Any) -> None:
    body = f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _respond(send: Any, status: int, body: bytes, content_type: str) -> None:
    headers = [*_HEADERS, (b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
