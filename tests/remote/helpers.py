"""A handler that remote commands are sent to."""

from __future__ import annotations

from typing import Any

import bridge
from bridge.remote.commands import command_event


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"fine"})


class Function:
    """The handler of an application, with methods that send it commands."""

    def __init__(self, app: Any = wsgi) -> None:
        self.handler = bridge.handler(app)

    def run(self, command: str, data: str, context: Any = None) -> tuple[int, str]:
        """Return status and output."""
        status, output = self.handler(command_event(command, data), context)
        return status, output

    def exec(self, code: str, context: Any = None) -> tuple[int, str]:
        return self.run("exec", code, context)
