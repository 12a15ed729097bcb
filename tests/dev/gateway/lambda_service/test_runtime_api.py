"""The Runtime API, as a process of a function uses it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway.lambda_service import FunctionError, LambdaService, ReceivedStream
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from tests.dev.gateway.processes import read_all, scripted_function

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RESULT = "respond(result)"


@pytest.fixture
async def function() -> AsyncIterator[LambdaService]:
    async with scripted_function(timeout=20, sandboxes=1) as service:
        yield service


async def test_the_headers_describe_the_invocation(function: LambdaService) -> None:
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


async def test_invocations_of_a_concurrent_process_have_invocation_ids() -> None:
    async with scripted_function(concurrency=2) as function:
        ids = [(await function.invoke("respond(dict(head))"))["Lambda-Runtime-Invocation-Id"] for _ in range(2)]
    assert len(set(ids)) == 2


async def test_an_event_of_bytes_is_sent_unchanged(function: LambdaService) -> None:
    event = b"respond([head['Content-Type'], body.decode()])  # \xc3\xa9"
    assert await function.invoke(event, "text/x-python") == ["text/x-python", event.decode()]


async def test_a_payload_that_is_not_json_is_returned_as_bytes(function: LambdaService) -> None:
    assert await function.invoke("respond(b'<tea>')") == b"<tea>"


async def test_only_the_first_answer_is_accepted(function: LambdaService) -> None:
    await function.invoke("result = [respond(1), respond(2), fail({})]")
    first, *others = await function.invoke(RESULT)
    assert first == [202, {"status": "OK"}]
    assert [(status, error["errorType"]) for status, error in others] == [(400, "InvalidRequestID")] * 2


async def test_an_answer_to_an_unknown_invocation_is_refused(function: LambdaService) -> None:
    code = "own, request_id = request_id, 'unknown'; result = [respond(1), fail({})]; request_id = own; respond(result)"
    answers = await function.invoke(code)
    assert [(status, error["errorType"]) for status, error in answers] == [(400, "InvalidRequestID")] * 2


async def test_a_payload_at_the_limit_is_accepted(function: LambdaService) -> None:
    payload = await function.invoke(f"respond(b'\"' + b'x' * {LAMBDA_PAYLOAD_LIMIT - 2} + b'\"')")
    assert len(payload) == LAMBDA_PAYLOAD_LIMIT - 2


async def test_a_payload_over_the_limit_is_refused_and_the_error_that_follows_accepted(
    function: LambdaService,
) -> None:
    with pytest.raises(FunctionError) as caught:
        await function.invoke(f"result = [respond(b'x' * {LAMBDA_PAYLOAD_LIMIT + 1}), fail({{'errorType': 'Mine'}})]")
    assert caught.value.kind == "Function.ResponseSizeTooLarge"
    refused, accepted = await function.invoke(RESULT)
    assert (refused[0], refused[1]["errorType"]) == (413, "RequestEntityTooLarge")
    assert accepted[0] == 202


async def test_a_client_that_expects_100_continue_gets_it(function: LambdaService) -> None:
    code = """
sock = connect()
lines = [f"POST {BASE}/invocation/{request_id}/response HTTP/1.1", f"Host: {API}", "Content-Length: 1",
         "Expect: 100-continue", "", ""]
sock.sendall("\\r\\n".join(lines).encode())
result = [sock.recv(65536).decode()]
sock.sendall(b"7")
result.append(sock.recv(65536).decode())
"""
    assert await function.invoke(code) == 7
    first, second = await function.invoke(RESULT)
    assert first.startswith("HTTP/1.1 100 ")
    assert second.startswith("HTTP/1.1 202 ")


async def test_pipelined_requests_are_answered_in_order(function: LambdaService) -> None:
    code = """
