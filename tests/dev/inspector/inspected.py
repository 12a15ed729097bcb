"""A gateway with a recorder, and the inspector of it, without a server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import bridge
from bridge.dev.gateway.gateway import AccessRecord, Gateway
from bridge.dev.gateway.models import Request
from bridge.dev.inspector import InspectorApplication, Recorder, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.dev.inspector.recorder import Entry

PORT = 15000
HOST = f"localhost:{PORT}"
TOKEN = "the access token"


class Inspected:
    """A gateway to one application, its recorder and its inspector.

    Args:
        app: the application, or a handler ``(event, context)``.
        source: the front door.
        recorder: the recorder; None for a new one.
        **more: keyword arguments of the gateway and options of the handler.
    """

    def __init__(self, app: Any, source: str = "http-api", recorder: Recorder | None = None, **more: Any) -> None:
        options = {name: more.pop(name) for name in ("exclude_headers", "strip_stage", "text_types") if name in more}
        is_handler = getattr(app, "is_lambda_handler", False)
        self.handler = app if is_handler else bridge.handler(app, **options)
        self.recorder = recorder or Recorder()
        self.recorder.watch_functions([self.handler])
        self.gateway = Gateway(self.handler, source, recorder=self.recorder, **more)
        served = Served(
            "app:app", "http://localhost:5000", self.gateway, {"bridge": self.handler}, {"bridge": "app:app"}
        )
        self.app = InspectorApplication(self.recorder, served, TOKEN)

    def send(self, path: str = "/", method: str = "GET", **fields: Any) -> Entry:
        """Send a request through the gateway and return its entry."""
        path, _, query = path.partition("?")
        record = AccessRecord(Request(method=method, path=path, query=query, **fields))
        asyncio.run(self.gateway.respond(record, _receive_nothing, _discard))
        return self.recorder.entries[record.number]

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Return the status and the content of an address of the inspector."""
        status, body = asyncio.run(request(self.app, "GET", path, headers=headers.items()))
        return status, json.loads(body) if status == 200 else body.decode()

    def view(self, number: int, *, with_secrets: bool = False) -> dict[str, Any]:
        """Return the view of a request."""
        status, view = self.get(f"/api/requests/{number}{'?secrets=1' if with_secrets else ''}")
        assert status == 200, view
        assert isinstance(view, dict)
        return view

    def reasons(self, number: int) -> list[tuple[str, str]]:
        """Return subject and reason of each decision about a request."""
        return [(reason["subject"], reason["reason"]) for reason in self.view(number)["reasons"]]


async def request(
    app: Callable[..., Any],
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
) -> tuple[int, bytes]:
    """Send a request to the inspector and return status and body; host and token may be in *headers*."""
    pairs = {"host": HOST, "x-bridge-inspector": TOKEN} | {name.replace("_", "-"): value for name, value in headers}
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        "server": ("127.0.0.1", PORT),
    }
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])


async def _receive_nothing() -> Any:
    await asyncio.Event().wait()


async def _discard(message: Any) -> None:
    pass
