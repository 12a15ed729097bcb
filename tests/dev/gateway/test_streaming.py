"""Streams as an HTTP client gets them, through a front door on uvicorn, from a function in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from bridge.dev.gateway import SOURCES, Gateway
from bridge.dev.gateway.lambda_service import LambdaService
from tests.dev.gateway.processes import BRIDGE, puppet, until, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bridge.dev.gateway.gateway import AccessRecord

STREAMING = ("function-url", "rest-api")
WHOLE = tuple(source for source in SOURCES if source not in STREAMING)
TYPE = "application/vnd.awslambda.http-integration-response"
FAILED = {"function-url": 502, "rest-api": 502, "http-api": 500, "http-api-v1": 500, "lattice": 500, "lattice-v1": 500}


class Client(httpx.AsyncClient):
    """A client of a gateway; and what the gateway saw."""

    passages: list[AccessRecord]


@contextlib.asynccontextmanager
async def serving(function: LambdaService, source: str, **options: Any) -> AsyncIterator[Client]:
    passages: list[AccessRecord] = []
    gateway = Gateway(function, source, observe=passages.append, **options)
    config = uvicorn.Config(gateway, port=0, http="h11", lifespan="on", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    client = Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    client.passages = passages
    try:
        async with client:
            yield client
    finally:
        server.should_exit = True
        await running


def says(*parts: bytes, content_type: str = TYPE, end: str = "end(sock)") -> str:
    """What a function does that answers every event with a stream."""
    chunks = "; ".join(f"chunk(sock, {part!r})" for part in parts) or "pass"
    return f"sock = dial(); begin(sock, {content_type!r}); {chunks}; {end}"


def always(text: str, **options: Any) -> LambdaService:
    """A function that does *text* whatever the event is."""
    loop = f"""
while True:
    _, body = ask("GET", "/invocation/next")
    request_id = head["Lambda-Runtime-Aws-Request-Id"]
    {text}
"""
    return puppet(environment={"INIT": loop}, **options)


def prelude(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\0" * 8


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
    if scope["path"] == "/gone":
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
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an application that streams, behind each front door that hands streams on."""
    write(tmp_path, APPLICATION)
    variables = {"BRIDGE_RESPONSE_MODE": "stream"}
    function = LambdaService((*BRIDGE, "app:app"), folder=tmp_path, environment=variables, timeout=30, sandboxes=2)
    async with serving(function, request.param) as made:
        yield made


async def test_status_headers_and_cookies_come_with_the_body(client: Client) -> None:
    answer = await client.get("/teapot")
    assert answer.status_code == 418
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    await until(lambda: bool(client.passages))
    (passage,) = client.passages
    assert passage.streamed == len(answer.content)
    assert passage.payload["statusCode"] == 418


