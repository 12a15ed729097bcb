"""The Runtime API as a function's process finds it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway.lambda_service import FunctionError, LambdaService, ReceivedStream
from tests.dev.gateway.processes import gather, puppet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIMIT = 6_291_556
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SEEN = "respond(seen)"


@pytest.fixture
async def function() -> AsyncIterator[LambdaService]:
    async with puppet(timeout=20, sandboxes=1) as service:
        yield service


async def test_an_invocation_says_what_it_is(function: LambdaService) -> None:
    before = time.time() * 1000
    head = await function.invoke("respond(dict(head))")
    assert re.fullmatch(UUID, head["Lambda-Runtime-Aws-Request-Id"])
    assert before + 15_000 < int(head["Lambda-Runtime-Deadline-Ms"]) < before + 30_000
    assert head["Lambda-Runtime-Invoked-Function-Arn"] == "arn:aws:lambda:us-east-1:123456789012:function:function"
    assert re.fullmatch(
        "Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", head["Lambda-Runtime-Trace-Id"]
    )
    assert head["Content-Type"] == "application/json"
    assert "Lambda-Runtime-Invocation-Id" not in head


async def test_where_many_are_in_flight_each_has_an_id_to_be_echoed() -> None:
    async with puppet(concurrency=2) as function:
        ids = [(await function.invoke("respond(dict(head))"))["Lambda-Runtime-Invocation-Id"] for _ in range(2)]
    assert len(set(ids)) == 2


async def test_an_event_of_bytes_is_handed_over_as_it_is(function: LambdaService) -> None:
    told = await function.invoke(b"respond([head['Content-Type'], body.decode()])  # \xc3\xa9", "text/x-python")
    assert told == ["text/x-python", "respond([head['Content-Type'], body.decode()])  # \u00e9"]


async def test_what_is_no_json_comes_back_as_bytes(function: LambdaService) -> None:
    assert await function.invoke("respond(b'<tea>')") == b"<tea>"


async def test_an_answer_is_taken_once(function: LambdaService) -> None:
    await function.invoke("seen = [respond(1), respond(2), fail({})]")
    first, *others = await function.invoke(SEEN)
    assert first == [202, {"status": "OK"}]
    for status, error in others:
        assert status == 400
        assert error["errorType"] == "InvalidRequestID"


async def test_an_answer_for_an_unknown_invocation_is_refused(function: LambdaService) -> None:
    text = "own, request_id = request_id, 'nobody'; seen = [respond(1), fail({})]; request_id = own; respond(seen)"
    answers = await function.invoke(text)
    assert [(status, error["errorType"]) for status, error in answers] == [(400, "InvalidRequestID")] * 2


async def test_a_payload_of_the_limit_passes(function: LambdaService) -> None:
    payload = await function.invoke(f"respond(b'\"' + b'x' * {LIMIT - 2} + b'\"')")
    assert len(payload) == LIMIT - 2


async def test_a_payload_over_the_limit_is_refused_and_the_error_that_follows_taken(function: LambdaService) -> None:
    with pytest.raises(FunctionError) as caught:
        await function.invoke(f"seen = [respond(b'x' * {LIMIT + 1}), fail({{'errorType': 'Mine'}})]")
    assert caught.value.kind == "Function.ResponseSizeTooLarge"
    refused, taken = await function.invoke(SEEN)
    assert (refused[0], refused[1]["errorType"]) == (413, "RequestEntityTooLarge")
    assert taken[0] == 202


async def test_a_client_that_waits_to_be_told_to_go_on_is_told_so(function: LambdaService) -> None:
    text = """
sock = dial()
lines = [f"POST {BASE}/invocation/{request_id}/response HTTP/1.1", f"Host: {API}", "Content-Length: 1",
         "Expect: 100-continue", "", ""]
sock.sendall("\\r\\n".join(lines).encode())
seen = [sock.recv(65536).decode()]
sock.sendall(b"7")
seen.append(sock.recv(65536).decode())
"""
    assert await function.invoke(text) == 7
    first, second = await function.invoke(SEEN)
    assert first.startswith("HTTP/1.1 100 ")
    assert second.startswith("HTTP/1.1 202 ")


async def test_two_requests_sent_at_once_are_answered_one_after_the_other(function: LambdaService) -> None:
    text = """
