"""An HTTP/1.1 server on asyncio and h11 for the Runtime API.

It passes on the trailers of a request, which say why a stream ends; uvicorn discards trailers.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import h11

from bridge.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Bytes of a request's head. An error's cause for X-Ray may fill 1 MiB in one header.
_HEAD_LIMIT = 2 * 1024 * 1024


class RuntimeRequest:
    """A request of a function's process, with callbacks for the parts of it that are still to come.

    Attributes:
        method, path: of the request line, the path without the query.
        headers: the values by lower-case name.
        on_data: called with each part of the body.
        on_end: called with the trailers when the request is complete.
        on_lost: called when the connection closes before the request is answered.
        on_unread: called when the connection is reset after the answer: the process has not read all of it.
        is_answered: whether the request is answered, or its connection closed.
    """

    def __init__(self, connection: RuntimeConnection, request: h11.Request) -> None:
        self._connection = connection
        self.method = request.method.decode("ascii")
        self.path = request.target.partition(b"?")[0].decode("latin-1")
        self.headers = _by_name(request.headers)
        self.on_data: Callable[[bytes], None] = lambda _data: None
        self.on_end: Callable[[dict[str, str]], None] = lambda _trailers: None
        self.on_lost: Callable[[], None] = lambda: None
        self.on_unread: Callable[[], None] = lambda: None
        self.is_answered = False

    def reply(self, status: int, content: Any = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer the request with bytes, or with anything else as JSON; only the first call has an effect."""
        if not self.is_answered:
            self.is_answered = True
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self._connection.reply(self, status, body, dict(headers))

    def pause(self, is_paused: bool) -> None:
        """Stop reading the body, or with False resume."""
        self._connection.pause(is_paused)

    def disconnect(self) -> None:
        """Close the connection without an answer."""
        self.is_answered = True
        self._connection.close()


class RuntimeConnection(asyncio.Protocol):
    """A connection of a function's process, with one request after the other.

    Args:
        on_request: called with each request when its head has come.
        connections: the open connections, to which this one adds itself.
    """

    def __init__(self, on_request: Callable[[RuntimeRequest], None], connections: set[RuntimeConnection]) -> None:
        self._on_request = on_request
        self._connections = connections
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
        self._transport: asyncio.Transport
        self._request: RuntimeRequest | None = None
        self._answered_request: RuntimeRequest | None = None
        self._is_reading = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass of asyncio.Transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Call ``on_lost`` of the request that is not answered, or ``on_unread`` of the last one that is."""
        self._connections.discard(self)
        # The kernel resets a connection whose process ends with unread data: RFC 1122, 4.2.2.13.
        if isinstance(exc, ConnectionError) and self._answered_request is not None:
            self._answered_request.on_unread()
        request, self._request = self._request, None
        if request is not None and not request.is_answered:
            request.is_answered = True
            request.on_lost()

    def data_received(self, data: bytes) -> None:
        """Parse the data."""
        self._http.receive_data(data)
        self._read_events()

    def pause(self, is_paused: bool) -> None:
        """Stop reading, or with False resume."""
        if not self._transport.is_closing():
            if is_paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def reply(self, request: RuntimeRequest, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer *request*; if it is not complete yet, its rest is discarded."""
        if request is not self._request or self._transport.is_closing():
            return
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        response = h11.Response(status_code=status, headers=list(headers.items()))
        self._answered_request = request
        parts = [self._http.send(event) for event in (response, h11.Data(data=body), h11.EndOfMessage())]
        self._transport.write(b"".join(part or b"" for part in parts))
        request.on_data = lambda _data: None
        request.on_end = lambda _trailers: None
        self.pause(False)
        self._start_next_request()

    def _start_next_request(self) -> None:
        """Read the next request, if this one is complete and answered."""
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._request = None
            self._http.start_next_cycle()
            self._read_events()

    def _read_events(self) -> None:
        if self._is_reading:  # a callback has answered a request
            return
        self._is_reading = True
        try:
            while not self._transport.is_closing():
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._request, self._answered_request = RuntimeRequest(self, event), None
                    request = self._request
                    self._on_request(request)
                    if self._http.they_are_waiting_for_100_continue and not request.is_answered:
                        self._send_continue()
                elif isinstance(event, h11.Data) and self._request is not None:
                    self._request.on_data(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                    self._request.on_end(_by_name(event.headers))
                    self._start_next_request()
                else:  # h11 needs more data, or the answer to this request before it parses the next one
                    break
        except h11.RemoteProtocolError as error:
            logger.warning("A function's process sent invalid HTTP to the Runtime API: %s", error)
            self.close()
        finally:
            self._is_reading = False

    def _send_continue(self) -> None:
        """Send the status 100 that libcurl waits for before a body over 1 MB."""
        self._transport.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in headers}