async def test_each_event_arrives_before_the_application_makes_the_next(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with client.stream("GET", f"/gated?{gate}") as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == b"data: 0\n\n"
        for n in (1, 2):
            assert not (tmp_path / f"gate-sent-{n}").exists()
            assert not client.passages
            (tmp_path / f"gate{n}").touch()
            assert await anext(parts) == b"data: %d\n\n" % n
        with pytest.raises(StopAsyncIteration):
            await anext(parts)


async def test_a_head_request_has_the_headers_and_no_body(client: Client) -> None:
    answer = await client.head("/teapot")
    assert answer.status_code == 418
    assert answer.headers["content-type"] == "text/event-stream"
    assert (await client.get("/teapot")).content


async def test_a_response_without_content_comes_to_its_end(client: Client) -> None:
    answer = await client.get("/no-content")
    assert (answer.status_code, answer.content) == (204, b"")
    await until(lambda: bool(client.passages))
    assert client.passages[0].streamed == 0


async def test_an_exception_before_the_first_byte_is_a_500(client: Client) -> None:
    assert (await client.get("/early")).status_code == 500


async def test_an_exception_after_the_first_byte_cuts_the_response_off(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/late")
    assert "GET /late: the response was cut off after 9 bytes" in caplog.text
    assert "RuntimeError: after the first byte" in caplog.text
    assert (await client.get("/")).status_code == 200


async def test_an_application_is_told_that_its_client_has_gone_and_goes_on(client: Client, tmp_path: Path) -> None:
    told = tmp_path / "told"
    async with client.stream("GET", f"/gone?{told}") as answer:
        assert await anext(answer.aiter_raw()) == b"data: 0\n\n"
    await until(told.exists)
    await until(lambda: told.read_text() == "http.disconnect")
    assert (await client.get("/")).text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    await until(lambda: len(client.passages) == 2)
    assert client.passages[0].streamed == 9


@pytest.mark.parametrize("source", STREAMING)
async def test_a_process_that_ends_in_the_middle_cuts_the_response_off(
    source: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    function = always(says(prelude(statusCode=200), b"half", end=f"wait_for({str(gate)!r}); os._exit(1)"))
    async with serving(function, source) as client:
        async with client.stream("GET", "/") as answer:
            assert answer.status_code == 200
            chunks = answer.aiter_raw()
            assert await anext(chunks) == b"half"
            gate.touch()
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(chunks)
        await until(lambda: "cut off after 4 bytes" in caplog.text)


NO_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "none": (b"no prelude",),
    "long": (b"x" * 20_000,),
    "large": (b'{"statusCode": 200, "headers": {"x": "' + b"x" * 17_000 + b'"}}' + b"\0" * 8,),
    "no json": (b"{no json}" + b"\0" * 8,),
    "no object": (b"[]" + b"\0" * 8,),
    "status": (prelude(statusCode=99),),
    "headers": (prelude(headers=["x"]),),
    "cookies": (prelude(cookies="a=1"),),
    "name": (prelude(headers={"a b": "c"}),),
    "empty": (),
}


@pytest.mark.parametrize("source", STREAMING)
async def test_what_begins_as_no_stream_may_is_a_failed_function(source: str, caplog: pytest.LogCaptureFixture) -> None:
    function = always("exec(json.loads(body)['body'])", sandboxes=1)
    async with serving(function, source) as client:
        for name, parts in NO_BEGINNINGS.items():
            caplog.clear()
            answer = await client.post("/", content=says(*parts), headers={"content-type": "text/plain"})
            assert answer.status_code == 502, name
            assert f"{source} answered 502 by itself" in caplog.text, name
            assert "Traceback" not in caplog.text, name


@pytest.mark.parametrize("source", STREAMING)
async def test_a_prelude_may_come_in_pieces_and_with_the_body(source: str) -> None:
    whole = prelude(statusCode="201", headers={"x-tea": "green", "content-type": "text/plain"}) + b"a\0\0\0\0\0\0\0\0b"
    function = always(says(*(whole[n : n + 7] for n in range(0, len(whole), 7))))
    async with serving(function, source) as client:
        answer = await client.get("/")
    assert answer.status_code == 201
    assert answer.headers["x-tea"] == "green"
    assert answer.content == b"a\0\0\0\0\0\0\0\0b"


async def test_a_rest_api_takes_both_header_maps_and_cookies_and_nothing_else() -> None:
    begun = prelude(headers={"X-One": "1", "Date": "then"}, multiValueHeaders={"X-Two": ["2", "3"]}, cookies=["c=1"])
    async with serving(always(says(begun, b"x")), "rest-api") as client:
        answer = await client.get("/")
        assert answer.status_code == 200
        assert answer.headers["x-one"] == "1"
        assert answer.headers.get_list("x-two") == ["2", "3"]
        assert answer.headers["set-cookie"] == "c=1"
        assert answer.headers["x-amzn-remapped-date"] == "then"
        assert answer.headers["content-type"] == "application/json"
    async with serving(always(says(prelude(body="x"))), "rest-api") as client:
        assert (await client.get("/")).status_code == 502


async def test_a_function_url_takes_headers_and_cookies() -> None:
    begun = prelude(headers={"X-One": "1"}, multiValueHeaders={"X-Two": ["2"]}, cookies=["c=1", "d=2"])
    async with serving(always(says(begun, b"x")), "function-url") as client:
        answer = await client.get("/")
    assert answer.headers["x-one"] == "1"
    assert "x-two" not in answer.headers
    assert answer.headers.get_list("set-cookie") == ["c=1", "d=2"]
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_function_url_hands_on_a_stream_without_a_prelude() -> None:
    async with serving(always(says(b"tea", content_type="text/plain")), "function-url") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "tea", "text/plain")


@pytest.mark.parametrize("source", WHOLE)
async def test_a_front_door_that_takes_whole_payloads_refuses_a_stream(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(always(says(prelude(statusCode=200), b"tea")), source) as client:
        answer = await client.get("/")
    assert answer.status_code == FAILED.get(source, 502)
    assert "BRIDGE_RESPONSE_MODE=buffer" in caplog.text
    await until(lambda: bool(client.passages))
    assert client.passages[0].streamed is None


async def test_a_whole_payload_that_comes_as_a_stream_is_one() -> None:
    payload = json.dumps({"statusCode": 200, "body": "tea"}).encode()
    async with serving(always(says(payload[:9], payload[9:])), "http-api") as client:
        assert (await client.get("/")).text == "tea"


async def test_a_stream_that_is_too_large_for_a_payload_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    text = "sock = dial(); begin(sock); [chunk(sock, b'x' * 65536) for _ in range(100)]; end(sock)"
    async with serving(always(text), "http-api") as client:
        assert (await client.get("/")).status_code == 500
    assert "6291556 bytes" in caplog.text


@pytest.mark.parametrize("source", SOURCES)
async def test_an_application_that_streams_is_answered_whole_where_that_is_all_there_is(
    source: str, tmp_path: Path
) -> None:
    write(tmp_path, APPLICATION)
    variables = {"BRIDGE_RESPONSE_MODE": "stream"}
    function = LambdaService((*BRIDGE, "app:app"), folder=tmp_path, environment=variables, timeout=30)
    async with serving(function, source) as client:
        answer = await client.get("/teapot")
        assert (answer.status_code, answer.text) == (418, "data: 0\n\ndata: 1\n\ndata: 2\n\n")
        await until(lambda: bool(client.passages))
        assert (client.passages[0].streamed is None) == (source in WHOLE)


@pytest.mark.parametrize("text", ["respond(b'<tea>')", "fail({'errorType': 'TeaError'})", "os._exit(1)"])
async def test_a_function_that_fails_is_answered_as_the_front_door_does(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(always(text), "http-api") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    assert "http-api answered 500 by itself: the function failed: " in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.slow
async def test_the_front_door_does_not_wait_longer_than_it_does_and_ends_the_process() -> None:
    async with serving(always("time.sleep(60)", timeout=60, sandboxes=1), "http-api", timeout=0.5) as client:
        for _ in range(2):
            assert (await client.get("/")).status_code == 503


@pytest.mark.slow
async def test_a_stream_goes_on_after_the_time_that_the_front_door_waits_for_its_beginning() -> None:
    text = says(prelude(statusCode=200), b"early ", end="time.sleep(1); chunk(sock, b'late'); end(sock)")
    async with serving(always(text, timeout=30), "rest-api", timeout=0.7) as client:
        assert (await client.get("/")).text == "early late"


@pytest.mark.slow
async def test_a_client_that_does_not_read_holds_the_application_back(tmp_path: Path) -> None:
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
    write(tmp_path, code)
    variables = {"BRIDGE_RESPONSE_MODE": "stream"}
    function = LambdaService((*BRIDGE, "app:app"), folder=tmp_path, environment=variables, timeout=60)
    async with serving(function, "function-url") as client, client.stream("GET", "/") as answer:
        await until(count.exists)
        assert int(count.read_text()) * 50_000 < 50_000_000
        size = 0
        async for part in answer.aiter_raw():
            size += len(part)
        assert size == 100_000_000
        await until(lambda: bool(client.passages))
        assert client.passages[0].streamed == size


async def test_a_server_that_has_to_end_cuts_the_response_off(caplog: pytest.LogCaptureFixture) -> None:
    text = says(prelude(statusCode=200), b"half", end="time.sleep(60)")
    sent: list[bytes] = []

    async def receive() -> Any:
        if sent:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    function = always(text, timeout=60)
    async with function:
        asked = asyncio.create_task(_call(Gateway(function, "function-url", detach=False), scope, receive, send))
        await until(lambda: b"half" in sent)
        asked.cancel()
        await asked
    assert sent == [b"", b"half"]
    assert "GET /: the response was cut off after 4 bytes, since the server had to end" in caplog.text


async def _call(gateway: Callable[..., Any], *arguments: Any) -> None:
    await gateway(*arguments)
