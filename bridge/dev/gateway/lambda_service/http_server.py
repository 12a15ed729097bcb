"""HTTP for the processes of functions: h11 on asyncio.

uvicorn would drop the trailers of a request, and with them why a stream ends.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import h11

from bridge import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# An error's cause for X-Ray may be 1 MiB in one header.
_LONGEST_HEAD = 2 * 1024 * 1024


class Call:
    """A request of a function's process. Who takes it sets what is called when more of it comes.

    Attributes:
        method, path: of the request line.
        headers: the values by lower-case name.
        on_data: called with each part of the body.
        on_end: called with the trailers, like *headers*, when it is whole.
        on_lost: called when the connection is gone before it was answered.
    """

    def __init__(self, connection: Connection, request: h11.Request) -> None:
        self._connection = connection
        self.method = request.method.decode("ascii")
        self.path = request.target.partition(b"?")[0].decode("latin-1")
        self.headers = _by_name(request.headers)
        self.on_data: Callable[[bytes], None] = lambda _data: None
        self.on_end: Callable[[dict[str, str]], None] = lambda _trailers: None
        self.on_lost: Callable[[], None] = lambda: None
        self.is_answered = False

    def reply(self, status: int, content: Any = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer it, once: with JSON, or with bytes as they are."""
        if not self.is_answered:
            self.is_answered = True
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self._connection.reply(self, status, body, headers)

    def hold(self, is_held: bool) -> None:
        """Take no more of its body; with False, go on."""
        self._connection.hold(is_held)

    def hang_up(self) -> None:
        """Drop it, and the connection with it."""
        self.is_answered = True
        self._connection.close()


class Connection(asyncio.Protocol):
    """One connection, one request after the other.

    Args:
        begin: called with each request, when its head has come.
        among: the open connections, this one among them as long as it is open.
    """

    def __init__(self, begin: Callable[[Call], None], among: set[Connection]) -> None:
        self._begin = begin
        self._among = among
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        self._transport: asyncio.Transport
        self._call: Call | None = None
        self._is_taking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The asyncio protocol: it is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        """The asyncio protocol: it is closed."""
        self._among.discard(self)
        call, self._call = self._call, None
        if call is not None and not call.is_answered:
            call.is_answered = True
            call.on_lost()

    def data_received(self, data: bytes) -> None:
        """The asyncio protocol: something came."""
        self._http.receive_data(data)
        self._take()

    def hold(self, is_held: bool) -> None:
        """Read no more; with False, read again."""
        if not self._transport.is_closing():
            if is_held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        """Drop the connection, whatever is on its way."""
        self._transport.abort()

    def reply(self, call: Call, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        """Answer *call*, also before it is whole: the rest of it is then not looked at."""
        if call is not self._call or self._transport.is_closing():
            return
        own = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        given = {name.lower() for name, _ in headers}
        send = self._http.send
        head = send(
            h11.Response(status_code=status, headers=[*(o for o in own if o[0].lower() not in given), *headers])
        )
        content, end = send(h11.Data(data=body)), send(h11.EndOfMessage())
        self._transport.write(b"".join((head or b"", content or b"", end or b"")))
        call.on_data = lambda _data: None
        call.on_end = lambda _trailers: None
        self.hold(False)
        self._go_on()

    def _go_on(self) -> None:
        """To the next request, if this one is over."""
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._call = None
            self._http.start_next_cycle()
            self._take()

    def _take(self) -> None:
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while not self._transport.is_closing():
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._call = call = Call(self, event)
                    self._begin(call)
                    if self._http.they_are_waiting_for_100_continue and not call.is_answered:  # libcurl, over 1 MB
                        self._transport.write(
                            self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                        )
                elif isinstance(event, h11.Data) and self._call is not None:
                    self._call.on_data(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) and self._call is not None:
                    self._call.on_end(_by_name(event.headers))
                    self._go_on()
                else:  # more is needed; or the next request came before this one was answered
                    break
        except h11.RemoteProtocolError as error:
            logger().warning("A function's process sent what is no HTTP to the Runtime API: %s", error)
            self.close()
        finally:
            self._is_taking = False


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in headers}
