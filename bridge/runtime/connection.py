"""A connection to the Runtime API, which waits in the calling thread or on an event loop.

HTTP is written by hand: for one server on the same machine, h11 takes as long as the rest of an invocation
(``scripts/bench --only runtime``), and every cold start would import it.
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from socket import IPPROTO_TCP, MSG_DONTWAIT, SHUT_RDWR, TCP_NODELAY, create_connection

from bridge.errors import BridgeError
from bridge.runtime.protocol import take_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine
    from socket import socket
    from typing import Any, TypeVar

    from bridge.runtime.protocol import Reply

    T = TypeVar("T")

# The API is on the same machine, so this many failures with pauses between them are no accident.
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05  # doubles with each attempt
_RECEIVE_SIZE = 65_536
_CLOSED = "the Runtime API closed the connection"


class LostError(BridgeError):
    """The connection to the Runtime API is closed, or what it sent is not HTTP."""


class ApiError(BridgeError):
    """The Runtime API cannot be reached, or reports an error: the process has to end."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that waits in the calling thread, so that it runs to its end at once."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waits for an event loop.")


class Connection:
    """A connection for one request at a time, which is opened again when it breaks.

    The coroutines wait in the calling thread (see :func:`run`), and between :meth:`attach` and :meth:`detach` on an
    event loop. If one is cancelled there, the next one sends what is left and discards the reply.

    Attributes:
        is_polling: set for requests that :meth:`stop` may end.
        is_stopped: whether :meth:`stop` was called.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        host, _, port = address.rpartition(":")
        # For a text as host, Python would import the codec for international domain names.
        self._host_port: Any = (host.encode(), int(port)) if host and port.isdigit() else (address.encode(), 80)
        self._socket: socket | None = None
        self._unsent: list[memoryview] = []
        self._received = bytearray()
        self._missing_replies = 0
        self._on_lost: Callable[[], object] | None = None  # set while a stream is sent
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self.is_polling = False
        self.is_stopped = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait on *loop* from now on, and notice at once when the server closes the connection."""
        if self._loop is None:
            self._loop = loop
            if self._socket is not None:
                loop.add_reader(self._socket, self._receive)

    def detach(self) -> None:
        """Wait in the calling thread from now on."""
        if self._loop is not None:
            self._stop_watching()
            self._loop = None
            self._wake()

    def stop(self) -> None:
        """Let requests that poll raise ApiError from now on. May be called by a signal handler or another thread."""
        self.is_stopped = True
        connection = self._socket
        if self.is_polling and connection is not None:
            with suppress(OSError):  # it may be closed already
                connection.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; a stream that has not ended is cut off."""
        self._stop_watching()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._stop_stream()
        self._wake()

    async def request(self, request: bytes) -> Reply:
        """Send a request, again after a lost connection, and return the reply; raises ApiError."""
        return await self._try(self._request, request)

    async def start_stream(self, start: bytes, on_lost: Callable[[], object]) -> None:
        """Send the head of a request, and the first part of its body, which is a stream; raises ApiError.

        *on_lost* is called if the server closes the connection, or replies, before the body has ended.
        """
        await self._try(self._start_stream, start, on_lost)

    async def send(self, part: bytes) -> None:
        """Send a part of a stream, and wait until the server accepts more; raises LostError if it does not."""
        if self._loop is None:
            self._receive()
        if self._on_lost is not None:
            await self._send(part)
        if self._on_lost is None:
            raise LostError(_CLOSED)

    async def end_stream(self, part: bytes) -> Reply:
        """Send the last part of a stream, unless the server has replied, and return the reply; raises LostError."""
        if self._on_lost is not None:
            self._on_lost = None
            return await self._request(part)
        self._missing_replies += 1
        reply = await self._reply()
        self.close()  # it is unknown where the server has stopped reading
        return reply

    async def _start_stream(self, start: bytes, on_lost: Callable[[], object]) -> None:
        self._receive()
        if self._socket is None:
            raise LostError(_CLOSED)
        self._on_lost = on_lost
        await self._send(start)

    async def _try(self, action: Callable[..., Awaitable[T]], *args: Any) -> T:
        reason, pause = "", 0.0
        for _ in range(_ATTEMPTS):
            if pause and self._loop is None:
                time.sleep(pause)
            elif pause:
                import asyncio

                await asyncio.sleep(pause)
            pause = pause * 2 or _PAUSE_SECONDS
            try:
                self._open()
                return await action(*args)
            except (OSError, LostError) as error:
                reason = str(error)
            if self.is_polling and self.is_stopped:
                break
        raise ApiError(
            f"The Runtime API at {self._address} cannot be reached: {reason}. This process runs as a Lambda function; "
            "on your own machine, bridge serve --runtime starts it."
        )

    def _open(self) -> None:
        if self._socket is None:
            self._received.clear()
            self._unsent.clear()
            self._missing_replies = 0
            self._socket = create_connection(self._host_port)
            self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # parts of a stream are small
            if self._loop is not None:
                self._loop.add_reader(self._socket, self._receive)
        if self.is_polling and self.is_stopped:  # stop() may have been called before there was a socket
            raise LostError("the process is ending")

    async def _request(self, data: bytes) -> Reply:
        self._missing_replies += 1
        await self._send(data)
        return await self._reply()

    async def _send(self, data: bytes) -> None:
        """Send *data*, as far as the server accepts it; its reply shows the rest."""
        self._unsent.append(memoryview(data))
        while self._unsent and self._socket is not None:
            part = self._unsent[0]
            try:
                size = self._socket.send(part, MSG_DONTWAIT)
            except BlockingIOError:
                await self._wait(to_send=True)
            except OSError:
                self._receive()  # the server may have replied before it closed the connection
                self.close()
            else:
                self._unsent[:1] = [part[size:]] if size < len(part) else []

    async def _reply(self) -> Reply:
        while True:
            try:
                reply = take_reply(self._received, is_over=self._socket is None)
            except ValueError as error:
                self.close()
                raise LostError(f"the Runtime API sent something that is not HTTP: {error}") from None
            if reply is not None:
                self._missing_replies -= 1
                if reply.is_last:
                    self.close()
                if not self._missing_replies:
                    return reply
            elif self._socket is None:
                raise LostError(_CLOSED)
            else:
                await self._wait()

    async def _wait(self, *, to_send: bool = False) -> None:
        """Wait until the server has sent something, or if *to_send* accepts something."""
        assert self._socket is not None
        if self._loop is not None:
            if to_send:
                self._loop.add_writer(self._socket, self._on_writable)
            future = self._loop.create_future()
            self._waiting.append(future)
            await future
        elif to_send:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLOUT)
            poll.poll()
            self._receive()
        else:
            self._receive(0)

    def _receive(self, flags: int = MSG_DONTWAIT) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_RECEIVE_SIZE, flags)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if not data:
            self.close()
        elif self._on_lost is not None:  # a reply to half a request refuses the rest
            self._stop_stream()
        self._wake()

    def _on_writable(self) -> None:
        if self._loop is not None and self._socket is not None:
            self._loop.remove_writer(self._socket)
        self._wake()

    def _stop_stream(self) -> None:
        self._unsent.clear()
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def _stop_watching(self) -> None:
        if self._loop is not None and self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():  # it may be cancelled
                future.set_result(None)
