"""The messages of the Runtime API: requests as a server reads them, and replies as servers write them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import h11
import pytest
from awslambdaric.lambda_runtime_marshaller import to_json
from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.api_messages import ErrorReport, Reply, Requests, chunk, encode, last_chunk, take_reply
from bridge.runtime.invocation import Invocation

VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
REQUESTS = Requests("127.0.0.1:9001")
INVOCATION = Invocation({"lambda-runtime-aws-request-id": "r-1", "lambda-runtime-invocation-id": "i-1"}, b"")
REPORT = ErrorReport("ValueError", "böse\r\nX-Header: 1")


def read_by_server(data: bytes) -> tuple[h11.Request, bytes, dict[bytes, bytes]]:
    """Return a request, its body and its trailers, as h11 reads them."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
    return request, body, dict(event.headers)


@pytest.mark.parametrize(
    ("request_bytes", "method", "path"),
    [
        (REQUESTS.next, b"GET", b"/invocation/next"),
        (REQUESTS.restore, b"GET", b"/restore/next"),
        (REQUESTS.response(INVOCATION, b"[1]", "application/json"), b"POST", b"/invocation/r-1/response"),
        (REQUESTS.error(REPORT, INVOCATION), b"POST", b"/invocation/r-1/error"),
        (REQUESTS.phase_error(REPORT, "init"), b"POST", b"/init/error"),
        (REQUESTS.phase_error(REPORT, "restore"), b"POST", b"/restore/error"),
    ],
)
def test_a_server_reads_the_requests(request_bytes: bytes, method: bytes, path: bytes) -> None:
    request, body, _ = read_by_server(request_bytes)
    headers = dict(request.headers)

    assert (request.method, request.target) == (method, b"/2018-06-01/runtime" + path)
    assert headers[b"host"] == b"127.0.0.1:9001"
    assert (headers.get(b"lambda-runtime-invocation-id") == b"i-1") == path.startswith(b"/invocation/r-1")
    assert (b"lambda-runtime-function-error-type" in headers) == path.endswith(b"/error")
    assert bool(body) == (method == b"POST")


@given(parts=st.lists(st.binary(min_size=1, max_size=40), max_size=5), has_failed=st.booleans())
def test_a_server_reads_a_stream_and_its_trailers(parts: list[bytes], has_failed: bool) -> None:
    chunks = b"".join(map(chunk, parts)) + last_chunk(REPORT if has_failed else None)

    _, body, trailers = read_by_server(REQUESTS.stream(INVOCATION) + chunks)

    assert body == b"".join(parts)
    expected = {b"lambda-runtime-function-error-type", b"lambda-runtime-function-error-body"}
    assert trailers.keys() == (expected if has_failed else set())


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("ValueError", "Function.ValueError"),
        ("Function.Timedout", "Function.Timedout"),
        ("Runtime.ExitError", "Runtime.ExitError"),
        ("Bö\r\nse", "Function.B???se"),
        ("x" * 200, "Function." + "x" * 100),
    ],
)
def test_the_error_type_is_a_short_header_with_the_origin_of_the_error(kind: str, header: str) -> None:
    request, _, _ = read_by_server(REQUESTS.error(ErrorReport(kind, "wrong"), INVOCATION))

    assert dict(request.headers)[b"lambda-runtime-function-error-type"].decode() == header


def take_all(data: bytes, cuts: list[int], *, closes: bool = False) -> Reply | None:
    """Return the reply in *data*, which comes in pieces, and assert that it is complete with the last one only."""
    received = bytearray()
    places = sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)})
    begin = 0
    for place in places:
        received += data[begin:place]
        reply = take_reply(received, is_closed=closes and place == len(data))
        if reply is not None:
            assert place == len(data)
            assert not received
            return reply
        begin = place
    return None


@given(
    status=st.integers(200, 599),
    headers=st.dictionaries(st.sampled_from(["X-One", "x-two", "Lambda-Runtime-Trace-Id"]), VALUES),
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    is_chunked=st.booleans(),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_a_reply_of_a_server_is_read_in_any_pieces(
    status: int, headers: dict[str, str], chunks: list[bytes], is_chunked: bool, cuts: list[int]
) -> None:
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while type(server.next_event()) is not h11.EndOfMessage:
        pass
    body = b"" if status in (204, 304) else b"".join(chunks)
    length = [] if is_chunked or status in (204, 304) else [("Content-Length", str(len(body)))]
    written = server.send(h11.Response(status_code=status, headers=[*headers.items(), *length])) or b""
    for each in chunks if body else ():
        written += server.send(h11.Data(data=each)) or b""
    written += server.send(h11.EndOfMessage()) or b""
    if status == 304:
        return  # the Runtime API has no conditional requests
    reply = take_all(written, cuts)
    assert reply is not None
    assert (reply.status, reply.body, reply.closes_connection) == (status, body, False)
    assert {name: value for name, value in reply.headers.items() if name in {"x-one", "x-two"}} == {
        name.lower(): value for name, value in headers.items() if name.lower() in {"x-one", "x-two"}
    }


def test_one_reply_is_removed_and_the_next_one_remains() -> None:
    received = bytearray(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n")
    reply = take_reply(received)
    assert reply is not None
    assert reply.body == b"ok"
    assert received == b"HTTP/1.1 200 OK\r\n"


def test_the_trailers_of_a_chunked_reply_are_skipped() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    for cut in range(len(data)):
        reply = take_all(data, [cut])
        assert reply is not None
        assert reply.body == b"abc"


def test_an_interim_reply_is_skipped() -> None:
    reply = take_reply(bytearray(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"))
    assert reply is not None
    assert reply.status == 204


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    data = bytearray(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert take_reply(data) is None
    data += b" and half"
    reply = take_reply(data, is_closed=True)
    assert reply is not None
    assert (reply.body, reply.closes_connection) == (b"half and half", True)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_the_last_reply_of_a_connection_is_marked(head: bytes) -> None:
    reply = take_reply(bytearray(head + b"Content-Length: 1\r\n\r\nx"))
    assert reply is not None
    assert reply.closes_connection


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-7\r\n",
        b"x" * (2 << 20),
    ],
)
def test_data_that_are_not_http_are_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the connection adds the message
        take_reply(bytearray(data))


@pytest.mark.parametrize(
    "value",
    ["text", 1.5, float("nan"), {"a": [None, True]}, {"bytes": b"text"}]
    + [
        Decimal(number) for number in ("1", "1.10", "1E+2", "123456789012345678901234567890", "Infinity", "NaN", "sNaN")
    ],
)
def test_a_payload_has_the_values_that_aws_s_client_sends(value: Any) -> None:
    text, content_type = encode([value])

    assert content_type == "application/json"
    assert repr(json.loads(text)) in (repr(json.loads(to_json([value]))), "[100.0]")


@pytest.mark.parametrize("value", [object(), {1}, {(1,): 1}])
def test_a_payload_that_json_cannot_represent_is_an_error(value: Any) -> None:
    with pytest.raises(TypeError):
        encode([value])
