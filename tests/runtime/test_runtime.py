"""One process of a function: what it answers with, how many at once, how it ends."""

from __future__ import annotations

import _thread
import asyncio
import gc
import json
import logging
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge.runtime import logs
from bridge.runtime.function import Function
from bridge.runtime.runtime import Runtime
from tests.runtime.service import running

if TYPE_CHECKING:
    from collections.abc import Callable

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
END = {"type": "http.response.body", "body": b"done"}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)


def wsgi_hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


class TestHandlers:
    async def test_a_plain_function_is_given_event_and_context(self) -> None:
        def handler(event: Any, context: Any) -> Any:
            return {
                "event": event,
                "id": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "has_time": 0 < context.get_remaining_time_in_millis() <= 60_000,
                "client": context.client_context,
                "identity": context.identity.cognito_identity_id,
                "w3c": context.w3c(),
            }

        async with running(handler, is_handler=True) as service:
            assert await service.invoke({"a": 1}).payload() == {
                "event": {"a": 1},
                "id": "r-0",
                "arn": "arn:aws:lambda:us-east-1:123456789012:function:shop",
                "has_time": True,
                "client": None,
                "identity": None,
                "w3c": {},
            }

    async def test_an_async_function_is_awaited(self) -> None:
        async def handler(event: Any, context: Any) -> Any:
            await asyncio.sleep(0)
            return [event]

        async with running(handler, is_handler=True) as service:
            assert await service.invoke("x").payload() == ["x"]

    async def test_a_plain_function_in_a_thread_may_run_the_event_loop_that_asyncio_gives_it(self) -> None:
        async def answer(event: Any) -> Any:
            return [event]

        def handler(event: Any, context: Any) -> Any:
            return asyncio.get_event_loop().run_until_complete(answer(event))

        async with running(handler, concurrency=2, is_handler=True) as service:
            assert await service.invoke("x").payload() == ["x"]

    async def test_bytes_are_posted_as_they_are(self) -> None:
        async with running(lambda event, context: b"\xff\x00", is_handler=True) as service:
            answer = service.invoke({})
            assert await answer.body() == b"\xff\x00"
            assert answer.asked.headers["content-type"] == "application/unknown"

    @pytest.mark.parametrize("result", [object(), {"a": {1, 2}}])
    async def test_what_json_cannot_write_is_an_error_and_not_the_end(self, result: Any) -> None:
        results = [result, "fine"]
        async with running(lambda event, context: results.pop(0), is_handler=True) as service:
            assert (await service.invoke({}).error())["errorType"] == "TypeError"
            assert await service.invoke({}).payload() == "fine"

    async def test_text_that_utf_8_cannot_write_is_escaped(self) -> None:
        async with running(lambda event, context: "\ud800 é", is_handler=True) as service:
            assert await service.invoke({}).payload() == "\ud800 é"

    async def test_what_a_function_raises_is_its_error(self, caplog: pytest.LogCaptureFixture) -> None:
        def handler(event: Any, context: Any) -> Any:
            raise LookupError("not there")

        async with running(handler, is_handler=True) as service:
            told = await service.invoke({}).error()
        assert (told["errorType"], told["errorMessage"]) == ("LookupError", "not there")
        assert len(told["stackTrace"]) == 1
        assert "not there" in caplog.text

    async def test_an_event_that_is_no_json_is_an_error(self) -> None:
        async with running(lambda event, context: event, is_handler=True) as service:
            assert (await service.invoke(b"{half").error())["errorType"] == "JSONDecodeError"

    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_an_application_answers_requests(self, app: Any) -> None:
        async with running(app) as service:
            payload = await service.ask().payload()
        assert (payload["statusCode"], payload["body"]) == (200, "done")

    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_a_warm_up_event_is_answered_and_another_one_is_an_error(self, app: Any) -> None:
        async with running(app) as service:
            assert await service.invoke({"source": "aws.events"}).payload() == {}
            assert (await service.invoke({"Records": []}).error())["errorType"] == "EventError"

    @pytest.mark.parametrize("concurrency", [1, 3])
    async def test_other_events_may_be_taken_by_an_async_function(self, concurrency: int) -> None:
        async def others(event: Any, context: Any) -> Any:
            return {"seen": event}

        async with running(hello, concurrency=concurrency, other_events=others) as service:
            assert await service.invoke({"a": 1}).payload() == {"seen": {"a": 1}}

    async def test_a_payload_that_is_too_large_is_answered_and_not_sent(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": bytes(7_000_000)})

        async with running(app) as service:
            assert (await service.ask().payload())["statusCode"] == 500


class Odd(BaseException):
    """Neither an Exception nor a wish to exit."""


async def cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(10))
    task.cancel()
    await task


