"""Responses that are sent while the application makes them."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import StreamingResponse

from tests.runtime import service as services
from tests.runtime.service import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    Run = Callable[..., Any]

STREAMING = ["function-url", "rest-api"]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def part(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


END = part(b"", more=False)


class TestAsgi:
    @pytest.mark.parametrize("source", STREAMING)
    async def test_each_part_is_sent_before_the_next_one_is_made(self, running: Run, source: str) -> None:
        gate = Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            for data in (b"one", b"two", b"three"):
                await gate.wait()
                gate.close()
                await send(part(data))
            await send(END)

        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request(source=source)
            prelude = await outcome.prelude()  # before the application has sent any of the body
            assert prelude["statusCode"] == 200
            for data in (b"one", b"two", b"three"):
                gate.open()
                assert await outcome.part() == data
            assert await outcome.part() is None
            assert await outcome.trailers() == ("", None)

    async def test_the_prelude_has_the_form_of_its_source(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            headers = [
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"x-one", b"1"),
                (b"transfer-encoding", b"chunked"),
            ]
            await send({"type": "http.response.start", "status": 201, "headers": headers})
            await send(END)

        async with running(app, stream=True, lifespan="off") as service:
            function_url = await service.request(source="function-url").prelude()
            rest_api = await service.request(source="rest-api").prelude()
        assert function_url == {"statusCode": 201, "headers": {"x-one": "1"}, "cookies": ["a=1", "b=2"]}
        assert rest_api == {"statusCode": 201, "multiValueHeaders": {"x-one": ["1"], "set-cookie": ["a=1", "b=2"]}}

    async def test_an_exception_after_the_first_byte_is_in_the_trailers_and_the_process_continues(
        self, running: Run
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(part(b"half"))
            if scope["path"] == "/fails":
                raise ValueError("in the middle")
            await send(END)

        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request("/fails", "function-url")
            assert (await outcome.prelude())["statusCode"] == 200
            assert await outcome.rest() == b"half"
            kind, report = await outcome.trailers()
            assert (kind, report["errorMessage"]) == ("Function.ValueError", "in the middle")
            assert "in the middle" in "".join(report["stackTrace"])
            assert (await service.request("/", "function-url").body()).endswith(b"half")

    async def test_an_application_that_returns_in_the_middle_has_failed(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(part(b"half"))

        async with running(app, stream=True, lifespan="off") as service:
            assert (await service.request(source="function-url").trailers())[0] == "Function.InterfaceError"

    async def test_an_application_that_listens_receives_a_disconnect(self, running: Run) -> None:
        received: list[Any] = []
        ended = Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(START)
            if scope["path"] == "/listens":
                received.append((await receive())["type"])
            try:
                while scope["path"] != "/":
                    await send(part(b"tick"))
                    await asyncio.sleep(0.01)
            except OSError as error:
                received.append(type(error))
                ended.open()
                raise
            await send(END)

        async with running(app, stream=True, lifespan="off") as service:
            for path in ("/listens", "/sends"):
                outcome = service.request(path, "function-url")
                await outcome.prelude()
                outcome.disconnect()
                await ended.wait()
                ended.close()
            assert (await service.request("/", "function-url").prelude())["statusCode"] == 200
        assert received == ["http.disconnect", OSError, OSError]

    async def test_a_stream_ends_at_the_deadline_with_an_error(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(part(b"half"))
            if scope["path"] != "/":
                await asyncio.Event().wait()
            await send(END)

        async with running(app, stream=True, lifespan="off") as service:
            service.seconds = 1.0
            outcome = service.request("/hangs", source="function-url")
            assert (await outcome.body()).endswith(b"half")
            assert (await outcome.trailers())[0] == "Function.Timedout"
            assert (await service.request(source="function-url").body()).endswith(b"half")

    async def test_an_application_may_cancel_a_send_and_continue(self, running: Run) -> None:
        cancelled = Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            try:
                while True:
                    await asyncio.wait_for(send(part(bytes(64 * 1024))), 0.05)
            except TimeoutError:
                cancelled.open()
            await send(part(b"the end"))
            await send(END)

        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            outcome.is_reading.clear()
            await cancelled.wait()
            outcome.is_reading.set()
            assert (await outcome.rest()).endswith(b"the end")
            assert await outcome.trailers() == ("", None)

    async def test_other_tasks_run_while_a_send_waits(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)

            async def produce() -> None:
                while True:
                    await send(part(bytes(64 * 1024)))

            producer = asyncio.create_task(produce())
            await asyncio.sleep(0.2)
            ran.open()
            producer.cancel()
            await send(END)

        ran = Gate()
        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            outcome.is_reading.clear()
            await ran.wait()
            outcome.is_reading.set()
            assert await outcome.trailers() == ("", None)

    async def test_a_connection_that_was_closed_before_the_stream_is_replaced(self, running: Run) -> None:
        called, closed = Gate(), Gate()
        errors: list[BaseException] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            called.open()
            await closed.wait()
            try:
                await send(START)
                await send(part(b"hello", more=False))
            except OSError as error:
                errors.append(error)
                raise

        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request(source="function-url")
            await called.wait()
            service.close_connections()
            await asyncio.sleep(0.05)
            closed.open()
            assert (await outcome.body()).endswith(b"hello")
        assert errors == []


def make_app(interface: str, status: int, headers: list[tuple[str, str]], parts: Callable[[], Iterable[bytes]]) -> Any:
    """Return an application with this response."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        for each in parts():
            await send(part(each))
        await send(END)

    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(f"{status} Status", headers)
        return parts()

    return asgi if interface == "asgi" else wsgi


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
class TestBothInterfaces:
    @pytest.mark.parametrize("source", ["http-api", "alb", "alb-multi", "lattice", "http-api-v1"])
    async def test_a_source_without_streams_gets_a_payload_from_the_same_process(
        self, running: Run, interface: str, source: str
    ) -> None:
        app = make_app(interface, 200, [("content-type", "text/plain")], lambda: [b"one", b"two"])
        async with running(app, stream=True) as service:
            payload = await service.request(source=source).payload()
            assert (payload["statusCode"], payload["body"]) == (200, "onetwo")
            assert (await service.request(source="function-url").prelude())["statusCode"] == 200

    @pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 302)])
    async def test_a_response_without_content_has_a_prelude_and_an_end(
        self, running: Run, interface: str, method: str, status: int
    ) -> None:
        app = make_app(interface, status, [], lambda: [b"" if status == 302 else b"not for the client"])
        async with running(app, stream=True) as service:
            outcome = service.request(source="function-url", method=method)
            assert (await outcome.prelude())["statusCode"] == status
            assert await outcome.rest() == b""
            assert outcome.is_complete

    @pytest.mark.parametrize("headers", [[("x-long", "x" * 20_000)], [("x-bad", "a\r\nb")]])
    async def test_headers_that_are_not_allowed_or_too_long_for_a_prelude_are_a_500(
        self, running: Run, interface: str, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(make_app(interface, 200, headers, lambda: [b"one"]), stream=True) as service:
            outcome = service.request(source="function-url")
            assert (await outcome.prelude())["statusCode"] == 500
            assert await outcome.rest() == b"Internal Server Error"
            assert await outcome.trailers() == ("", None)
        assert ("room for 16384" if "x-long" in str(headers) else "x-bad") in caplog.text

    async def test_an_exception_before_the_first_byte_is_a_500(self, running: Run, interface: str) -> None:
        def fail() -> list[bytes]:
            raise ValueError("early")

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            fail()

        app = asgi if interface == "asgi" else make_app(interface, 200, [], fail)
        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request(source="function-url")
            assert (await outcome.prelude())["statusCode"] == 500
            assert await outcome.rest() == b"Internal Server Error"
            assert await outcome.trailers() == ("", None)

    async def test_an_application_waits_while_its_client_does_not_read(self, running: Run, interface: str) -> None:
        sent = 0

        def parts() -> Iterator[bytes]:
            nonlocal sent
            for _ in range(400):
                yield bytes(64 * 1024)
                sent += 1

        async with running(make_app(interface, 200, [], parts), stream=True) as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            outcome.is_reading.clear()
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 300
            outcome.is_reading.set()
            assert len(await outcome.rest()) == 400 * 64 * 1024

    async def test_a_client_that_disconnects_while_a_send_waits_ends_the_response(
        self, running: Run, interface: str
    ) -> None:
        closed = Gate()

        def parts() -> Iterator[bytes]:
            try:
                while True:
                    yield bytes(64 * 1024)
            finally:
                closed.open()

        async with running(make_app(interface, 200, [], parts), stream=True, lifespan="off") as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            outcome.is_reading.clear()
            await asyncio.sleep(0.2)
            outcome.disconnect()
            outcome.is_reading.set()
            await closed.wait()


class TestLeftStreams:
    """A client disconnects: what the application has opened is closed, without a garbage collection."""

    @pytest.fixture(autouse=True)
    def _no_garbage_collection(self) -> Iterator[None]:
        gc.disable()
        yield
        gc.enable()

    @pytest.mark.parametrize("kind", ["ASGI", "Starlette", "plain generator", "WSGI"])
    async def test_the_generator_is_closed_before_the_next_request(self, running: Run, kind: str) -> None:
        closed = Gate()

        async def ticks() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"tick"
                    await asyncio.sleep(0.01)
            finally:
                closed.open()

        def plain_ticks() -> Iterator[bytes]:
            try:
                while True:
                    yield b"tick"
                    time.sleep(0.01)
            finally:
                closed.open()

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            async for each in ticks():
                await send(part(each))

        async def starlette(scope: Any, receive: Any, send: Any) -> None:
            await StreamingResponse(ticks())(scope, receive, send)

        app = {"ASGI": asgi, "Starlette": starlette}.get(
            kind, make_app("wsgi" if kind == "WSGI" else "asgi", 200, [], plain_ticks)
        )
        async with running(app, stream=True, lifespan="off") as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            outcome.disconnect()
            await closed.wait()


class TestWsgi:
    async def test_each_part_is_sent_before_the_next_one_is_made_and_the_iterable_is_closed(self, running: Run) -> None:
        gate, closed = Gate(), Gate()

        def parts() -> Iterator[bytes]:
            try:
                for data in (b"one", b"", b"two"):
                    gate.wait_in_thread()
                    gate.close()
                    yield data
            finally:
                closed.open()

        async with running(make_app("wsgi", 200, [], parts), stream=True) as service:
            outcome = service.request(source="function-url")
            gate.open()
            assert (await outcome.prelude())["statusCode"] == 200  # with the first byte (PEP 3333)
            assert await outcome.part() == b"one"
            gate.open()
            await asyncio.sleep(0.05)
            gate.open()
            assert await outcome.part() == b"two"
            assert await outcome.part() is None
            await closed.wait()

    async def test_data_that_is_passed_to_write_is_sent(self, running: Run) -> None:
        gate = Gate()

        def app(environ: Any, start_response: Any) -> list[bytes]:
            write = start_response("200 OK", [])
            write(b"one")
            gate.wait_in_thread()
            return [b"two"]

        async with running(app, stream=True) as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            assert await outcome.part() == b"one"
            gate.open()
            assert await outcome.rest() == b"two"

    @pytest.mark.parametrize("is_started", [False, True])
    async def test_exc_info_replaces_the_headers_until_the_body_has_started(
        self, running: Run, is_started: bool
    ) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            try:
                if is_started:
                    yield b"half"
                raise LookupError("gone")
            except LookupError as error:
                start_response("500 Failed", [], (type(error), error, error.__traceback__))
                yield b"failed"

        async with running(app, stream=True) as service:
            outcome = service.request(source="function-url")
            assert (await outcome.prelude())["statusCode"] == (200 if is_started else 500)
            assert await outcome.rest() == (b"half" if is_started else b"failed")
            assert (await outcome.trailers())[0] == ("Function.LookupError" if is_started else "")

    async def test_an_exception_in_the_iterable_is_in_the_trailers_and_the_iterable_is_closed(
        self, running: Run
    ) -> None:
        closed = Gate()

        def parts() -> Iterator[bytes]:
            try:
                yield b"half"
                raise LookupError("gone")
            finally:
                closed.open()

        async with running(make_app("wsgi", 200, [], parts), stream=True) as service:
            outcome = service.request(source="function-url")
            assert (await outcome.body()).endswith(b"half")
            assert (await outcome.trailers())[0] == "Function.LookupError"
            await closed.wait()

    async def test_the_stream_ends_before_close_is_called_whose_exception_is_logged(
        self, running: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate = Gate()

        class Body(list[bytes]):
            def close(self) -> None:
                gate.wait_in_thread()
                raise LookupError("cannot close")

        async with running(make_app("wsgi", 200, [], lambda: Body([b"whole"])), stream=True) as service:
            outcome = service.request(source="function-url")
            assert (await outcome.body()).endswith(b"whole")
            gate.open()
            assert await outcome.trailers() == ("", None)
            await service.request(source="function-url").body()
        assert "cannot close" in caplog.text

    @pytest.mark.parametrize("body", [[b"body"], []])
    async def test_an_application_that_does_not_call_start_response_is_a_500(
        self, running: Run, body: list[bytes], caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(lambda environ, start_response: body, stream=True) as service:
            assert (await service.request(source="function-url").prelude())["statusCode"] == 500
        assert "before it called start_response" in caplog.text

    async def test_an_application_whose_client_disconnects_is_closed(self, running: Run) -> None:
        closed = Gate()

        def parts() -> Iterator[bytes]:
            try:
                while True:
                    yield b"tick"
                    time.sleep(0.01)
            finally:
                closed.open()

        async with running(make_app("wsgi", 200, [], parts), stream=True) as service:
            outcome = service.request(source="function-url")
            await outcome.prelude()
            outcome.disconnect()
            await closed.wait()

    @pytest.mark.parametrize("is_started", [False, True])
    async def test_the_client_of_a_stuck_application_is_answered_at_the_deadline(
        self, running: Run, is_started: bool
    ) -> None:
        gate = Gate()

        def parts() -> Iterator[bytes]:
            if is_started:
                yield b"half"
            gate.wait_in_thread()
            yield b"late"

        async with running(make_app("wsgi", 200, [], parts), stream=True) as service:
            service.seconds = 1.0
            outcome = service.request(source="function-url")
            assert (await outcome.prelude())["statusCode"] == (200 if is_started else 504)
            assert await outcome.rest() == (b"half" if is_started else b"Gateway Timeout")
            assert (await outcome.trailers())[0] == ("Function.Timedout" if is_started else "")
            gate.open()
            service.seconds = 60.0
            assert (await service.request(source="function-url").prelude())["statusCode"] == 200


async def test_many_streams_at_once_have_a_connection_each() -> None:
    barrier = asyncio.Barrier(4)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await barrier.wait()
        await send(part(scope["path"].encode()))
        await barrier.wait()
        await send(END)

    async with services.running(app, concurrency=4, stream=True, lifespan="off") as service:
        outcomes = [service.request(f"/{number}", "function-url") for number in range(4)]
        for number, outcome in enumerate(outcomes):
            assert (await outcome.prelude())["statusCode"] == 200
            assert await outcome.rest() == f"/{number}".encode()
