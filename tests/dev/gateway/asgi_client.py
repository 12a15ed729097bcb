"""An ASGI server's side of a request, for tests of :class:`bridge.dev.gateway.Gateway`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.gateway import Gateway

Message = dict[str, Any]


@dataclass
class AsgiResponse:
    """The messages that the application sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.messages[0]["headers"] if key == name.encode()]


async def send_request(
    gateway: Gateway,
    path: str = "/",
    method: str = "GET",
    body: Iterable[bytes] = (b"",),
    *,
    disconnects: bool = False,
    **scope: Any,
) -> AsgiResponse:
    """Send a request, whose client may disconnect in the middle of the body; *scope* replaces parts of the scope."""
    raw_path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost:5000")],
        "client": ("203.0.113.9", 50_000),
        "scheme": "http",
        "http_version": "1.1",
        **scope,
    }
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in body]
    if disconnects:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    received = iter(messages)
    response = AsgiResponse()

    async def receive() -> Message:
        return next(received)

    async def send(message: Message) -> None:
        response.messages.append(message)

    await gateway(scope, receive, send)
    return response