sock = connect()
post = (f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\\r\\nHost: {API}\\r\\nContent-Length: 1\\r\\n\\r\\n"
        f"1POST {BASE}/nothing HTTP/1.1\\r\\nHost: {API}\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
sock.sendall(post.encode())
result = []
while data := sock.recv(65536):
    result.append(data.decode())
"""
    assert await function.invoke(code) == 1
    answers = "".join(await function.invoke(RESULT))
    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["202", "404"]


async def test_invalid_http_closes_its_connection_and_no_other(
    function: LambdaService, caplog: pytest.LogCaptureFixture
) -> None:
    code = "sock = connect(); sock.sendall(b'tea please\\r\\n\\r\\n'); respond([sock.recv(99) == b'', os.getpid()])"
    is_closed, process = await function.invoke(code)
    assert is_closed
    assert "invalid HTTP" in caplog.text
    assert await function.invoke("respond(os.getpid())") == process


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/tea"), ("POST", "/restore/next"), ("GET", "/invocation/1/response")]
)
async def test_an_unknown_path_is_answered_404(function: LambdaService, method: str, path: str) -> None:
    status, error = await function.invoke(f"respond(call({method!r}, {path!r}))")
    assert (status, error["errorType"]) == (404, "NotFound")


async def test_an_error_has_type_message_and_stack(function: LambdaService) -> None:
    error = {"errorType": "TeaError", "errorMessage": "It is cold.", "stackTrace": ["line 1\n", "line 2"]}
    with pytest.raises(FunctionError, match=r"TeaError: It is cold\.") as caught:
        await function.invoke(f"fail({error!r})")
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
async def test_an_error_of_another_form_takes_its_type_from_the_header(
    function: LambdaService, content: Any, error: str
) -> None:
    with pytest.raises(FunctionError) as caught:
        await function.invoke(f"fail({content!r}, {{'Lambda-Runtime-Function-Error-Type': 'Teapot'}})")
    assert str(caught.value) == error


async def test_a_snapshot_is_restored_at_once() -> None:
    async with scripted_function(environment={"INIT": "result.append(call('GET', '/restore/next'))"}) as function:
        assert await function.invoke(RESULT) == [[200, {}]]


@pytest.mark.parametrize("phase", ["init", "restore"])
async def test_an_init_error_fails_the_invocation(phase: str) -> None:
    init = f"call('POST', '/{phase}/error', {{'errorType': 'Cold', 'errorMessage': 'no tea'}}); raise SystemExit(1)"
    async with scripted_function(environment={"INIT": init}) as function:
        with pytest.raises(FunctionError, match="Cold: no tea"):
            await function.invoke(RESULT)


# Streams


async def stream_from(function: LambdaService, code: str) -> ReceivedStream:
    stream = await function.invoke(f"sock = connect(); begin(sock)\n{code}")
    assert isinstance(stream, ReceivedStream)
    return stream


async def test_a_stream_arrives_in_order(function: LambdaService) -> None:
    code = "[chunk(sock, b'%d;' % n) for n in range(1000)]; result = [end(sock).decode()]"
    stream = await stream_from(function, code)
    assert stream.content_type == "text/plain"
    assert await read_all(stream) == b"".join(b"%d;" % n for n in range(1000))
    (answer,) = await function.invoke(RESULT)
    assert answer.startswith("HTTP/1.1 202 ")
    assert answer.endswith('{"status": "OK"}')


async def test_a_stream_may_be_empty(function: LambdaService) -> None:
    assert await read_all(await stream_from(function, "end(sock)")) == b""


async def test_a_chunk_arrives_before_the_next_one_is_sent(function: LambdaService, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stream = await stream_from(
        function, f"chunk(sock, b'first'); wait_for({str(gate)!r}); chunk(sock, b'second'); end(sock)"
    )
    assert await anext(stream) == b"first"
    gate.touch()
    assert await anext(stream) == b"second"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_may_end_with_an_error(function: LambdaService) -> None:
    error = base64.b64encode(json.dumps({"errorType": "TeaError", "errorMessage": "spilt"}).encode()).decode()
    trailers = f"Lambda-Runtime-Function-Error-Type: TeaError\\r\\nLambda-Runtime-Function-Error-Body: {error}\\r\\n"
    stream = await stream_from(function, f"chunk(sock, b'half'); end(sock, '{trailers}')")
    assert await anext(stream) == b"half"
    with pytest.raises(FunctionError, match="TeaError: spilt"):
        await anext(stream)


async def test_an_error_body_that_is_not_base64_is_the_message(function: LambdaService) -> None:
    trailers = "Lambda-Runtime-Function-Error-Type: TeaError\\r\\nLambda-Runtime-Function-Error-Body: cold!\\r\\n"
    with pytest.raises(FunctionError, match="TeaError: cold!"):
        await read_all(await stream_from(function, f"end(sock, '{trailers}')"))


async def test_a_stream_whose_connection_closes_is_truncated(function: LambdaService) -> None:
    stream = await stream_from(function, "chunk(sock, b'half'); sock.close()")
    assert await anext(stream) == b"half"
    with pytest.raises(FunctionError, match=r"Runtime\.TruncatedResponse"):
        await anext(stream)
    assert await function.invoke("respond('goes on')") == "goes on"


async def test_an_unread_stream_blocks_the_function(function: LambdaService) -> None:
    code = """
sock.settimeout(0.5)
sent = 0
try:
    while sent < 100_000_000:
        chunk(sock, b"x" * 10_000)
        sent += 10_000
except TimeoutError:
    sock.close()
"""
    stream = await stream_from(function, code)
    sent = await function.invoke("respond(sent)")
    assert 0 < sent < 8_000_000  # the buffers of the kernel
    with pytest.raises(FunctionError, match=r"Runtime\.TruncatedResponse"):
        assert len(await read_all(stream)) <= sent


async def test_a_slow_reader_gets_the_whole_stream(function: LambdaService) -> None:
    stream = await stream_from(function, "[chunk(sock, b'x' * 100_000) for _ in range(100)]; end(sock)")
    size = 0
    async for part in stream:
        size += len(part)
        await asyncio.sleep(0)
    assert size == 10_000_000


async def test_closing_a_stream_closes_its_connection_and_the_process_lives_on(function: LambdaService) -> None:
    code = """
result = []
try:
    while True:
        chunk(sock, b"x")
        time.sleep(0.001)
except OSError as error:
    result = [type(error).__name__, fail({})]
"""
    stream = await stream_from(function, code)
    assert await anext(stream) == b"x"
    stream.close()
    name, (status, error) = await function.invoke(RESULT)
    assert name in ("BrokenPipeError", "ConnectionResetError")
    assert (status, error["errorType"]) == (400, "InvalidRequestID")


async def test_another_answer_beside_a_stream_is_refused(function: LambdaService, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"wait_for({str(gate)!r}); result = [respond(1), fail({{}}), respond(b'2', STREAMING)]"
    stream = await stream_from(function, f"{code}; chunk(sock, b'valid'); end(sock)")
    gate.touch()
    assert await read_all(stream) == b"valid"
    answers = await function.invoke(RESULT)
    assert [(status, error["errorType"]) for status, error in answers] == [(400, "InvalidRequestID")] * 3


async def test_a_refused_stream_leaves_its_connection_usable(function: LambdaService) -> None:
    code = """
own, request_id = request_id, "unknown"
sock = connect()
begin(sock)
result = [sock.recv(65536).decode().partition("\\r\\n")[0]]
chunk(sock, b"refused")
sock.sendall(b"0\\r\\n\\r\\n")
request_id = own
begin(sock)
chunk(sock, b"accepted")
result.append(end(sock).decode().partition("\\r\\n")[0])
"""
    assert await read_all(await function.invoke(code)) == b"accepted"
    assert await function.invoke(RESULT) == ["HTTP/1.1 400 ", "HTTP/1.1 202 "]


async def test_an_unknown_response_mode_is_refused(function: LambdaService) -> None:
    code = "result = [respond(1, {'Lambda-Runtime-Function-Response-Mode': 'tea'})]; respond(result)"
    ((status, error),) = await function.invoke(code)
    assert (status, error["errorType"]) == (400, "InvalidFunctionResponseMode")
