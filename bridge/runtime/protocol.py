"""Reading the Runtime API's answers: HTTP/1.1 (RFC 9112), as much of it as a client needs that gives one at a time."""

from __future__ import annotations

from bridge.errors import BridgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_HEAD = 1 << 20


class LostError(BridgeError):
    """The connection to the Runtime API is gone, or what came over it is no HTTP."""


class Reply:
    """An answer.

    Attributes:
        status: the status code.
        headers: the values by lower-case name.
        body: the whole body.
        is_last: whether the connection ends with it.
    """

    __slots__ = ("body", "headers", "is_last", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes, *, is_last: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.is_last = is_last


def take_reply(received: bytearray, *, is_over: bool = False) -> Reply | None:
    """Take an answer from the beginning of what was received; None if it is not all there.

    Args:
        received: what came; the answer is removed from it.
        is_over: whether nothing more can come.

    Raises:
        LostError: it is no HTTP.
    """
    try:
        return _take(received, is_over=is_over)
    except ValueError as error:
        raise LostError(f"What came from the Runtime API is no HTTP: {error}") from None


def _take(received: bytearray, *, is_over: bool) -> Reply | None:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > _LONGEST_HEAD:
            raise ValueError("its head has no end")
        return None
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(repr(first))
    if status.startswith("1"):  # 100 Continue and its like announce an answer
        del received[: end + 4]
        return _take(received, is_over=is_over)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    begin = end + 4
    is_last = version == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks = list(_chunks(received, begin))
        if chunks[-1] is None:
            return None
        *places, (_, over) = [place for place in chunks if place is not None]
        body = b"".join([received[start:stop] for start, stop in places])
    else:
        length = headers.get("content-length")
        is_last = is_last or (length is None and status != "204")
        if length is None and status != "204" and not is_over:
            return None  # its body ends with the connection
        over = len(received) if is_last and length is None else begin + int(length or 0)
        if len(received) < over:
            return None
        body = bytes(received[begin:over])
    del received[:over]
    return Reply(int(status), headers, body, is_last=is_last)


def _chunks(received: bytearray, begin: int) -> Iterator[tuple[int, int] | None]:
    """Where the chunks begin and end; at last where the body's end is, or None if it is not there."""
    while True:
        line = received.find(b"\r\n", begin)
        if line < 0:
            break
        size = int(received[begin:line].partition(b";")[0], 16)
        if size == 0:
            # Trailers, if any, and an empty line.
            over = received.find(b"\r\n\r\n", line)
            if over >= 0:
                yield over + 4, over + 4
                return
            break
        begin = line + 2
        if len(received) < begin + size + 2:
            break
        yield begin, begin + size
        begin += size + 2
    yield None