class TestFailures:
    @pytest.mark.parametrize("error", [Odd(), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), None])
    @pytest.mark.parametrize("kind", ["asgi", "streamed", "begun", "plain", "async"])
    async def test_whatever_is_raised_is_one_request_s_failure(self, kind: str, error: BaseException | None) -> None:
        async def fail() -> None:
            if error is None:
                await cancelled()
            else:
                raise error

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if kind == "begun":
                await send(START)
                await send({"type": "http.response.body", "body": b"half", "more_body": True})
            if scope["path"] == "/fails":
                await fail()
            await hello(scope, receive, send) if kind != "begun" else await send(END)

        def plain(event: Any, context: Any) -> Any:
            if event["rawPath"] == "/fails":
                raise error or asyncio.CancelledError()
            return {"statusCode": 200}

        async def awaited(event: Any, context: Any) -> Any:
            if event["rawPath"] == "/fails":
                await fail()
            return {"statusCode": 200}

        target = {"plain": plain, "async": awaited}.get(kind, app)
        stream = kind in ("streamed", "begun")
        async with running(target, is_handler=target is not app, stream=stream, lifespan="off") as service:
            answer = service.ask("/fails", "function-url")
            if kind == "asgi":
                assert (await answer.payload())["statusCode"] == 500
            elif kind == "streamed":
                assert (await answer.prelude())["statusCode"] == 500
            elif kind == "begun":
                assert (await answer.body()).endswith(b"half")
                assert answer.asked.trailers
            else:
                assert (await answer.error())["errorType"] == type(error or asyncio.CancelledError()).__name__
            following = service.ask("/", "function-url")
            status = (await following.prelude() if stream else await following.payload())["statusCode"]
            assert status == 200
            assert not service.running.done()

    async def test_an_exit_of_a_wsgi_application_is_a_500_as_an_asgi_one_s(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            raise SystemExit(5)

        async with running(app) as service:
            assert (await service.ask().payload())["statusCode"] == 500
            assert await asyncio.wait_for(service.running, 20) == 5
        assert "raise SystemExit(5)" in caplog.text

    async def test_a_status_that_api_gateway_maps_without_a_proxy_is_an_error(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send(END)

        event = json.loads((Path(__file__).parents[1] / "events" / "rest_lambda_integration.json").read_text())
        async with running(app, lifespan="off") as service:
            assert (await service.invoke(event).error())["errorType"] == "FailedIntegrationError"

    @pytest.mark.parametrize("stream", [False, True])
    async def test_an_api_that_breaks_ends_the_process_and_is_no_failure_of_the_application(
        self, stream: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(hello, stream=stream, lifespan="off") as service:
            service.breaks = True
            service.ask(source="function-url")
            assert await asyncio.wait_for(service.running, 20) == 1
        assert "The Runtime API answered 500" in caplog.text
        assert "The application failed" not in caplog.text

    async def test_a_busy_request_is_not_ended_for_one_that_is_out_of_time(self) -> None:
        busy = threading.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/hangs":
                await asyncio.Event().wait()
            until = time.monotonic() + 0.6
            while time.monotonic() < until:  # as it might render a long page
                busy.set()
            await hello(scope, receive, send)

        async with running(app, concurrency=2, lifespan="off") as service:
            service.seconds = 0.5
            hanging = service.ask("/hangs")
            await asyncio.sleep(0.2)
            service.seconds = 60.0
            assert (await service.ask("/busy").payload())["statusCode"] == 200
            assert (await hanging.payload())["statusCode"] == 504


class TestManyAtOnce:
    async def test_asgi_requests_run_concurrently_in_one_process_with_one_lifespan(self) -> None:
        lives: list[str] = []
        meeting = asyncio.Barrier(8)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                lives.append((await receive())["type"])
                scope["state"]["pool"] = "a pool"
                await send({"type": "lifespan.startup.complete"})
                lives.append((await receive())["type"])
                await send({"type": "lifespan.shutdown.complete"})
                return
            await meeting.wait()  # passed by all together or by nobody
            await send(START)
            await send({"type": "http.response.body", "body": scope["state"]["pool"].encode()})

        async with running(app, concurrency=8) as service:
            answers = [service.ask(f"/{number}") for number in range(16)]
            assert {(await answer.payload())["body"] for answer in answers} == {"a pool"}
        assert lives == ["lifespan.startup", "lifespan.shutdown"]

    @pytest.mark.parametrize("kind", ["wsgi", "handler"])
    async def test_what_blocks_runs_in_threads(self, kind: str) -> None:
        meeting = threading.Barrier(4)

        def app(environ: Any, start_response: Any) -> list[bytes]:
            meeting.wait(20)
            return wsgi_hello(environ, start_response)

        def handler(event: Any, context: Any) -> Any:
            meeting.wait(20)
            return {"statusCode": 200}

        is_handler = kind == "handler"
        async with running(handler if is_handler else app, concurrency=4, is_handler=is_handler) as service:
            answers = [service.ask() for _ in range(4)]
            assert [(await answer.payload())["statusCode"] for answer in answers] == [200] * 4

    async def test_one_at_a_time_a_plain_function_runs_in_the_main_thread(self) -> None:
        async with running(
            lambda event, context: threading.current_thread() is threading.main_thread(), is_handler=True
        ) as service:
            assert await service.invoke({}).payload() is True

    @pytest.mark.parametrize("kind", ["asgi", "wsgi"])
    async def test_each_request_knows_its_own_id_in_tasks_and_threads_and_logs(self, kind: str) -> None:
        lines: list[str] = []
        meeting = asyncio.Barrier(4)
        in_threads = threading.Barrier(4)
        log = logging.getLogger("shop")
        recorder = logging.Handler()
        recorder.setFormatter(logs.TextFormatter())
        recorder.emit = lambda record: lines.append(recorder.format(record))  # type: ignore[method-assign]
        log.addHandler(recorder)

        def seen() -> str:
            found = bridge.current_request()
            assert found is not None
            assert found.trace_id == f"Root={found.request_id}"
            assert found.context.aws_request_id == found.request_id
            log.warning("%s", found.event["rawPath"])
            return found.request_id

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await meeting.wait()
            ids = {seen(), await asyncio.to_thread(seen), await asyncio.create_task(asyncio.to_thread(seen))}
            await send(START)
            await send({"type": "http.response.body", "body": ",".join(ids).encode()})

        def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
            in_threads.wait(20)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [seen().encode()]

        try:
            async with running(app if kind == "asgi" else wsgi_app, concurrency=4, lifespan="off") as service:
                answers = [service.ask(f"/{number}") for number in range(4)]
                bodies = [(await answer.payload())["body"] for answer in answers]
        finally:
            log.removeHandler(recorder)
        assert bodies == ["r-0", "r-1", "r-2", "r-3"]
        assert {line.split("\t")[2].removeprefix("r-") for line in lines} == {"0", "1", "2", "3"}
        assert all(line.split("\t")[2].removeprefix("r-") == line.rpartition("/")[2] for line in lines)
        assert bridge.current_request() is None

    async def test_what_one_request_sets_no_other_sees(self) -> None:
        from contextvars import ContextVar

        mark: ContextVar[str] = ContextVar("mark", default="")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            before = mark.get()
            mark.set("set")
            await send(START)
            await send({"type": "http.response.body", "body": before.encode()})

        async with running(app) as service:
            assert [(await service.ask().payload())["body"] for _ in range(3)] == ["", "", ""]


class TestAfterTheAnswer:
    async def test_the_client_has_it_before_the_background_work_and_that_before_the_next_request(self) -> None:
        order: list[str] = []
        gate = asyncio.Event()

        async def later() -> None:
            await asyncio.sleep(0.01)
            order.append("task")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            order.append(scope["path"])
            await send(START)
            await send(END)
            if scope["path"] == "/first":
                scope["keep"] = asyncio.create_task(later())
                await gate.wait()
                order.append("after")

        async with running(app) as service:
            first, second = service.ask("/first"), service.ask("/second")
            await first.payload()
            assert not second.begun.is_set()
            gate.set()
            await second.payload()
        assert order == ["/first", "after", "task", "/second"]

    async def test_a_streamed_one_ends_before_it_as_well(self) -> None:
        gate = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(END)
            await gate.wait()

        async with running(app, stream=True) as service:
            answer = service.ask(source="function-url")
            assert (await answer.body()).endswith(b"done")
            gate.set()

    async def test_it_has_the_invocation_s_time_and_no_more(self, caplog: pytest.LogCaptureFixture) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(END)
            if scope["path"] == "/":
                scope["keep"] = asyncio.create_task(asyncio.sleep(60), name="the letter")

        async with running(app) as service:
            service.seconds = 0.3
            assert (await service.ask("/").payload())["statusCode"] == 200
            service.seconds = 60.0
            assert (await service.ask("/next").payload())["statusCode"] == 200
        assert "the letter" in caplog.text

    async def test_what_fails_after_the_answer_is_logged_and_the_answer_stands(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(END)
            raise LookupError("too late to matter")

        async with running(app) as service:
            assert (await service.ask().payload())["statusCode"] == 200
            assert (await service.ask().payload())["statusCode"] == 200
        assert "too late to matter" in caplog.text


class TestOutOfTime:
    async def test_an_application_that_never_answers_is_answered_for(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/hangs":
                await asyncio.Event().wait()
            await hello(scope, receive, send)

        async with running(app) as service:
            service.seconds = 0.4
            assert (await service.ask("/hangs").payload())["statusCode"] == 504
            service.seconds = 60.0
            assert (await service.ask("/").payload())["statusCode"] == 200

    @pytest.mark.parametrize("stream", [False, True])
    async def test_one_that_will_not_be_cancelled_too(self, stream: bool) -> None:
        over = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    continue
            await hello(scope, receive, send)

        async with running(app, stream=stream, lifespan="off") as service:
            service.seconds = 0.4
            answer = service.ask(source="function-url")
            status = (await answer.prelude() if stream else await answer.payload())["statusCode"]
            assert status == 504
            over.set()


class TestTheEnd:
    async def test_requests_in_flight_come_to_their_end_and_then_the_lifespan(self) -> None:
        order: list[str] = []
        gate = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                order.append("shutdown")
                await send({"type": "lifespan.shutdown.complete"})
                return
            await gate.wait()
            await hello(scope, receive, send)
            order.append("answered")

        async with running(app, concurrency=2) as service:
            while service.most_waiting < 2:
                await asyncio.sleep(0.01)
            answer = service.ask()
            await asyncio.sleep(0.05)
            service.runtime.stop()
            not_taken = service.ask()
            gate.set()
            assert (await answer.payload())["statusCode"] == 200
            assert await service.running == 0
            assert not not_taken.begun.is_set()
        assert order == ["answered", "shutdown"]

    @pytest.mark.parametrize("kind", ["asgi", "handler"])
    async def test_a_function_that_exits_answers_for_its_request_and_ends_the_process(
        self, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise SystemExit(3)

        def handler(event: Any, context: Any) -> Any:
            raise SystemExit(3)

        async with running(app if kind == "asgi" else handler, is_handler=kind == "handler", lifespan="off") as service:
            answer = service.ask()
            if kind == "asgi":
                assert (await answer.payload())["statusCode"] == 500
            else:
                assert (await answer.error())["errorType"] == "Runtime.ExitError"
            assert await asyncio.wait_for(service.running, 20) == 3
        assert "sys.exit(3)" in caplog.text

    async def test_a_lifespan_that_fails_is_an_error_of_the_init(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        async with running(app) as service:
            assert await asyncio.wait_for(service.running, 20) == 1
        assert service.init_error["errorType"] == "LifespanError"
        assert "no database" in service.init_error["errorMessage"]

    async def test_an_api_that_is_gone_ends_the_process_with_a_message(
        self, unused_tcp_port: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bridge.runtime.api._PAUSE_SECONDS", 0.001)
        runtime = Runtime(Function(lambda event, context: None), f"127.0.0.1:{unused_tcp_port}", 3)
        assert await runtime.run() == 1
        assert f"127.0.0.1:{unused_tcp_port} cannot be reached" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: hello, lambda: wsgi_hello])
async def test_thousands_of_invocations_leave_nothing_behind(make: Callable[[], Any]) -> None:
    async with running(make(), concurrency=4) as service:

        async def ask(times: int) -> None:
            for _ in range(times // 200):
                for answer in [service.ask() for _ in range(200)]:
                    await answer.payload()
                service.forget()
            gc.collect()

        await ask(200)
        tasks, threads, blocks = len(asyncio.all_tasks()), _thread._count(), sys.getallocatedblocks()
        await ask(2_400)
        assert sys.getallocatedblocks() - blocks < 240  # not an object in ten invocations, whosever it is
        tracemalloc.start()  # it is slow, but knows of objects of more than 512 bytes as well
        before = tracemalloc.take_snapshot()
        await ask(400)
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        assert len(asyncio.all_tasks()) == tasks
        assert _thread._count() == threads
        own = [stat for stat in after.compare_to(before, "filename") if "/bridge/" in stat.traceback[0].filename]
        assert sum(stat.size_diff for stat in own) < 100_000, own[:5]
