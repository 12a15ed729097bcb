"""The client of the Lambda Runtime API, which waits in the calling thread or on an event loop.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

HTTP is written by hand: for one server on the same machine, h11 takes as long as the rest of an invocation
(``scripts/bench --only runtime``), and every cold start would import it.
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from socket import IPPROTO_TCP, MSG_DONTWAIT, SHUT_RDWR, TCP_NODELAY, create_connection

from bridge.errors import BridgeError
from bridge.logs import logger
from bridge.runtime.api_messages import ErrorReport, Requests, chunk, last_chunk, take_reply
from bridge.runtime.invocation import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine
    from socket import socket
    from typing import Any, TypeVar

    from bridge.runtime.api_messages import Reply

    T = TypeVar("T")

# Seconds before each attempt. The API is on the same machine, so that many failures are no accident.
_PAUSES = (0, 0.05, 0.1, 0.2, 0.4)
_RECEIVE_SIZE = 65_536
_CLOSED = "the Runtime API closed the connection"


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


class RuntimeApi:
    """The Runtime API at ``host:port``, for one invocation at a time, over a connection that is opened when needed.

    The coroutines wait in the calling thread (see :func:`run`), and between :meth:`attach` and :meth:`detach` on an
    event loop. If one is cancelled there, the next one sends what is left and discards the reply. They raise ApiError.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._requests = Requests(address)
        host, _, port = address.rpartition(":")
        # For a text as host, Python would import the codec for international domain names.
        self._host_port: Any = (host.encode(), int(port)) if host and port.isdigit() else (address.encode(), 80)
        self._socket: socket | None = None
        self._unsent = bytearray()
        self._received = bytearray()
        self._missing_replies = 0
        self._on_lost: Callable[[], object] | None = None  # set while a stream is sent
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._is_polling = False
        self._is_stopped = False

    async def next(self) -> Invocation | None:
        """Wait for the next invocation and return it; None after :meth:`stop`."""
        self._is_polling = True
        try:
            # After a lost connection the request is sent again: Lambda repeats an invocation that was sent over it.
            reply = _checked(await self._request(self._requests.next))
        except ApiError:
            if self._is_stopped:
                return None
            raise
        finally:
            self._is_polling = False
        return Invocation(reply.headers, reply.body)

    async def respond(self, invocation: Invocation, payload: bytes, content_type: str) -> None:
        """Post the payload of an invocation; if the API finds it too large, an error."""
        reply = await self._request(self._requests.response(invocation, payload, content_type))
        if reply.status == 413:
            message = f"The payload of {len(payload)} bytes is larger than Lambda accepts."
            logger.error("%s", message)
            await self.fail(invocation, ErrorReport("Function.ResponseSizeTooLarge", message))
        else:
            _checked(reply, invocation)

    async def fail(self, invocation: Invocation, report: ErrorReport) -> None:
        """Post the error of an invocation."""
        _checked(await self._request(self._requests.error(report, invocation)), invocation)

    async def fail_phase(self, phase: str, report: ErrorReport) -> None:
        """Post the error of a phase, ``"init"`` or ``"restore"``."""
        await self._request(self._requests.phase_error(report, phase))

    async def restore(self) -> None:
        """Wait while Lambda makes a snapshot of this process (SnapStart); returns in a restored sandbox."""
        _checked(await self._request(self._requests.restore))
        self.close()  # the connection belongs to the sandbox of which the snapshot was made

    async def start_stream(self, invocation: Invocation, part: bytes, on_lost: Callable[[], object]) -> None:
        """Send the first part of a streamed response.

        *on_lost* is called if the API closes the connection, or replies, before the stream has ended.
        """

        async def start() -> None:
            self._receive()
            if self._socket is None:
                raise ConnectionError(_CLOSED)
            self._on_lost = on_lost
            await self._send(self._requests.stream(invocation) + chunk(part))

        await self._try(start)

    async def send_part(self, part: bytes) -> None:
        """Send a part of a streamed response, and wait until the API accepts more, or accepts no more."""
        if self._loop is None:
            self._receive()
        if self._on_lost is not None:
            await self._send(chunk(part))

    async def end_stream(self, invocation: Invocation, report: ErrorReport | None = None) -> None:
        """Send the end of a streamed response, with trailers if there is a *report*. Log why the API refuses it."""
        try:
            if self._on_lost is not None:
                self._on_lost = None
                reply = await self._exchange(last_chunk(report))
            else:
                self._missing_replies += 1
                reply = await self._reply()
                self.close()  # it is unknown where the server has stopped reading
        except ConnectionError as error:
            logger.warning("The client disconnected before the response was complete: %s", error)
        else:
            _checked(reply, invocation)

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
        """Let :meth:`next` return None from now on. May be called by a signal handler or another thread."""
        self._is_stopped = True
        connection = self._socket
        if self._is_polling and connection is not None:
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

    async def _request(self, request: bytes) -> Reply:
        """Send a request, again after a lost connection, and return the reply."""
        if self._on_lost is not None:  # an error in the middle of a stream
            self.close()
        return await self._try(self._exchange, request)

    async def _try(self, action: Callable[..., Awaitable[T]], *args: Any) -> T:
        reason = ""
        for pause in _PAUSES:
            if pause and self._loop is not None:
                import asyncio

                await asyncio.sleep(pause)
            elif pause:
                time.sleep(pause)
            try:
                self._open()
                return await action(*args)
            except OSError as error:
                reason = str(error)
            if self._is_polling and self._is_stopped:
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
        if self._is_polling and self._is_stopped:  # stop() may have been called before there was a socket
            raise ConnectionError("the process is ending")

    async def _exchange(self, data: bytes) -> Reply:
        self._missing_replies += 1
        await self._send(data)
        return await self._reply()

    async def _send(self, data: bytes) -> None:
        """Send *data*, as far as the server accepts it; its reply shows the rest."""
        self._unsent += data
        while self._unsent and self._socket is not None:
            try:
                size = self._socket.send(self._unsent, MSG_DONTWAIT)
            except BlockingIOError:
                await self._wait(to_send=True)
            except OSError:
                self._receive()  # the server may have replied before it closed the connection
                self.close()
            else:
                del self._unsent[:size]

    async def _reply(self) -> Reply:
        while True:
            try:
                reply = take_reply(self._received, is_closed=self._socket is None) if self._received else None
            except ValueError as error:
                self.close()
                raise ConnectionError(f"the Runtime API sent something that is not HTTP: {error}") from None
            if reply is not None:
                self._missing_replies -= 1
                if reply.closes_connection:
                    self.close()
                if not self._missing_replies:
                    return reply
            elif self._socket is None:
                raise ConnectionError(_CLOSED)
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


def _checked(reply: Reply, invocation: Invocation | None = None) -> Reply:
    """Return a successful reply; one that refuses a response is logged: it may be posted twice, or too late."""
    if reply.status >= 500 or (reply.status != 200 and invocation is None):
        raise ApiError(f"The Runtime API replied with {reply}")
    if reply.status >= 300 and invocation is not None:
        logger.warning("The Runtime API refused the response to %s with %s", invocation.request_id, reply)
    return reply
