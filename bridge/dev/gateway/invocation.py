"""The objects that a front door and the Lambda service exchange: an error, a stream, and the invocation itself."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.context import LocalContext

# Bytes of a stream that wait to be read: above the first number reading from the function pauses, below the second it
# resumes.
_HIGH_WATER, _LOW_WATER = 65_536, 16_384
# How many processes an invocation is sent to that end without reading it.
_MAX_PROCESSES = 3


class FunctionError(BridgeError):
    """The function failed: it reported an error, its process ended, or it timed out.

    Args:
        kind: the type of the error, such as ``"ValueError"`` or ``"Runtime.ExitError"``.
        message: the message.
        stack: the lines of the stack trace.

    Attributes:
        kind, message, stack: the arguments.
    """

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.stack = stack or []


class ReceivedStream:
    """A streamed response: an asynchronous iterator of its chunks, with back-pressure on the function.

    Iterating raises :class:`FunctionError` where the response ends with an error or is cut off.

    Args:
        content_type: the function's Content-Type.
        pause: called with True to stop reading from the function, and with False to resume.
        disconnect: called to close the function's connection.

    Attributes:
        content_type: the argument.
    """

    def __init__(self, content_type: str, pause: Callable[[bool], None], disconnect: Callable[[], None]) -> None:
        self.content_type = content_type
        self._pause = pause
        self._disconnect = disconnect
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_paused = False
        self._has_ended = False
        self._error: FunctionError | None = None
        self._changed = asyncio.Event()

    def feed(self, chunk: bytes) -> None:
        """Add a chunk from the function."""
        if chunk and not self._has_ended:
            self._chunks.append(chunk)
            self._size += len(chunk)
            if self._size > _HIGH_WATER and not self._is_paused:
                self._is_paused = True
                self._pause(True)
            self._changed.set()

    def finish(self, error: FunctionError | None = None) -> None:
        """End the stream; *error* is raised after the last chunk."""
        if not self._has_ended:
            self._has_ended = True
            self._error = error
            self._changed.set()

    def close(self) -> None:
        """Discard the rest of the stream, and close the function's connection if it still sends."""
        if not self._has_ended:
            self.finish()
            self._disconnect()
        self._chunks.clear()

    def __aiter__(self) -> ReceivedStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._has_ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._is_paused and self._size <= _LOW_WATER:
            self._is_paused = False
            self._pause(False)
        return chunk


class PendingInvocation:
    """An invocation that a process of the function is to answer.

    Args:
        event: the event.
        content_type: the event's Content-Type.
        context: request ID, ARN and deadline.

    Attributes:
        event, content_type, context: the arguments.
        answer: a future of the payload, a stream, or an error.
    """

    def __init__(self, event: bytes, content_type: str, context: LocalContext) -> None:
        self.event = event
        self.content_type = content_type
        self.context = context
        self.answer: asyncio.Future[bytes | ReceivedStream | FunctionError]
        self.answer = asyncio.get_running_loop().create_future()
        self._unread_count = 0

    def may_move(self) -> bool:
        """Return whether another process may get the invocation, which a process has not read before its end."""
        self._unread_count += 1
        return self._unread_count < _MAX_PROCESSES and not self.is_answered

    @property
    def is_answered(self) -> bool:
        """Whether an answer has come, or a stream has begun."""
        return self.answer.done()

    def set_answer(self, answer: bytes | ReceivedStream | FunctionError) -> None:
        """Set the answer, unless there is one; an error that follows a stream ends the stream."""
        if not self.answer.done():
            self.answer.set_result(answer)
        elif isinstance(answer, FunctionError) and not self.answer.cancelled():
            previous = self.answer.result()
            if isinstance(previous, ReceivedStream):
                previous.finish(answer)
