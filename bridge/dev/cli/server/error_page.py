"""What answers while the application cannot be served: nobody waits for an answer until the code is mended."""

from __future__ import annotations

import traceback
from typing import Any

from bridge.dev.cli.server.page import page_of, text_of
from bridge.errors import BridgeError

_TITLE = "The application cannot be served"
_WHY = "You see this because bridge serve runs with its debugger. The next change of code starts the application again."
_SILENT = "The application cannot be served; the log of bridge serve says why.\n"


class Broken:
    """An ASGI application that answers every request with 503 and what is wrong.

    Args:
        report: what is wrong; ``""`` to keep it from the client.
    """

    def __init__(self, report: str) -> None:
        self._report = report

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI's parameters
        """ASGI 3, scope type ``http``."""
        if scope["type"] != "http":
            return
        if not self._report:
            messages = text_of(503, _SILENT)
        elif b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            messages = page_of(scope, 503, _TITLE, self._report, _WHY)
        else:
            messages = text_of(503, f"{self._report}\n")
        for message in messages:
            await send(message)


def trace_of(error: Exception) -> str:
    """What is wrong, for people: with the application's traceback if there is one."""
    if not isinstance(error, BridgeError):
        return "".join(traceback.format_exception(error)).rstrip()
    cause = error.__context__  # what the application raised while it was imported
    trace = "" if cause is None or isinstance(cause, BridgeError) else "".join(traceback.format_exception(cause))
    return f"{trace}bridge: {error}"


def ended(status: str) -> str:
    """What is wrong if the process has ended."""
    return f"bridge: the application has ended its process, with status {status}; what is above may say why."
