"""HTTP/1.1 to the Runtime API: one connection, one request after the other.

Written for this one peer, which is on this machine: h11 in its place takes as long as all the rest of an invocation
(``scripts/bench --only runtime`` has the figures), and a function would pay for its import at each cold start.
"""

from __future__ import annotations

import asyncio

from bridge.runtime.protocol import LostError, Reply, take_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Headers = Iterable[tuple[str, str]]

_CLOSED = "The Runtime API closed the connection."


# asyncio's plain protocols make a buffer of 256 KB for each read, which takes as long as the read itself.
_BUFFER = 65_536


class Connection(asyncio.BufferedProtocol):
    """One connection; made by :meth:`open`.

    Attributes:
        is_lost: whether it can be used no more.
        on_lost: called, while a request is being sent in chunks, when nobody takes them any more.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport
        self._buffer = memoryview(bytearray(_BUFFER))
        self._received = bytearray()
        self._waiting: asyncio.Future[Reply] | None = None
        self._unwanted = 0  # answers that are to come and that nobody waits for any more
        self._writable: asyncio.Future[None] | None = None
        self._is_streaming = False
        self.is_lost = False
        self.on_lost: Callable[[], None] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """A connection to the Runtime API.

        Raises:
            OSError: there is nobody.
        """
        _, connection = await asyncio.get_running_loop().create_connection(lambda: cls(f"{host}:{port}"), host, port)
        return connection

    async def ask(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> Reply:
        """Send a request and wait for its answer.

        Raises:
            LostError: the connection is gone; whether the request was taken is not known.
        """
        own = [] if method == "GET" else [("Content-Length", str(len(body)))]
        head = self._head(method, path, [*headers, *own])
        # An empty part would stay in the transport of Python 3.12 and later, which then never ends.
        self._transport.writelines([head, body] if body else [head])
        return await self._reply()

    def begin(self, path: str, headers: Headers) -> None:
        """Begin a request whose body comes in chunks: :meth:`send`, then :meth:`end`."""
        self._is_streaming = not self.is_lost
        self._transport.write(self._head("POST", path, [*headers, ("Transfer-Encoding", "chunked")]))

    async def send(self, chunk: bytes) -> None:
        """Send a chunk; returns when the API takes as fast as it is given.

        Raises:
            LostError: nobody takes it: the connection is gone, or the API has answered already.
        """
        if not self._is_streaming:
            raise LostError(_CLOSED)
        if chunk:
            self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if self._writable is not None:
            await asyncio.shield(self._writable)  # others may wait for it when this one is cancelled

    async def end(self, trailers: Headers = ()) -> Reply:
        """End the body, with trailers if there are any, and wait for the answer.

        Raises:
            LostError: the connection is gone.
        """
        if self._is_streaming:
            self._is_streaming = False
            lines = "".join([f"{name}: {value}\r\n" for name, value in trailers])
            self._transport.write(f"0\r\n{lines}\r\n".encode("latin-1"))
        return await self._reply()

    def close(self) -> None:
        """Hang up; a body in chunks that has not ended is cut off."""
        self._is_streaming = False
        self.is_lost = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The asyncio protocol: it is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's
        """The asyncio protocol: where to put what comes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The asyncio protocol: something came."""
        self._received += self._buffer[:nbytes]
        self._look()
        if self._is_streaming and self._received and not self._unwanted:  # an answer to half a request: it is refused
            self._stop_streaming()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        """The asyncio protocol: it is closed."""
        self.is_lost = True
        self._look()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(LostError(_CLOSED))
        self._stop_streaming()

    def pause_writing(self) -> None:
        """The asyncio protocol: the API takes more slowly than it is given."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """The asyncio protocol: it has caught up, or is gone."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _stop_streaming(self) -> None:
        was_streaming, self._is_streaming = self._is_streaming, False
        self.resume_writing()
        if was_streaming and self.on_lost is not None:
            self.on_lost()

    def _head(self, method: str, path: str, headers: Headers) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        return f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{lines}\r\n".encode("latin-1")

    async def _reply(self) -> Reply:
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._look()
        if self.is_lost and not waiting.done():
            waiting.set_exception(LostError(_CLOSED))
        try:
            return await waiting
        except asyncio.CancelledError:  # an application's timeout, say: what was sent is answered all the same
            self._unwanted += waiting.cancelled()
            raise
        finally:
            self._waiting = None

    def _look(self) -> None:
        """Give the answer that has come to who waits for it."""
        while self._unwanted or (self._waiting is not None and not self._waiting.done()):
            try:
                reply = take_reply(self._received, is_over=self.is_lost)
            except LostError as error:
                self.close()
                if self._waiting is not None and not self._waiting.done():
                    self._waiting.set_exception(error)
                return
            if reply is None:
                return
            if reply.is_last:
                self.is_lost = True
                self._transport.close()
            if self._unwanted:
                self._unwanted -= 1
            elif self._waiting is not None:
                self._waiting.set_result(reply)
