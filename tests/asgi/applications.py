"""Small ASGI applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"fine"}


class Responding:
    """An application with a lifespan that answers with the result of *work* for the path.

    Attributes:
        lifespans: the number of lifespans that were started.
    """

    def __init__(self, work: Callable[[str], Awaitable[object]]) -> None:
        self._work = work
        self.lifespans = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.lifespans += 1
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            body = str(await self._work(scope["path"])).encode()
            await send(START)
            await send({"type": "http.response.body", "body": body})


def sending(*messages: Any) -> Any:
    """An application without lifespan that sends these messages; an exception among them is raised."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return app
