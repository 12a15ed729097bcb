"""One invocation as Lambda sees it: an event on its way to the function, and what comes back."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.context import LocalContext

# More of a stream than this is not taken from the function before somebody reads it; below the second, more is.
_ENOUGH, _LITTLE = 65_536, 16_384


class FunctionError(BridgeError):
    """The function failed: it said so, its process ended, or it took too long.

    Args:
        kind: the error's type, such as ``"ValueError"`` or ``"Runtime.ExitError"``.
        message: for people.
        stack: the lines of its stack.

    Attributes:
        kind, message, stack: as given.
    """

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.stack = stack or []


class ReceivedStream:
    """An answer that comes while the function makes it: an async iterator of its chunks.

    What is not read is not taken from the function, which then waits. Iterating raises :class:`FunctionError` where
    the function's answer ended with an error, or was cut off.

    Args:
        content_type: what the function calls it.
        hold: called to have no more of it sent, and, with False, to go on.
        hang_up: called when nobody wants any more.

    Attributes:
        content_type: as given.
    """

    def __init__(self, content_type: str, hold: Callable[[bool], None], hang_up: Callable[[], None]) -> None:
        self.content_type = content_type
        self._hold = hold
        self._hang_up = hang_up
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_held = False
        self._is_over = False
        self._error: FunctionError | None = None
        self._changed: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes) -> None:
        """The function's side: a chunk has come."""
        if chunk and not self._is_over:
            self._chunks.append(chunk)
            self._size += len(chunk)
            if self._size > _ENOUGH and not self._is_held:
                self._is_held = True
                self._hold(True)
            self._tell()

    def finish(self, error: FunctionError | None = None) -> None:
        """The function's side: there is no more; with *error* this is not the end that it should have."""
        if not self._is_over:
            self._is_over = True
            self._error = error
            self._tell()

    def close(self) -> None:
        """The reader's side: no more is wanted. The function is told, if it has not ended anyway."""
        if not self._is_over:
            self.finish()
            self._hang_up()
        self._chunks.clear()

    def __aiter__(self) -> ReceivedStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._is_over:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._is_held and self._size <= _LITTLE:
            self._is_held = False
            self._hold(False)
        return chunk

    def _tell(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Invocation:
    """One invocation.

    Args:
        event: the event's bytes.
        content_type: what they are.
        context: its request id, the function's ARN, and when the function is ended.

    Attributes:
        event, content_type, context: as given.
        answer: what came back: a payload, a stream, or an error.
    """

    def __init__(self, event: bytes, content_type: str, context: LocalContext) -> None:
        self.event = event
        self.content_type = content_type
        self.context = context
        self.answer: asyncio.Future[bytes | ReceivedStream | FunctionError]
        self.answer = asyncio.get_running_loop().create_future()

    @property
    def is_answered(self) -> bool:
        """Whether an answer has come, or has begun to."""
        return self.answer.done()

    def take(self, answer: bytes | ReceivedStream | FunctionError) -> None:
        """An answer has come; another one does not count any more, but an error ends a stream."""
        if not self.answer.done():
            self.answer.set_result(answer)
        elif isinstance(answer, FunctionError) and not self.answer.cancelled():
            begun = self.answer.result()
            if isinstance(begun, ReceivedStream):
                begun.finish(answer)