sock = dial()
post = (f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\\r\\nHost: {API}\\r\\nContent-Length: 1\\r\\n\\r\\n"
        f"1POST {BASE}/nothing HTTP/1.1\\r\\nHost: {API}\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
sock.sendall(post.encode())
seen = []
while data := sock.recv(65536):
    seen.append(data.decode())
"""
    assert await function.invoke(text) == 1
    answers = "".join(await function.invoke(SEEN))
    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["202", "404"]


async def test_what_is_no_http_ends_its_connection_and_nothing_else(
    function: LambdaService, caplog: pytest.LogCaptureFixture
) -> None:
    text = "sock = dial(); sock.sendall(b'tea please\\r\\n\\r\\n'); respond([sock.recv(99) == b'', os.getpid()])"
    is_closed, process = await function.invoke(text)
    assert is_closed
    assert "no HTTP" in caplog.text
    assert await function.invoke("respond(os.getpid())") == process


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/tea"), ("POST", "/restore/next"), ("GET", "/invocation/1/response")]
)
async def test_there_is_nothing_else(function: LambdaService, method: str, path: str) -> None:
    status, error = await function.invoke(f"respond(ask({method!r}, {path!r}))")
    assert (status, error["errorType"]) == (404, "NotFound")


async def test_an_error_has_type_message_and_stack(function: LambdaService) -> None:
    told = {"errorType": "TeaError", "errorMessage": "It is cold.", "stackTrace": ["line 1\n", "line 2"]}
    with pytest.raises(FunctionError, match=r"TeaError: It is cold\.") as caught:
        await function.invoke(f"fail({told!r})")
    assert (caught.value.kind, caught.value.message) == ("TeaError", "It is cold.")
    assert caught.value.stack == ["line 1\n", "line 2"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "Teapot: "),
        ([], "Teapot: "),
        (b"short and stout", "Teapot: short and stout"),
        ({"errorType": None, "errorMessage": None, "stackTrace": "none", "trace": None}, "Teapot: "),
    ],
)
async def test_an_error_of_another_form_is_one_too(function: LambdaService, content: Any, error: str) -> None:
    with pytest.raises(FunctionError) as caught:
        await function.invoke(f"fail({content!r}, {{'Lambda-Runtime-Function-Error-Type': 'Teapot'}})")
    assert str(caught.value) == error


async def test_the_restore_after_a_snapshot_is_now() -> None:
    async with puppet(environment={"INIT": "seen.append(ask('GET', '/restore/next'))"}) as function:
        assert await function.invoke(SEEN) == [[200, {}]]


@pytest.mark.parametrize("phase", ["init", "restore"])
async def test_an_error_of_the_start_is_that_of_the_invocation(phase: str) -> None:
    init = f"ask('POST', '/{phase}/error', {{'errorType': 'Cold', 'errorMessage': 'no tea'}}); raise SystemExit(1)"
    async with puppet(environment={"INIT": init}) as function:
        with pytest.raises(FunctionError, match="Cold: no tea"):
            await function.invoke(SEEN)


# Streams


async def streamed(function: LambdaService, text: str) -> ReceivedStream:
    stream = await function.invoke(f"sock = dial(); begin(sock); {text}")
    assert isinstance(stream, ReceivedStream)
    return stream


async def test_a_stream_comes_in_order(function: LambdaService) -> None:
    stream = await streamed(function, "[chunk(sock, b'%d;' % n) for n in range(1000)]; seen = [end(sock).decode()]")
    assert stream.content_type == "text/plain"
    assert await gather(stream) == b"".join(b"%d;" % n for n in range(1000))
    (answer,) = await function.invoke(SEEN)
    assert answer.startswith("HTTP/1.1 202 ")
    assert answer.endswith('{"status": "OK"}')


async def test_a_stream_may_be_empty(function: LambdaService) -> None:
    assert await gather(await streamed(function, "end(sock)")) == b""


async def test_a_chunk_is_there_before_the_next_one_is_sent(function: LambdaService, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stream = await streamed(
        function, f"chunk(sock, b'first'); wait_for({str(gate)!r}); chunk(sock, b'second'); end(sock)"
    )
    assert await anext(stream) == b"first"
    gate.touch()
    assert await anext(stream) == b"second"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_may_end_with_an_error_after_its_chunks(function: LambdaService) -> None:
    told = base64.b64encode(json.dumps({"errorType": "TeaError", "errorMessage": "spilt"}).encode()).decode()
    trailers = f"Lambda-Runtime-Function-Error-Type: TeaError\\r\\nLambda-Runtime-Function-Error-Body: {told}\\r\\n"
    stream = await streamed(function, f"chunk(sock, b'half'); end(sock, '{trailers}')")
    assert await anext(stream) == b"half"
    with pytest.raises(FunctionError, match="TeaError: spilt"):
        await anext(stream)


async def test_an_error_body_that_is_no_base64_is_shown_as_it_is(function: LambdaService) -> None:
    trailers = "Lambda-Runtime-Function-Error-Type: TeaError\\r\\nLambda-Runtime-Function-Error-Body: cold!\\r\\n"
    with pytest.raises(FunctionError, match="TeaError: cold!"):
        await gather(await streamed(function, f"end(sock, '{trailers}')"))


async def test_a_stream_that_is_cut_off_has_no_end(function: LambdaService) -> None:
    stream = await streamed(function, "chunk(sock, b'half'); sock.close()")
    assert await anext(stream) == b"half"
    with pytest.raises(FunctionError, match=r"Runtime\.TruncatedResponse"):
        await anext(stream)
    assert await function.invoke("respond('goes on')") == "goes on"


async def test_what_is_not_read_is_not_taken(function: LambdaService) -> None:
    text = """
sock.settimeout(0.5)
taken = 0
try:
    while taken < 100_000_000:
        chunk(sock, b"x" * 10_000)
        taken += 10_000
except TimeoutError:
    sock.close()
"""
    stream = await function.invoke(f"sock = dial(); begin(sock)\n{text}")
    taken = await function.invoke("respond(taken)")
    assert 0 < taken < 8_000_000  # what the kernel holds
    with pytest.raises(FunctionError, match=r"Runtime\.TruncatedResponse"):
        assert len(await gather(stream)) <= taken


async def test_a_slow_reader_gets_all(function: LambdaService) -> None:
    stream = await streamed(function, "[chunk(sock, b'x' * 100_000) for _ in range(100)]; end(sock)")
    size = 0
    async for part in stream:
        size += len(part)
        await asyncio.sleep(0)
    assert size == 10_000_000


async def test_a_reader_that_goes_away_ends_the_connection_and_not_the_process(function: LambdaService) -> None:
    text = """
seen = []
try:
    while True:
        chunk(sock, b"x")
        time.sleep(0.001)
except OSError as error:
    seen = [type(error).__name__, fail({})]
"""
    stream = await function.invoke(f"sock = dial(); begin(sock)\n{text}")
    assert await anext(stream) == b"x"
    stream.close()
    name, (status, error) = await function.invoke(SEEN)
    assert name in ("BrokenPipeError", "ConnectionResetError")
    assert (status, error["errorType"]) == (400, "InvalidRequestID")


async def test_a_second_answer_to_what_streams_already_is_refused(function: LambdaService, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    text = f"wait_for({str(gate)!r}); seen = [respond(1), fail({{}}), respond(b'2', STREAMING)]"
    stream = await streamed(function, f"{text}; chunk(sock, b'stands'); end(sock)")
    gate.touch()
    assert await gather(stream) == b"stands"
    answers = await function.invoke(SEEN)
    assert [(status, error["errorType"]) for status, error in answers] == [(400, "InvalidRequestID")] * 3


async def test_a_stream_for_nobody_is_refused_and_its_connection_can_be_used_again(function: LambdaService) -> None:
    text = """
own, request_id = request_id, "nobody"
sock = dial()
begin(sock)
seen = [sock.recv(65536).decode().partition("\\r\\n")[0]]
chunk(sock, b"in vain")
sock.sendall(b"0\\r\\n\\r\\n")
request_id = own
begin(sock)
chunk(sock, b"at last")
seen.append(end(sock).decode().partition("\\r\\n")[0])
"""
    assert await gather(await function.invoke(text)) == b"at last"
    assert await function.invoke(SEEN) == ["HTTP/1.1 400 ", "HTTP/1.1 202 "]


async def test_a_mode_that_there_is_not_is_refused(function: LambdaService) -> None:
    text = "seen = [respond(1, {'Lambda-Runtime-Function-Response-Mode': 'tea'})]; respond(seen)"
    ((status, error),) = await function.invoke(text)
    assert (status, error["errorType"]) == (400, "InvalidFunctionResponseMode")
