"""A handler that is asked to run commands."""

from __future__ import annotations

from typing import Any

import bridge
from bridge.remote import event_of


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"fine"})


class Function:
    """A handler as a function has it.

    Args:
        app: its application.
    """

    def __init__(self, app: Any = wsgi) -> None:
        self.handler = bridge.handler(app)

    def run(self, command: str, data: str, context: Any = None) -> tuple[int, str]:
        """Status and output."""
        answer = self.handler(event_of(command, data), context)
        assert isinstance(answer, list)
        status, output = answer
        return status, output

    def exec(self, code: str, context: Any = None) -> tuple[int, str]:
        return self.run("exec", code, context)
