"""Streamed responses from a function's process, through a front door on uvicorn, to an HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from bridge.dev.gateway import FRONT_DOORS, Gateway
from bridge.dev.gateway.lambda_service import LambdaService
from bridge.limits import PRELUDE_DELIMITER
from tests.dev.gateway.processes import BRIDGE_RUNTIME, scripted_function, wait_until, write_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from bridge.dev.gateway.gateway import AccessRecord

STREAMING = tuple(source for source in FRONT_DOORS if FRONT_DOORS[source].supports_streaming)
BUFFERED = tuple(source for source in FRONT_DOORS if source not in STREAMING)
PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
BODY = "data: 0\n\ndata: 1\n\ndata: 2\n\n"


class GatewayClient(httpx.AsyncClient):
    """A client of a gateway, with the gateway's access records."""

    records: list[AccessRecord]


@contextlib.asynccontextmanager
async def serving(function: LambdaService, source: str, **options: Any) -> AsyncIterator[GatewayClient]:
    """Serve a function behind a front door."""
    records: list[AccessRecord] = []
    gateway = Gateway(function, source, observe=records.append, **options)
    config = uvicorn.Config(gateway, port=0, http="h11", lifespan="on", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await wait_until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    client = GatewayClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    client.records = records
    try:
        async with client:
            yield client
    finally:
        server.should_exit = True
        await running


def streams(*parts: bytes, content_type: str = PRELUDE_TYPE, end: str = "end(sock)") -> str:
    """The code of an invocation that answers with a stream of *parts*."""
    chunks = "; ".join(f"chunk(sock, {part!r})" for part in parts) or "pass"
    return f"sock = connect(); begin(sock, {content_type!r}); {chunks}; {end}"


def always(code: str, **options: Any) -> LambdaService:
    """A function that executes *code* whatever the event is."""
    loop = f"""
while True:
    _, body = call("GET", "/invocation/next")
    request_id = head["Lambda-Runtime-Aws-Request-Id"]
    {code}
"""
    return scripted_function(environment={"INIT": loop}, **options)


def streaming_app(folder: Path, **options: Any) -> LambdaService:
    """The application in *folder*, with streamed responses."""
    environment = {"BRIDGE_RESPONSE_MODE": "stream"}
    return LambdaService((*BRIDGE_RUNTIME, "app:app"), folder=folder, environment=environment, **options)


def prelude(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + PRELUDE_DELIMITER


APPLICATION = """
import asyncio
from pathlib import Path
from urllib.parse import unquote

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    query = unquote(scope["query_string"].decode()).rstrip("=")
    await receive()
    if scope["path"] == "/early":
        raise RuntimeError("before the first byte")
    headers = [(b"content-type", b"text/event-stream"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    status = {"/no-content": 204, "/teapot": 418}.get(scope["path"], 200)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["path"] == "/disconnect":
        await send({"type": "http.response.body", "body": b"data: 0\\n\\n", "more_body": True})
        Path(query).write_text((await receive())["type"])
        return
    for n in range(3):
        if scope["path"] == "/gated" and n:
            while not Path(f"{query}{n}").exists():
                await asyncio.sleep(0.005)
        if scope["path"] == "/late" and n:
            raise RuntimeError("after the first byte")
        await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % n, "more_body": True})
        if scope["path"] == "/gated":
            Path(f"{query}-sent-{n}").touch()
    await send({"type": "http.response.body", "body": b""})
"""


@pytest.fixture(params=STREAMING)
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[GatewayClient]:
    """A client of the application above, behind each front door that streams."""
    write_app(tmp_path, APPLICATION)
    async with serving(streaming_app(tmp_path, timeout=30, sandboxes=2), request.param) as gateway_client:
        yield gateway_client


async def test_a_streamed_response_has_status_headers_and_cookies(client: GatewayClient) -> None:
    response = await client.get("/teapot")
    assert response.status_code == 418
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.text == BODY
    await wait_until(lambda: bool(client.records))
    (record,) = client.records
    assert record.streamed == len(response.content)
    assert record.payload["statusCode"] == 418


async def test_each_chunk_arrives_before_the_application_sends_the_next(client: GatewayClient, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with client.stream("GET", f"/gated?{gate}") as response:
        parts = response.aiter_raw()
        assert await anext(parts) == b"data: 0\n\n"
        for n in (1, 2):
            assert not (tmp_path / f"gate-sent-{n}").exists()
            assert not client.records
            (tmp_path / f"gate{n}").touch()
            assert await anext(parts) == b"data: %d\n\n" % n
        with pytest.raises(StopAsyncIteration):
            await anext(parts)


async def test_a_streamed_response_to_head_has_headers_and_no_body(client: GatewayClient) -> None:
    response = await client.head("/teapot")
    assert response.status_code == 418
    assert response.headers["content-type"] == "text/event-stream"
    assert (await client.get("/teapot")).content


async def test_a_streamed_response_of_status_204_ends(client: GatewayClient) -> None:
    response = await client.get("/no-content")
    assert (response.status_code, response.content) == (204, b"")
    await wait_until(lambda: bool(client.records))
    assert client.records[0].streamed == 0


async def test_an_exception_before_the_first_byte_is_answered_500(client: GatewayClient) -> None:
    assert (await client.get("/early")).status_code == 500


async def test_an_exception_after_the_first_byte_cuts_the_response_off(
    client: GatewayClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/late")
    assert "GET /late: the response was cut off after 9 bytes" in caplog.text
    assert "RuntimeError: after the first byte" in caplog.text
    assert (await client.get("/")).status_code == 200


async def test_a_client_that_disconnects_causes_http_disconnect_and_the_process_lives_on(
    client: GatewayClient, tmp_path: Path
) -> None:
    received = tmp_path / "received"
    async with client.stream("GET", f"/disconnect?{received}") as response:
        assert await anext(response.aiter_raw()) == b"data: 0\n\n"
    await wait_until(received.exists)
    await wait_until(lambda: received.read_text() == "http.disconnect")
    assert (await client.get("/")).text == BODY
    await wait_until(lambda: len(client.records) == 2)
    assert client.records[0].streamed == 9


@pytest.mark.parametrize("source", STREAMING)
async def test_a_process_that_ends_cuts_the_response_off(
    source: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    function = always(streams(prelude(statusCode=200), b"half", end=f"wait_for({str(gate)!r}); os._exit(1)"))
    async with serving(function, source) as client:
        async with client.stream("GET", "/") as response:
            assert response.status_code == 200
            chunks = response.aiter_raw()
            assert await anext(chunks) == b"half"
            gate.touch()
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(chunks)
        await wait_until(lambda: "cut off after 4 bytes" in caplog.text)


INVALID_PRELUDES: dict[str, tuple[bytes, ...]] = {
    "missing": (b"no prelude",),
    "without an end": (b"x" * 20_000,),
    "over 16 KB": (b'{"statusCode": 200, "headers": {"x": "' + b"x" * 17_000 + b'"}}' + PRELUDE_DELIMITER,),
    "not JSON": (b"{no json}" + PRELUDE_DELIMITER,),
    "not an object": (b"[]" + PRELUDE_DELIMITER,),
    "status": (prelude(statusCode=99),),
    "headers": (prelude(headers=["x"]),),
    "cookies": (prelude(cookies="a=1"),),
    "header name": (prelude(headers={"a b": "c"}),),
    "empty stream": (),
}


@pytest.mark.parametrize("source", STREAMING)
async def test_an_invalid_prelude_is_a_failure(source: str, caplog: pytest.LogCaptureFixture) -> None:
    function = always("exec(json.loads(body)['body'])", sandboxes=1)
    async with serving(function, source) as client:
        for name, parts in INVALID_PRELUDES.items():
            caplog.clear()
            response = await client.post("/", content=streams(*parts), headers={"content-type": "text/plain"})
            assert response.status_code == 502, name
            assert f"{source} answered 502 by itself" in caplog.text, name
            assert "Traceback" not in caplog.text, name


@pytest.mark.parametrize("source", STREAMING)
async def test_a_prelude_may_be_split_over_chunks(source: str) -> None:
    whole = prelude(statusCode="201", headers={"x-tea": "green", "content-type": "text/plain"}) + b"a\0\0\0\0\0\0\0\0b"
    function = always(streams(*(whole[n : n + 7] for n in range(0, len(whole), 7))))
    async with serving(function, source) as client:
        response = await client.get("/")
    assert response.status_code == 201
    assert response.headers["x-tea"] == "green"
    assert response.content == b"a\0\0\0\0\0\0\0\0b"


async def test_a_rest_api_reads_both_header_maps_and_cookies() -> None:
    fields = {"headers": {"X-One": "1", "Date": "then"}, "multiValueHeaders": {"X-Two": ["2", "3"]}, "cookies": ["c=1"]}
    async with serving(always(streams(prelude(**fields), b"x")), "rest-api") as client:
        response = await client.get("/")
    assert response.status_code == 200
    assert response.headers["x-one"] == "1"
    assert response.headers.get_list("x-two") == ["2", "3"]
    assert response.headers["set-cookie"] == "c=1"
    assert response.headers["x-amzn-remapped-date"] == "then"
    assert response.headers["content-type"] == "application/json"


async def test_a_rest_api_refuses_other_keys_in_the_prelude() -> None:
    async with serving(always(streams(prelude(body="x"))), "rest-api") as client:
        assert (await client.get("/")).status_code == 502


async def test_a_function_url_reads_headers_and_cookies() -> None:
    fields = {"headers": {"X-One": "1"}, "multiValueHeaders": {"X-Two": ["2"]}, "cookies": ["c=1", "d=2"]}
    async with serving(always(streams(prelude(**fields), b"x")), "function-url") as client:
        response = await client.get("/")
    assert response.headers["x-one"] == "1"
    assert "x-two" not in response.headers
    assert response.headers.get_list("set-cookie") == ["c=1", "d=2"]
    assert response.headers["content-type"] == "application/octet-stream"


async def test_a_function_url_accepts_a_stream_without_a_prelude() -> None:
    async with serving(always(streams(b"tea", content_type="text/plain")), "function-url") as client:
        response = await client.get("/")
    assert (response.status_code, response.text, response.headers["content-type"]) == (200, "tea", "text/plain")


@pytest.mark.parametrize("source", BUFFERED)
async def test_a_front_door_that_does_not_stream_refuses_a_stream(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(always(streams(prelude(statusCode=200), b"tea")), source) as client:
        response = await client.get("/")
    assert response.status_code == FRONT_DOORS[source].failed.status
    assert "BRIDGE_RESPONSE_MODE=buffer" in caplog.text
    await wait_until(lambda: bool(client.records))
    assert client.records[0].streamed is None


async def test_a_payload_that_arrives_as_a_stream_is_accepted() -> None:
    payload = json.dumps({"statusCode": 200, "body": "tea"}).encode()
    async with serving(always(streams(payload[:9], payload[9:])), "http-api") as client:
        assert (await client.get("/")).text == "tea"


async def test_a_stream_over_the_payload_limit_is_refused_by_a_front_door_that_does_not_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = "sock = connect(); begin(sock); [chunk(sock, b'x' * 65536) for _ in range(100)]; end(sock)"
    async with serving(always(code), "http-api") as client:
        assert (await client.get("/")).status_code == 500
    assert "6291556 bytes" in caplog.text


@pytest.mark.parametrize("source", FRONT_DOORS)
async def test_a_streaming_application_is_buffered_behind_a_front_door_that_does_not_stream(
    source: str, tmp_path: Path
) -> None:
    write_app(tmp_path, APPLICATION)
    async with serving(streaming_app(tmp_path, timeout=30), source) as client:
        response = await client.get("/teapot")
        assert (response.status_code, response.text) == (418, BODY)
        await wait_until(lambda: bool(client.records))
        assert (client.records[0].streamed is None) == (source in BUFFERED)


@pytest.mark.parametrize("code", ["respond(b'<tea>')", "fail({'errorType': 'TeaError'})", "os._exit(1)"])
async def test_a_function_that_fails_gets_the_front_doors_answer(code: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(always(code), "http-api") as client:
        response = await client.get("/")
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})
    assert "http-api answered 500 by itself: the function failed: " in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.slow
async def test_a_process_whose_function_is_late_is_ended() -> None:
    async with serving(always("time.sleep(60)", timeout=60, sandboxes=1), "http-api", timeout=0.5) as client:
        for _ in range(2):
            assert (await client.get("/")).status_code == 503


@pytest.mark.slow
async def test_the_timeout_of_a_front_door_applies_to_the_beginning_of_a_stream() -> None:
    code = streams(prelude(statusCode=200), b"early ", end="time.sleep(1); chunk(sock, b'late'); end(sock)")
    async with serving(always(code, timeout=30), "rest-api", timeout=0.7) as client:
        assert (await client.get("/")).text == "early late"


@pytest.mark.slow
async def test_a_client_that_does_not_read_blocks_the_application(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = f"""
    import asyncio
    from pathlib import Path

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        message = {{"type": "http.response.body", "body": b"x" * 50_000, "more_body": True}}
        for n in range(2000):
            sending = asyncio.ensure_future(send(message))
            done, _ = await asyncio.wait([sending], timeout=1)
            if not done:
                Path({str(count)!r}).write_text(str(n))
            await sending
        await send({{"type": "http.response.body", "body": b""}})
    """
    write_app(tmp_path, code)
    function = streaming_app(tmp_path, timeout=60)
    async with serving(function, "function-url") as client, client.stream("GET", "/") as response:
        await wait_until(count.exists)
        assert int(count.read_text()) * 50_000 < 50_000_000
        size = 0
        async for part in response.aiter_raw():
            size += len(part)
        assert size == 100_000_000
        await wait_until(lambda: bool(client.records))
        assert client.records[0].streamed == size


@pytest.mark.parametrize("answers_if_cancelled", [True, False])
async def test_a_server_that_cancels_the_request_at_its_shutdown_cuts_the_response_off(
    answers_if_cancelled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[bytes] = []

    async def receive() -> Any:
        if sent:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    async with always(streams(prelude(statusCode=200), b"half", end="time.sleep(60)"), timeout=60) as function:
        gateway = Gateway(function, "function-url", answers_if_cancelled=answers_if_cancelled)
        serve: Coroutine[Any, Any, None] = gateway(scope, receive, send)
        request = asyncio.create_task(serve)
        await wait_until(lambda: b"half" in sent)
        request.cancel()
        await asyncio.wait([request])
    assert request.cancelled() is not answers_if_cancelled
    assert sent == [b"", b"half"]
    assert "GET /: the response was cut off after 4 bytes: the server cancelled the request" in caplog.text
