"""Requests whose answer leaves the process before the application has come to its end."""

from __future__ import annotations

from bridge.interfaces.asgi import Exchange
from bridge.runtime.reply import LostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from typing import Any

    from bridge.response import Response
    from bridge.runtime.api import Stream


class Posted(Exchange):
    """A request whose response is posted as soon as it is complete.

    Args:
        body: the request's.
        post: posts a response.

    Attributes:
        left: the tasks that the application left behind.
    """

    __slots__ = ("_post", "left")

    def __init__(self, body: bytes, post: Callable[[Response], Awaitable[None]]) -> None:
        super().__init__(body)
        self._post = post
        self.left: set[asyncio.Task[Any]] = set()

    async def send(self, message: Any) -> None:
        """Take one message of the response; after the last one the client has it."""
        await super().send(message)
        if self.complete and self.response is not None:
            await self._post(self.response)

    async def leave(self, tasks: set[asyncio.Task[Any]]) -> None:
        """What is left behind is waited for when the client has its answer."""
        self.left = tasks


class Streamed(Exchange):
    """A request whose response is sent while the application makes it.

    Args:
        body: the request's.
        begin: begins to stream a response.

    Attributes:
        stream: what the response is sent on; None before it has begun.
        left: the tasks that the application left behind.
        is_gone: whether the client went away before the end.
    """

    __slots__ = ("_begin", "_has_body", "is_gone", "left", "stream")

    def __init__(self, body: bytes, begin: Callable[[Response, Streamed], Awaitable[Stream]], *, is_head: bool) -> None:
        super().__init__(body)
        self._begin = begin
        self._has_body = not is_head
        self.stream: Stream | None = None
        self.left: set[asyncio.Task[Any]] = set()
        self.is_gone = False

    async def send(self, message: Any) -> None:
        """Take one message of the response and pass it on; returns when the client takes more.

        Raises:
            OSError: the client has gone away, as ASGI has it since its version 2.4.
            InterfaceError: it is not what ASGI allows next.
        """
        await super().send(message)
        response = self.response
        assert response is not None
        if self.is_gone:
            raise OSError("The client has gone away.")
        if self.stream is None:
            self.stream = await self._begin(response, self)
            self._has_body = self._has_body and response.status not in (204, 304)  # RFC 9110, 6.4.1
        chunk = response.body if self.complete else b"".join(self._chunks)
        self._chunks.clear()
        try:
            if chunk and self._has_body:
                await self.stream.send(chunk)
            if self.complete:
                await self.stream.end()
        except LostError:
            raise OSError("The client has gone away.") from None

    def gone(self) -> None:
        """The client has gone away: the application is told when it next asks or sends."""
        self.is_gone = True
        self.end()

    async def leave(self, tasks: set[asyncio.Task[Any]]) -> None:
        """What is left behind is waited for when the client has its answer."""
        self.left = tasks
