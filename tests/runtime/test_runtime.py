"""A function under the runtime: payloads, failures, context, work after the response, and the end of the process."""

from __future__ import annotations

import _thread
import asyncio
import gc
import json
import logging
import os
import sys
import threading
import time
import tracemalloc
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wrapt

import bridge
from bridge.handlers import Handler
from bridge.runtime.logs import LambdaLoggerHandler
from tests.runtime import service as services
from tests.runtime.service import TIMEOUT, Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
END = {"type": "http.response.body", "body": b"done"}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)


def wsgi_hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


class TestPayloads:
    async def test_a_function_receives_event_and_context(self, running: Run) -> None:
        def handler(event: Any, context: Any) -> Any:
            return {
                "event": event,
                "id": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "has_time": 0 < context.get_remaining_time_in_millis() <= 60_000,
            }

        async with running(handler, is_handler=True) as service:
            assert await service.invoke({"a": 1}).payload() == {
                "event": {"a": 1},
                "id": "r-0",
                "arn": "arn:aws:lambda:us-east-1:123456789012:function:shop",
                "has_time": True,
            }

    async def test_an_async_function_is_awaited(self, running: Run) -> None:
        async def handler(event: Any, context: Any) -> Any:
            await asyncio.sleep(0)
            return [event]

        class Handler:
            async def __call__(self, event: Any, context: Any) -> Any:
                return await handler(event, context)

        for each in (handler, Handler(), lambda event, context: handler(event, context)):
            async with running(each, is_handler=True) as service:
                assert [await service.invoke(event).payload() for event in "xy"] == [["x"], ["y"]]

    async def test_a_plain_function_may_run_an_event_loop(self, running: Run) -> None:
        async def answer(event: Any) -> Any:
            return [event]

        def handler(event: Any, context: Any) -> Any:
            assert asyncio.get_event_loop().run_until_complete(answer(event)) == [event]
            return asyncio.run(answer(event))

        async with running(handler, is_handler=True) as service:
            assert await service.invoke("x").payload() == ["x"]

    async def test_bytes_are_posted_unchanged(self, running: Run) -> None:
        async with running(lambda event, context: b"\xff\x00", is_handler=True) as service:
            outcome = service.invoke({})
            assert await outcome.body() == b"\xff\x00"
            assert outcome.request.headers["content-type"] == "application/unknown"

    @pytest.mark.parametrize("result", [object(), {"a": {1, 2}}])
    async def test_a_payload_that_is_not_json_is_an_error_and_the_process_continues(
        self, running: Run, result: Any
    ) -> None:
        results = [result, "fine"]
        async with running(lambda event, context: results.pop(0), is_handler=True) as service:
            assert (await service.invoke({}).error())["errorType"] == "TypeError"
            assert await service.invoke({}).payload() == "fine"

    async def test_text_that_is_not_utf_8_is_escaped(self, running: Run) -> None:
        async with running(lambda event, context: "\ud800 é", is_handler=True) as service:
            assert await service.invoke({}).payload() == "\ud800 é"

    async def test_an_event_that_is_not_json_is_an_error(self, running: Run) -> None:
        async with running(lambda event, context: event, is_handler=True) as service:
            assert (await service.invoke(b"{half").error())["errorType"] == "JSONDecodeError"

    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_an_application_answers_requests_and_warm_up_events(self, running: Run, app: Any) -> None:
        async with running(app) as service:
            payload = await service.request().payload()
            assert (payload["statusCode"], payload["body"]) == (200, "done")
            assert await service.invoke({"source": "aws.events"}).payload() == {}
            assert (await service.invoke({"Records": []}).error())["errorType"] == "EventError"

    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_the_callback_for_other_events_may_be_async_or_run_an_event_loop(
        self, running: Run, app: Any
    ) -> None:
        async def later(event: Any, context: Any) -> Any:
            return {"seen": event}

        def with_loop(event: Any, context: Any) -> Any:
            return asyncio.run(later(event, context))

        for callback in (later, with_loop):
            async with running(app, other_events=callback) as service:
                assert await service.invoke({"a": 1}).payload() == {"seen": {"a": 1}}

    async def test_a_request_that_is_refused_does_not_reach_the_application(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError

        event = json.loads((Path(__file__).parents[1] / "events" / "edge_origin_request_truncated.json").read_text())
        async with running(app, lifespan="off") as service:
            assert (await service.invoke(event).payload())["status"] == "413"

    async def test_a_payload_that_is_too_large_becomes_a_500(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": bytes(7_000_000)})

        async with running(app) as service:
            assert (await service.request().payload())["statusCode"] == 500


class OtherError(BaseException):
    """An exception that is no Exception."""


async def be_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(10))
    task.cancel()
    await task


class TestFailures:
    async def test_an_exception_is_reported_with_its_stack_and_logged(
        self, running: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        def handler(event: Any, context: Any) -> Any:
            raise LookupError("not there")

        async with running(handler, is_handler=True) as service:
            report = await service.invoke({}).error()
        assert (report["errorType"], report["errorMessage"]) == ("LookupError", "not there")
        assert len(report["stackTrace"]) == 1
        assert "not there" in caplog.text

    @pytest.mark.parametrize(
        "error", [OtherError(), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), None]
    )
    @pytest.mark.parametrize("kind", ["asgi", "streamed", "started", "plain", "async"])
    async def test_every_exception_fails_one_invocation_and_the_process_continues(
        self, running: Run, kind: str, error: BaseException | None
    ) -> None:
        async def fail() -> None:
            if error is None:
                await be_cancelled()
            else:
                raise error

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if kind == "started":
                await send(START)
                await send({"type": "http.response.body", "body": b"half", "more_body": True})
            if scope["path"] == "/fails":
                await fail()
            await hello(scope, receive, send) if kind != "started" else await send(END)

        def plain(event: Any, context: Any) -> Any:
            if event["rawPath"] == "/fails":
                raise error or asyncio.CancelledError()
            return {"statusCode": 200}

        async def awaited(event: Any, context: Any) -> Any:
            if event["rawPath"] == "/fails":
                await fail()
            return {"statusCode": 200}

        target = {"plain": plain, "async": awaited}.get(kind, app)
        stream = kind in ("streamed", "started")
        async with running(target, is_handler=target is not app, stream=stream, lifespan="off") as service:
            outcome = service.request("/fails", "function-url")
            if kind == "asgi":
                assert (await outcome.payload())["statusCode"] == 500
            elif kind == "streamed":
                assert (await outcome.prelude())["statusCode"] == 500
            elif kind == "started":
                assert (await outcome.body()).endswith(b"half")
                assert outcome.request.trailers
            else:
                assert (await outcome.error())["errorType"] == type(error or asyncio.CancelledError()).__name__
            following = service.request("/", "function-url")
            assert (await following.prelude() if stream else await following.payload())["statusCode"] == 200
            assert not service.running.done()

    @pytest.mark.parametrize("end", ["await", "raise", "respond"])
    @pytest.mark.parametrize("kind", ["asgi", "streamed", "started", "async"])
    async def test_a_function_that_cancels_its_own_task_fails_one_invocation_at_most(
        self, running: Run, kind: str, end: str
    ) -> None:
        async def cancel() -> None:
            task: Any = asyncio.current_task()
            task.cancel()
            if end == "await":
                await asyncio.sleep(10)
            if end == "raise":
                raise LookupError

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if kind == "started":
                await send(START)
                await send({"type": "http.response.body", "body": b"half", "more_body": True})
            if scope["path"] == "/cancels":
                await cancel()
            await hello(scope, receive, send) if kind != "started" else await send(END)

        async def handler(event: Any, context: Any) -> Any:
            if event["rawPath"] == "/cancels":
                await cancel()
            return {"statusCode": 200}

        is_handler = kind == "async"
        stream = kind in ("streamed", "started")
        target = handler if is_handler else app
        async with running(target, is_handler=is_handler, stream=stream, lifespan="off") as service:
            await service.request("/cancels", "function-url").body()
            following = service.request("/", "function-url")
            assert (await following.prelude() if stream else await following.payload())["statusCode"] == 200
            assert not service.running.done()

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("ends", ["all tasks", "all other tasks", "the loop"])
    async def test_an_application_that_ends_what_it_finds_does_not_end_the_process(
        self, ends: str, stream: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        is_left, states = Gate(), []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            loop, own = asyncio.get_running_loop(), asyncio.current_task()
            if scope["type"] == "lifespan":
                for phase in ("startup", "shutdown"):
                    states.append((await receive())["type"])
                    if ends == "the loop":
                        loop.stop()
                        await asyncio.sleep(0)
                    await send({"type": f"lifespan.{phase}.complete"})
                return
            if scope["path"] == "/ends":
                if ends == "the loop":
                    loop.stop()
                for task in asyncio.all_tasks() if ends != "the loop" else ():
                    name = getattr(task.get_coro(), "__qualname__", "")
                    if (ends == "all tasks" or task is not own) and "ifespan" not in name:
                        task.cancel()
                await asyncio.sleep(0)
            if scope["path"] == "/neighbour":
                is_left.open()
                await asyncio.sleep(0.05 if ends == "the loop" else 60)
            await hello(scope, receive, send)
            if scope["path"] == "/leaves":
                background.add(asyncio.create_task(asyncio.sleep(0.05 if ends == "the loop" else 60)))

        async def status(outcome: services.Outcome) -> int:
            return int((await outcome.prelude() if stream else await outcome.payload())["statusCode"])

        background: set[Any] = set()
        async with services.running(app, concurrency=4, stream=stream, background_seconds=60) as service:
            for _ in range(3):
                is_left.close()
                neighbour = service.request("/neighbour", "function-url")
                assert await status(service.request("/leaves", "function-url")) == 200
                await is_left.wait()
                expected = 500 if ends == "all tasks" else 200
                assert await status(service.request("/ends", "function-url")) == expected
                assert await status(neighbour) == (200 if ends == "the loop" else 500)
                following = [service.request("/", "function-url") for _ in range(8)]
                assert [await status(outcome) for outcome in following] == [200] * 8
            assert not service.running.done()
        assert states == ["lifespan.startup", "lifespan.shutdown"]
        assert "refused" not in caplog.text

    @pytest.mark.parametrize("kind", ["asgi", "streamed", "started", "plain", "async", "streamed wsgi"])
    async def test_an_exception_without_a_message_in_a_folder_that_was_removed_is_reported(
        self, running: Run, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class SilentError(Exception):
            def __str__(self) -> str:
                raise OSError("no message")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if kind == "started":
                await send(START)
                await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise SilentError

        def wsgi(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            yield b"half"
            raise SilentError

        def plain(event: Any, context: Any) -> Any:
            raise SilentError

        async def awaited(event: Any, context: Any) -> Any:
            raise SilentError

        folder = tmp_path / "removed"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()
        target = {"plain": plain, "async": awaited, "streamed wsgi": wsgi}.get(kind, app)
        stream = kind.startswith(("streamed", "started"))
        async with running(target, is_handler=kind in ("plain", "async"), stream=stream) as service:
            for _ in range(2):
                outcome = service.request(source="function-url")
                if kind in ("started", "streamed wsgi"):
                    assert (await outcome.body()).endswith(b"half")
                    assert (await outcome.trailers())[1]["errorMessage"] == "<SilentError.__str__() failed>"
                elif kind in ("plain", "async"):
                    assert (await outcome.error())["errorMessage"] == "<SilentError.__str__() failed>"
                else:
                    assert (await outcome.prelude() if stream else await outcome.payload())["statusCode"] == 500

    @pytest.mark.parametrize("kind", ["asgi", "streamed", "wsgi", "streamed wsgi", "handler"])
    @pytest.mark.parametrize(
        "headers",
        [
            {"Lambda_Runtime_Client_Context": "[" * 2_000},
            {"Lambda_Runtime_Client_Context": "\0", "Lambda_Runtime_Cognito_Identity": "\0"},
            {"Lambda_Runtime_Trace_Id": "Root=\0"},
            {"deadline": "²"},
            {"deadline": "9" * 5_000},
        ],
        ids=lambda headers: f"{next(iter(headers))}-{next(iter(headers.values()))[0]!a}",
    )
    async def test_what_one_invocation_brings_does_not_end_the_process(
        self, running: Run, kind: str, headers: dict[str, str]
    ) -> None:
        target = {"handler": lambda event, context: {"statusCode": 200}}.get(
            kind, wsgi_hello if kind.endswith("wsgi") else hello
        )
        stream = kind.startswith("streamed")
        async with running(target, is_handler=kind == "handler", stream=stream, lifespan="off") as service:
            service.headers = headers
            await service.request(source="function-url").body()
            service.headers = {}
            outcome = service.request(source="function-url")
            assert (await outcome.prelude() if stream else await outcome.payload())["statusCode"] == 200

    @pytest.mark.parametrize("event", [b"[" * 100_000, b"\xff", b"", b"null", b"[]", b"{}"])
    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_an_event_that_is_no_request_does_not_end_the_process(
        self, running: Run, app: Any, event: bytes
    ) -> None:
        async with running(app, lifespan="off") as service:
            await service.invoke(event).error()
            assert (await service.request().payload())["statusCode"] == 200

    async def test_a_failed_integration_without_proxy_is_an_error(self, running: Run) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send(END)

        event = json.loads((Path(__file__).parents[1] / "events" / "rest_lambda_integration.json").read_text())
        async with running(app, lifespan="off") as service:
            assert (await service.invoke(event).error())["errorType"] == "FailedIntegrationError"

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_an_api_that_fails_ends_the_process_and_is_no_failure_of_the_application(
        self, running: Run, stream: bool, app: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(app, stream=stream, lifespan="off") as service:
            service.is_broken = True
            service.request(source="function-url")
            with pytest.raises(bridge.BridgeError, match=r"500: State\.Broken"):
                await service.exit_status()
        assert "The application failed" not in caplog.text


class TestWrappedHandlers:
    """What telemetry libraries put around a handler is called, and not the handler inside."""

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_a_proxy_that_passes_for_the_handler_is_called(
        self, running: Run, app: Any, stream: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        events: list[str] = []

        def traced(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            events.append("begins")
            try:
                return wrapped(*args, **kwargs)
            finally:
                events.append("ends")

        handler: Any = wrapt.FunctionWrapper(bridge.handler(app), traced)
        assert isinstance(handler, Handler)
        async with running(handler, is_handler=True, stream=stream) as service:
            for _ in range(2):
                assert (await service.request(source="function-url").payload())["body"] == "done"
        assert events == ["begins", "ends"] * 2
        assert ("BRIDGE_RESPONSE_MODE=stream has no effect" in caplog.text) == stream


class TestContext:
    async def test_a_function_runs_in_the_thread_of_the_runtime(self) -> None:
        async with services.running(lambda event, context: threading.get_ident(), is_handler=True) as service:
            assert await service.invoke({}).payload() == service.thread

    @pytest.mark.parametrize("app", [hello, wsgi_hello])
    async def test_the_current_request_is_the_scope(self, running: Run, app: Any) -> None:
        seen = []

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            seen.append(bridge.current_request())
            await hello(scope, receive, send)

        def wsgi(environ: Any, start_response: Any) -> list[bytes]:
            seen.append(bridge.current_request())
            return wsgi_hello(environ, start_response)

        async with running(asgi if app is hello else wsgi, lifespan="off") as service:
            await service.request("/here").payload()
        assert str(seen) == "[<Scope http-api: GET /here>]"

    async def test_context_variables_are_not_kept_for_the_next_invocation(self, running: Run) -> None:
        variable: ContextVar[str] = ContextVar("variable", default="")

        def handler(event: Any, context: Any) -> str:
            before = variable.get()
            variable.set("set")
            return before

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": handler(None, None).encode()})

        async with running(app) as service:
            assert [(await service.request().payload())["body"] for _ in range(3)] == ["", "", ""]
        async with running(handler, is_handler=True) as service:
            assert [await service.invoke({}).payload() for _ in range(3)] == ["", "", ""]

    async def test_x_ray_s_trace_header_is_in_the_environment_for_one_invocation_at_a_time(
        self, running: Run, is_on_loop: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "before")

        def handler(event: Any, context: Any) -> Any:
            return [context.trace_id, os.environ["_X_AMZN_TRACE_ID"]]

        async with running(handler, is_handler=True) as service:
            assert await service.invoke({}).payload() == ["Root=r-0", "before" if is_on_loop else "Root=r-0"]


class TestConcurrency:
    async def test_asgi_requests_run_on_one_loop_with_one_lifespan(self) -> None:
        messages: list[str] = []
        barrier = asyncio.Barrier(8)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                messages.append((await receive())["type"])
                scope["state"]["pool"] = "a pool"
                await send({"type": "lifespan.startup.complete"})
                messages.append((await receive())["type"])
                await send({"type": "lifespan.shutdown.complete"})
                return
            await barrier.wait()
            await send(START)
            await send({"type": "http.response.body", "body": scope["state"]["pool"].encode()})

        async with services.running(app, concurrency=8) as service:
            outcomes = [service.request(f"/{number}") for number in range(16)]
            assert {(await outcome.payload())["body"] for outcome in outcomes} == {"a pool"}
        assert messages == ["lifespan.startup", "lifespan.shutdown"]

    async def test_an_application_that_runs_on_a_loop_of_its_own_is_answered_for_on_the_runtime_s_loop(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        handler = bridge.asgi_handler(hello, lifespan="off")
        await asyncio.to_thread(handler.startup)
        async with services.running(handler, is_handler=True, concurrency=1) as service:
            assert (await service.request().payload())["body"] == "done"
        assert caplog.text == ""

    async def test_the_lifespan_of_such_an_application_ends_on_the_loop_on_which_it_started(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        loops = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "lifespan"
            for _ in range(2):
                message = await receive()
                loops.append(asyncio.get_running_loop())
                await send({"type": f"{message['type']}.complete"})

        handler = bridge.asgi_handler(app, lifespan="on")
        await asyncio.to_thread(handler.startup)
        async with services.running(handler, is_handler=True, concurrency=1):
            pass
        assert len(loops) == 2
        assert loops[0] is loops[1]
        assert caplog.text == ""

    @pytest.mark.parametrize("kind", ["wsgi", "streamed wsgi", "handler"])
    async def test_functions_that_block_run_in_threads(self, kind: str) -> None:
        barrier = threading.Barrier(4)

        def app(environ: Any, start_response: Any) -> list[bytes]:
            barrier.wait(TIMEOUT)
            return wsgi_hello(environ, start_response)

        def handler(event: Any, context: Any) -> Any:
            barrier.wait(TIMEOUT)
            return {"statusCode": 200}

        target, is_handler = (handler, True) if kind == "handler" else (app, False)
        stream = kind == "streamed wsgi"
        async with services.running(target, concurrency=4, is_handler=is_handler, stream=stream) as service:
            outcomes = [service.request(source="function-url") for _ in range(4)]
            for outcome in outcomes:
                assert (await outcome.prelude() if stream else await outcome.payload())["statusCode"] == 200

    @pytest.mark.parametrize("kind", ["asgi", "wsgi"])
    async def test_each_request_has_its_own_id_in_tasks_threads_and_logs(self, kind: str) -> None:
        lines: list[str] = []
        barrier = asyncio.Barrier(4)
        thread_barrier = threading.Barrier(4)
        log = logging.getLogger("shop")
        recorder = LambdaLoggerHandler(None, is_json=False)
        recorder.emit = lambda record: lines.append(recorder.format(record))  # type: ignore[method-assign]
        log.addHandler(recorder)

        def request_id() -> str:
            request = bridge.current_request()
            assert request is not None
            assert request.trace_id == f"Root={request.request_id}"
            assert request.context.aws_request_id == request.request_id
            log.warning("%s", request.event["rawPath"])
            return request.request_id

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await barrier.wait()
            ids = {
                request_id(),
                await asyncio.to_thread(request_id),
                await asyncio.create_task(asyncio.to_thread(request_id)),
            }
            await send(START)
            await send({"type": "http.response.body", "body": ",".join(ids).encode()})

        def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
            thread_barrier.wait(TIMEOUT)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [request_id().encode()]

        target = app if kind == "asgi" else wsgi_app
        try:
            async with services.running(target, concurrency=4, lifespan="off") as service:
                outcomes = [service.request(f"/{number}") for number in range(4)]
                bodies = [(await outcome.payload())["body"] for outcome in outcomes]
        finally:
            log.removeHandler(recorder)
        assert bodies == ["r-0", "r-1", "r-2", "r-3"]
        assert {line.split("\t")[2].removeprefix("r-") for line in lines} == {"0", "1", "2", "3"}
        assert all(line.split("\t")[2].removeprefix("r-") == line.rpartition("/")[2] for line in lines)
        assert bridge.current_request() is None

    async def test_the_deadline_of_one_request_does_not_cancel_another_one(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/hangs":
                await asyncio.Event().wait()
            end = time.monotonic() + 0.6
            while time.monotonic() < end:  # blocks the loop, like rendering a long page
                pass
            await hello(scope, receive, send)

        async with services.running(app, concurrency=2, lifespan="off") as service:
            service.seconds = 0.5
            hanging = service.request("/hangs")
            await asyncio.sleep(0.2)
            service.seconds = 60.0
            assert (await service.request("/busy").payload())["statusCode"] == 200
            assert (await hanging.payload())["statusCode"] == 504


class TestAfterTheResponse:
    async def test_the_response_is_posted_before_background_work_which_precedes_the_next_request(
        self, running: Run
    ) -> None:
        order: list[str] = []
        gate = Gate()

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
            first, second = service.request("/first"), service.request("/second")
            await first.payload()
            assert not second.started.is_set()
            gate.open()
            await second.payload()
        assert order == ["/first", "after", "task", "/second"]

    async def test_a_stream_ends_before_background_work(self, running: Run) -> None:
        gate = Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(END)
            await gate.wait()

        async with running(app, stream=True, lifespan="off") as service:
            assert (await service.request(source="function-url").body()).endswith(b"done")
            gate.open()

    async def test_background_tasks_have_the_time_of_the_invocation(
        self, running: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(END)
            if scope["path"] == "/":
                scope["keep"] = asyncio.create_task(asyncio.sleep(60), name="the letter")

        async with running(app) as service:
            service.seconds = 1.0
            assert (await service.request("/").payload())["statusCode"] == 200
            service.seconds = 60.0
            assert (await service.request("/next").payload())["statusCode"] == 200
        assert "the letter" in caplog.text

    async def test_an_application_that_fails_with_tasks_left_is_answered_before_they_end(self, running: Run) -> None:
        gate = Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["keep"] = asyncio.create_task(gate.wait())
            raise LookupError("no database")

        async with running(app, lifespan="off") as service:
            assert (await service.request().payload())["statusCode"] == 500
            gate.open()

    async def test_an_exception_after_the_response_is_logged(
        self, running: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(END)
            raise LookupError("too late")

        async with running(app, lifespan="off") as service:
            assert (await service.request().payload())["statusCode"] == 200
            assert (await service.request().payload())["statusCode"] == 200
        assert "too late" in caplog.text

    @pytest.mark.parametrize("kind", ["asgi", "wsgi", "handler", "failing"])
    async def test_callbacks_run_after_the_response_and_the_tasks_with_the_current_request(
        self, running: Run, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        gate = Gate()

        def flush() -> None:
            request = bridge.current_request()
            assert request is not None
            gate.wait_in_thread()
            order.append(f"flushed {request.request_id}")

        async def later() -> None:
            await asyncio.sleep(0.01)
            order.append("task")

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            scope["keep"] = asyncio.create_task(later())
            await hello(scope, receive, send)

        def handler(event: Any, context: Any) -> Any:
            return {"statusCode": 200} if kind == "handler" else 1 / 0

        monkeypatch.setattr("bridge.response_callbacks.callbacks", [flush])
        target = {"asgi": asgi, "wsgi": wsgi_hello}.get(kind, handler)
        async with running(target, is_handler=target is handler, lifespan="off") as service:
            first = service.request()
            await (first.error() if kind == "failing" else first.payload())
            assert order in ([], ["task"])
            gate.open()
            await service.request().body()
            await service.request().body()  # the second invocation has ended
        expected = ["flushed r-0", "flushed r-1"]
        assert order[:4] == (
            ["task", expected[0], "task", expected[1]] if kind == "asgi" else [*expected, "flushed r-2"]
        )


class TestDeadline:
    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("ignores_cancellation", [False, True])
    async def test_an_application_that_does_not_answer_is_answered_with_504(
        self, running: Run, stream: bool, ignores_cancellation: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate = Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while scope["path"] == "/hangs" and not gate.is_open:
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    if not ignores_cancellation:
                        raise
            await hello(scope, receive, send)

        async with running(app, stream=stream, lifespan="off") as service:
            service.seconds = 0.8
            outcome = service.request("/hangs", source="function-url")
            assert (await outcome.prelude() if stream else await outcome.payload())["statusCode"] == 504
            gate.open()
            service.seconds = 60.0
            outcome = service.request("/", source="function-url")
            assert (await outcome.prelude() if stream else await outcome.payload())["statusCode"] == 200
        assert "GET /hangs has run for " in caplog.text
        assert "The application waits here" in caplog.text

    async def test_a_wsgi_application_that_does_not_answer_has_its_stack_logged(
        self, running: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            while "GET /hangs has run for " not in caplog.text:
                time.sleep(0.01)
            return wsgi_hello(environ, start_response)

        async with running(app) as service:
            service.seconds = 1.0
            assert (await service.request("/hangs").payload())["statusCode"] == 200
        assert 'while "GET /hangs' in caplog.text or "time.sleep(0.01)" in caplog.text


class TestTheEnd:
    @pytest.mark.parametrize("concurrency", [0, 2])
    async def test_requests_in_flight_are_answered_before_the_lifespan_shuts_down(self, concurrency: int) -> None:
        order: list[str] = []
        gate, called = Gate(), Gate()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                order.append("shutdown")
                await send({"type": "lifespan.shutdown.complete"})
                return
            called.open()
            await gate.wait()
            await hello(scope, receive, send)
            order.append("answered")

        async with services.running(app, concurrency=concurrency) as service:
            outcome = service.request()
            await called.wait()
            service.runtime.stop()
            not_sent = service.request()
            gate.open()
            assert (await outcome.payload())["statusCode"] == 200
            assert await service.exit_status() == 0
            assert not not_sent.started.is_set()
        assert order == ["answered", "shutdown"]

    @pytest.mark.parametrize("kind", ["asgi", "wsgi", "handler"])
    @pytest.mark.parametrize(("code", "status"), [(3, 3), (0, 1), (None, 1), ("no reason", 1)])
    async def test_a_function_that_exits_is_answered_for_and_ends_the_process(
        self, running: Run, kind: str, code: Any, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            sys.exit(code)

        def wsgi(environ: Any, start_response: Any) -> list[bytes]:
            sys.exit(code)

        def handler(event: Any, context: Any) -> Any:
            sys.exit(code)

        target = {"asgi": asgi, "wsgi": wsgi, "handler": handler}[kind]
        async with running(target, is_handler=kind == "handler", lifespan="off") as service:
            outcome = service.request()
            if kind == "handler":
                assert (await outcome.error())["errorType"] == "Runtime.ExitError"
            else:
                assert (await outcome.payload())["statusCode"] == 500
            assert await service.exit_status() == status
        assert f"sys.exit({code!r})" in caplog.text
        assert "    sys.exit(code)" in caplog.text


@pytest.fixture(params=["ASGI", "WSGI", "plain"])
def target(request: pytest.FixtureRequest) -> tuple[Any, bool]:
    """A function, and whether it is a Lambda handler."""
    functions: dict[str, tuple[Any, bool]] = {
        "ASGI": (hello, False),
        "WSGI": (wsgi_hello, False),
        "plain": (lambda event, context: {"statusCode": 200}, True),
    }
    return functions[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [0, 4])
async def test_thousands_of_invocations_leave_nothing_behind(target: tuple[Any, bool], concurrency: int) -> None:
    app, is_handler = target
    async with services.running(app, concurrency=concurrency, is_handler=is_handler) as service:

        async def invoke(times: int) -> None:
            for _ in range(times // 200):
                for outcome in [service.request() for _ in range(200)]:
                    await outcome.payload()
                service.forget()
            gc.collect()

        await invoke(1_000)  # caches fill
        tasks, threads, blocks = len(asyncio.all_tasks()), _thread._count(), sys.getallocatedblocks()
        await invoke(2_400)
        assert sys.getallocatedblocks() - blocks < 600  # a block in four invocations; with threads they vary by 300
        tracemalloc.start()  # also counts objects of more than 512 bytes
        before = tracemalloc.take_snapshot()
        await invoke(400)
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        assert len(asyncio.all_tasks()) == tasks
        assert _thread._count() <= threads  # those of earlier tests may end meanwhile
        own = [stat for stat in after.compare_to(before, "filename") if "/bridge/" in stat.traceback[0].filename]
        assert sum(stat.size_diff for stat in own) < 100_000, own[:5]


@pytest.mark.parametrize("concurrency", [0, 1])
async def test_an_invocation_makes_no_reference_cycles(target: tuple[Any, bool], concurrency: int) -> None:
    """Without cycles no garbage collection is needed, which would take time between invocations."""
    app, is_handler = target
    async with services.running(app, concurrency=concurrency, is_handler=is_handler) as service:
        for stream in (True, False):
            source = "function-url" if stream else "http-api"
            await service.request(source=source).payload()
            gc.collect()
            gc.disable()
            try:
                for _ in range(10):
                    await service.request(source=source).payload()
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                kinds = {type(each).__name__ for each in gc.garbage}
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()
            assert kinds & {"Invocation", "Context", "SentResponse", "RuntimeCycle", "Scope"} == set()
