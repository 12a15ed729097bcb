"""Reading the Runtime API's answers."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.protocol import LostError, Reply, take_reply

_VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


def take_all(data: bytes, cuts: list[int], *, closes: bool = False) -> Reply | None:
    """Feed *data* in pieces; the reply, and that it came with the last piece and not before."""
    received = bytearray()
    places = sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)})
    begin = 0
    for place in places:
        received += data[begin:place]
        reply = take_reply(received, is_over=closes and place == len(data))
        if reply is not None:
            assert place == len(data)
            assert not received
            return reply
        begin = place
    return None


@given(
    status=st.integers(200, 599),
    headers=st.dictionaries(st.sampled_from(["X-One", "x-two", "Lambda-Runtime-Trace-Id"]), _VALUES),
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    is_chunked=st.booleans(),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_whatever_a_real_server_writes_is_read_however_it_is_cut(
    status: int, headers: dict[str, str], chunks: list[bytes], is_chunked: bool, cuts: list[int]
) -> None:
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while type(server.next_event()) is not h11.EndOfMessage:
        pass
    body = b"" if status in (204, 304) else b"".join(chunks)
    length = [] if is_chunked or status in (204, 304) else [("Content-Length", str(len(body)))]
    written = server.send(h11.Response(status_code=status, headers=[*headers.items(), *length])) or b""
    for chunk in chunks if body else ():
        written += server.send(h11.Data(data=chunk)) or b""
    written += server.send(h11.EndOfMessage()) or b""
    if status == 304:
        return  # has a body for nobody who did not ask conditionally, and the Runtime API has none
    reply = take_all(written, cuts)
    assert reply is not None
    assert (reply.status, reply.body, reply.is_last) == (status, body, False)
    assert {name: value for name, value in reply.headers.items() if name in {"x-one", "x-two"}} == {
        name.lower(): value for name, value in headers.items() if name.lower() in {"x-one", "x-two"}
    }


def test_one_answer_is_taken_and_the_next_one_is_left() -> None:
    received = bytearray(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n")
    reply = take_reply(received)
    assert reply is not None
    assert reply.body == b"ok"
    assert received == b"HTTP/1.1 200 OK\r\n"


def test_trailers_of_a_chunked_answer_are_passed_over() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    for cut in range(len(data)):
        reply = take_all(data, [cut])
        assert reply is not None
        assert reply.body == b"abc"


def test_announcements_come_before_the_answer() -> None:
    reply = take_reply(bytearray(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"))
    assert reply is not None
    assert reply.status == 204


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    data = bytearray(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert take_reply(data) is None
    data += b" and half"
    reply = take_reply(data, is_over=True)
    assert reply is not None
    assert (reply.body, reply.is_last) == (b"half and half", True)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_the_last_answer_of_a_connection_says_so(head: bytes) -> None:
    reply = take_reply(bytearray(head + b"Content-Length: 1\r\n\r\nx"))
    assert reply is not None
    assert reply.is_last


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * (2 << 20),
    ],
)
def test_what_is_no_http_is_an_error(data: bytes) -> None:
    with pytest.raises(LostError, match="no HTTP"):
        take_reply(bytearray(data))
