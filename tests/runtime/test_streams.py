"""Responses that leave while the application makes them."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.service import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

STREAMING = ["function-url", "rest-api"]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


@pytest.mark.parametrize("source", STREAMING)
async def test_each_part_is_there_before_the_next_one_is_made(source: str) -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for part in (b"one", b"two", b"three"):
            await gate.wait()
            gate.clear()
            await send(body(part))
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source=source)
        prelude = await answer.prelude()  # before the application has sent any of the body
        assert prelude["statusCode"] == 200
        for part in (b"one", b"two", b"three"):
            gate.set()
            assert await answer.chunk() == part
        assert await answer.chunk() is None
        assert answer.is_whole
        assert answer.asked.trailers == {}


async def test_the_prelude_is_spelled_as_its_source_takes_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"x-one", b"1"),
            (b"transfer-encoding", b"chunked"),
        ]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        url = await service.ask(source="function-url").prelude()
        rest = await service.ask(source="rest-api").prelude()
    assert url == {"statusCode": 201, "headers": {"x-one": "1"}, "cookies": ["a=1", "b=2"]}
    assert rest == {"statusCode": 201, "multiValueHeaders": {"x-one": ["1"], "set-cookie": ["a=1", "b=2"]}}


@pytest.mark.parametrize("source", ["http-api", "alb", "alb-multi", "lattice", "http-api-v1"])
async def test_a_source_that_cannot_stream_gets_a_whole_payload_from_the_same_process(source: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"one"))
        await send(body(b"two", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        payload = await service.ask(source=source).payload()
        assert (payload["statusCode"], payload["body"]) == (200, "onetwo")
        assert (await service.ask(source="function-url").prelude())["statusCode"] == 200


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 302)])
async def test_a_response_without_a_body_has_prelude_and_end(method: str, status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send(body(b"" if status == 302 else b"not for the client", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source="function-url", method=method)
        assert (await answer.prelude())["statusCode"] == status
        assert await answer.rest() == b""
        assert answer.is_whole


async def test_an_exception_before_the_response_is_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("too early")

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source="function-url")
        assert (await answer.prelude())["statusCode"] == 500
        assert await answer.rest() == b"Internal Server Error"
        assert answer.asked.trailers == {}


async def test_an_exception_after_it_has_begun_ends_it_with_the_error_and_the_process_goes_on() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"half"))
        if scope["path"] == "/fails":
            raise ValueError("in the middle")
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask("/fails", "function-url")
        assert (await answer.prelude())["statusCode"] == 200
        assert await answer.rest() == b"half"
        kind, told = answer.trailer()
        assert (kind, told["errorMessage"]) == ("Function.ValueError", "in the middle")
        assert "in the middle" in "".join(told["stackTrace"])
        assert (await service.ask("/", "function-url").body()).endswith(b"half")


async def test_an_application_that_stops_in_the_middle_has_failed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"half"))

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source="function-url")
        await answer.body()
        assert answer.trailer()[0] == "Function.InterfaceError"


async def test_headers_that_no_prelude_has_room_for_are_a_500(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-long", b"x" * 20_000)]})
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        assert (await service.ask(source="function-url").prelude())["statusCode"] == 500
    assert "16384 pass" in caplog.text


async def test_a_header_that_http_does_not_allow_is_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-bad", b"a\r\nb")]})

    async with running(app, stream=True, lifespan="off") as service:
        assert (await service.ask(source="function-url").prelude())["statusCode"] == 500


async def test_an_application_learns_that_its_client_has_gone() -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        if scope["path"] == "/listens":
            told.put_nowait((await receive())["type"])
        try:
            while scope["path"] != "/":
                await send(body(b"tick"))
                await asyncio.sleep(0.01)
        except OSError as error:
            told.put_nowait(error)
            raise
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        for path in ("/listens", "/sends"):
            answer = service.ask(path, "function-url")
            await answer.prelude()
            answer.writer.transport.abort()
            if path == "/listens":
                assert await asyncio.wait_for(told.get(), 20) == "http.disconnect"
            assert isinstance(await asyncio.wait_for(told.get(), 20), OSError)
        assert (await service.ask("/", "function-url").prelude())["statusCode"] == 200


async def test_who_reads_slowly_holds_the_application_up_and_no_body_is_gathered() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        for _ in range(400):
            await send(body(bytes(64 * 1024)))
            sent += 1
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source="function-url")
        await answer.prelude()
        answer.is_read.clear()
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 300
        answer.is_read.set()
        assert len(await answer.rest()) == 400 * 64 * 1024


def wsgi(parts: Callable[[], Iterable[bytes]]) -> Any:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return parts()

    return app


async def test_a_wsgi_iterable_is_streamed_part_by_part_and_closed() -> None:
    gate = threading.Event()
    closed = threading.Event()

    def parts() -> Iterator[bytes]:
        try:
            for part in (b"one", b"two"):
                assert gate.wait(20)
                gate.clear()
                yield part
        finally:
            closed.set()

    async with running(wsgi(parts), stream=True) as service:
        answer = service.ask(source="function-url")
        for part in (b"one", b"two"):
            gate.set()
            if part == b"one":
                assert (await answer.prelude())["statusCode"] == 200
            assert await answer.chunk() == part
        assert await answer.chunk() is None
        assert closed.wait(20)


async def test_what_a_wsgi_application_writes_is_streamed() -> None:
    gate = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"one")
        assert gate.wait(20)
        return [b"two"]

    async with running(app, stream=True) as service:
        answer = service.ask(source="function-url")
        await answer.prelude()
        assert await answer.chunk() == b"one"
        gate.set()
        assert await answer.rest() == b"two"


async def test_a_wsgi_iterable_that_fails_ends_the_stream_with_the_error_and_is_closed() -> None:
    closed = threading.Event()

    def parts() -> Iterator[bytes]:
        try:
            yield b"half"
            raise LookupError("gone")
        finally:
            closed.set()

    async with running(wsgi(parts), stream=True) as service:
        answer = service.ask(source="function-url")
        assert (await answer.body()).endswith(b"half")
        assert answer.trailer()[0] == "Function.LookupError"
        assert closed.wait(20)


async def test_a_wsgi_application_whose_client_has_gone_is_stopped_and_closed() -> None:
    closed = threading.Event()

    def parts() -> Iterator[bytes]:
        try:
            while True:
                yield b"tick"
                time.sleep(0.01)
        finally:
            closed.set()

    async with running(wsgi(parts), stream=True) as service:
        answer = service.ask(source="function-url")
        await answer.prelude()
        answer.writer.transport.abort()
        assert await asyncio.to_thread(closed.wait, 20)


async def test_a_stream_that_is_not_whole_in_time_ends_with_the_error() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"half"))
        await asyncio.Event().wait()

    async with running(app, stream=True, lifespan="off") as service:
        service.seconds = 0.5
        answer = service.ask(source="function-url")
        assert (await answer.body()).endswith(b"half")
        assert answer.trailer()[0] == "Function.Timedout"


async def test_an_application_may_give_up_one_send_and_go_on_with_the_next() -> None:
    gave_up = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            while True:
                await asyncio.wait_for(send(body(bytes(64 * 1024))), 0.05)
        except TimeoutError:
            gave_up.set()
        await send(body(b"the end"))
        await send(body(b"", more=False))

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source="function-url")
        await answer.prelude()
        answer.is_read.clear()
        await asyncio.wait_for(gave_up.wait(), 20)
        answer.is_read.set()
        assert (await answer.rest()).endswith(b"the end")
        assert answer.asked.trailers == {}


async def test_a_client_that_is_gone_before_the_prelude_is_no_error_of_the_application() -> None:
    told: list[BaseException] = []
    ready, gone = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ready.set()
        await gone.wait()
        try:
            await send(START)
            await send(body(b"into the void", more=False))
        except OSError as error:
            told.append(error)
            raise

    async with running(app, stream=True, lifespan="off") as service:
        answer = service.ask(source="function-url")
        await ready.wait()
        service.hang_up()
        await asyncio.sleep(0.05)
        gone.set()
        # The client makes another connection for it; whether the API still wants the answer is the API's to say.
        assert (await answer.body()).endswith(b"into the void")
        assert told == []
