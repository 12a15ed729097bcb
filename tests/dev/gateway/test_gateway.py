"""A front door as an ASGI application."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

import bridge.dev.gateway
from bridge import asgi_handler, wsgi_handler
from bridge.dev.gateway import FRONT_DOORS
from bridge.dev.gateway.gateway import AccessRecord, Gateway
from bridge.dev.gateway.routes import FunctionRoute
from bridge.errors import SettingError
from tests.dev.gateway.asgi_client import Message, send_request

if TYPE_CHECKING:
    from collections.abc import Callable

OK = {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "hello"}


def answer_ok(event: Any, context: Any) -> Any:
    return OK


def warnings_in(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


async def test_a_request_becomes_an_event_and_the_payload_the_response() -> None:
    events = []

    def handler(event: Any, context: Any) -> Any:
        events.append(event)
        return {"statusCode": 201, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"], "body": "caf\u00e9"}

    response = await send_request(Gateway(handler), "/a%2Fb?x=1", "POST", [b"he", b"llo"])
    assert response.status == 201
    assert response.body == b"caf\xc3\xa9"
    assert response.values("x-a") == [b"1"]
    assert response.values("set-cookie") == [b"a=1", b"b=2"]
    assert response.values("content-length") == [b"5"]
    assert len(response.values("date")) == 1
    (event,) = events
    assert event["rawPath"] == "/a/b"
    assert event["rawQueryString"] == "x=1"
    assert event["requestContext"]["http"] == {
        "method": "POST", "path": "/a/b", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "",
    }  # fmt: skip
    assert (event["body"], event["isBase64Encoded"]) == ("aGVsbG8=", True)
    assert event["headers"]["host"] == "localhost:5000"


async def test_a_handler_may_be_asynchronous() -> None:
    loops = []

    async def handler(event: Any, context: Any) -> Any:
        loops.append(asyncio.get_running_loop())
        return OK

    class AsyncCallable:
        async def __call__(self, event: Any, context: Any) -> Any:
            return await handler(event, context)

    assert (await send_request(Gateway(handler))).body == b"hello"
    assert (await send_request(Gateway(AsyncCallable()))).body == b"hello"
    assert loops == [asyncio.get_running_loop()] * 2


async def test_a_synchronous_handler_may_run_the_event_loop_of_its_thread() -> None:
    loops = []

    async def answer() -> Any:
        return OK

    def handler(event: Any, context: Any) -> Any:  # as Mangum does
        loops.append(asyncio.get_event_loop())
        return loops[-1].run_until_complete(answer())

    gateway = Gateway(handler, threads=1)
    assert [(await send_request(gateway)).body for _ in range(2)] == [b"hello"] * 2
    assert loops[0] is loops[1] is not asyncio.get_running_loop()


async def test_a_wsgi_handler_runs_in_a_thread_and_an_asgi_handler_on_the_loop() -> None:
    observed = []

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        observed.append(threading.current_thread() is threading.main_thread())
        start_response("200 OK", [])
        return [b"wsgi"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        observed.append(asyncio.get_running_loop() is loop)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"asgi"})

    loop = asyncio.get_running_loop()
    assert (await send_request(Gateway(wsgi_handler(wsgi)))).body == b"wsgi"
    assert (await send_request(Gateway(asgi_handler(asgi, lifespan="off")))).body == b"asgi"
    assert observed == [False, True]


async def test_synchronous_handlers_run_in_parallel_with_the_callers_context_variables() -> None:
    barrier = threading.Barrier(2, timeout=10)
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("set outside")
    values = []

    def handler(event: Any, context: Any) -> Any:
        barrier.wait()
        values.append(variable.get())
        return OK

    gateway = Gateway(handler, threads=2)
    responses = await asyncio.gather(send_request(gateway), send_request(gateway))
    assert [response.status for response in responses] == [200, 200]
    assert values == ["set outside"] * 2


async def test_each_call_has_its_own_context() -> None:
    contexts = []

    def handler(event: Any, context: Any) -> Any:
        contexts.append(context)
        return OK

    gateway = Gateway({"shop": handler}, timeout=100, routes=[FunctionRoute("ANY", "$default", "shop")])
    await send_request(gateway)
    await send_request(gateway)
    first, second = contexts
    assert first.aws_request_id != second.aws_request_id
    assert first.function_name == "shop"
    assert 0 < first.get_remaining_time_in_millis() <= 101_000


def raising(error: BaseException) -> Any:
    def handler(event: Any, context: Any) -> Any:
        raise error

    return handler


def raising_async(error: BaseException) -> Any:
    async def handler(event: Any, context: Any) -> Any:
        raise error

    return handler


NOT_CALLED = raising(AssertionError("the function was called"))


@pytest.mark.parametrize("make", [raising, raising_async])
@pytest.mark.parametrize(
    ("error", "explanation"),
    [
        (LookupError("no such dog"), "LookupError: no such dog"),
        (SystemExit(3), "the function called sys.exit(3)"),
        (asyncio.CancelledError(), "CancelledError"),
        (StopIteration(), "StopIteration"),
    ],
)
@pytest.mark.parametrize("source", ["http-api", "rest-api", "alb", "edge"])
async def test_a_function_that_raises_gets_the_front_doors_answer(
    source: str,
    error: BaseException,
    explanation: str,
    make: Callable[[BaseException], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = await send_request(Gateway(make(error), source))
    failed = FRONT_DOORS[source].failed
    assert (response.status, response.body) == (failed.status, failed.body)
    assert explanation in warnings_in(caplog)
    assert "its traceback is above" in warnings_in(caplog)
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    ("payload", "explanation"),
    [
        ({"statusCode": 200, "body": b"x"}, "bytes is not JSON serializable"),
        ({"statusCode": 200, "body": "a" * 6_291_556}, "Lambda accepts 6291556"),
    ],
)
async def test_a_payload_that_lambda_refuses_is_a_failure(
    payload: Any, explanation: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await send_request(Gateway(lambda event, context: payload, "rest-api"))
    assert (response.status, response.body) == (502, b'{"message":"Internal server error"}')
    assert explanation in warnings_in(caplog)


async def test_a_malformed_payload_is_refused_with_an_explanation_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    payload = {"statusCode": 200, "cookies": []}
    response = await send_request(Gateway(lambda event, context: payload, "rest-api"), "/dogs")
    assert response.status == 502
    assert warnings_in(caplog) == (
        "GET /dogs: rest-api answered 502 by itself: the payload has keys that REST APIs do not support; omit them: "
        "cookies"
    )


async def test_base64_that_a_rest_api_does_not_decode_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    payload = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    assert (await send_request(Gateway(lambda event, context: payload, "rest-api"))).body == b"/w=="
    assert "--binary-media-types '*/*'" in warnings_in(caplog)
    caplog.clear()
    gateway = Gateway(lambda event, context: payload, "rest-api", binary_media_types=["*/*"])
    assert (await send_request(gateway)).body == b"\xff"
    assert not warnings_in(caplog)


async def test_a_refused_request_does_not_reach_the_function(caplog: pytest.LogCaptureFixture) -> None:
    response = await send_request(Gateway(NOT_CALLED), "/?" + "a" * 10_240)
    assert (response.status, response.body) == (431, b'{"message":"Request Header Fields Too Large"}')
    assert "http-api answered 431 by itself: request line and headers have" in warnings_in(caplog)


async def test_more_than_16_mb_of_a_body_is_counted_and_discarded() -> None:
    records: list[AccessRecord] = []
    gateway = Gateway(NOT_CALLED, observe=records.append)
    response = await send_request(gateway, "/", "POST", [b"a" * 1_048_576] * 20)
    assert response.status == 413
    assert records[0].request.size == 20 * 1_048_576
    assert len(records[0].request.body) == 16 * 1_048_576


@pytest.mark.parametrize(("source", "status"), [("http-api", 503), ("rest-api", 504), ("alb", 502), ("lattice", 504)])
async def test_a_function_that_does_not_answer_in_time_gets_the_front_doors_answer(
    source: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        await go_on.wait()
        raise LookupError("after the answer")

    response = await send_request(Gateway(handler, source, timeout=0.01))
    assert (response.status, response.body) == (status, FRONT_DOORS[source].timed_out.body)
    assert "the function did not answer in 0.01 s; answer sooner, or raise --timeout" in warnings_in(caplog)
    go_on.set()
    await asyncio.sleep(0)


async def test_a_function_that_exceeds_its_own_timeout_has_failed_and_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    remaining: list[int] = []
    cancelled = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        remaining.append(context.get_remaining_time_in_millis())
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    gateway = Gateway(handler, "rest-api", timeout=20, timeouts={"bridge": 0.2})
    assert (await send_request(gateway)).status == 502
    assert remaining[0] <= 200
    assert "its own timeout of 0.2 s" in warnings_in(caplog)
    await asyncio.wait_for(cancelled.wait(), 20)
    await asyncio.sleep(0)
    assert not gateway.late


async def test_a_late_function_leaves_no_cancellation_in_the_servers_task() -> None:
    async def handler(event: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    assert (await send_request(Gateway(handler, timeout=20, timeouts={"bridge": 0.05}))).status == 500
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_late_function_that_suppresses_its_cancellation_delays_no_answer() -> None:
    go_on = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    gateway = Gateway(handler, timeout=20, timeouts={"bridge": 0.05})
    assert (await send_request(gateway)).status == 500
    assert len(gateway.late) == 1
    go_on.set()


async def test_late_synchronous_functions_do_not_occupy_all_threads() -> None:
    go_on = threading.Event()

    def handler(event: Any, context: Any) -> Any:
        if event["rawPath"] == "/hangs":
            go_on.wait(10)
        return OK

    gateway = Gateway(handler, timeout=0.2, threads=2)
    try:
        assert (await send_request(gateway, "/hangs")).status == 503
        assert (await send_request(gateway, "/")).status == 200
        assert (await send_request(gateway, "/hangs")).status == 503
        assert (await send_request(gateway, "/")).status == 200
    finally:
        go_on.set()


class Hanging:
    """An asynchronous handler that hangs until it is cancelled."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def __call__(self, event: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def test_cancelling_a_request_cancels_the_function(caplog: pytest.LogCaptureFixture) -> None:
    handler = Hanging()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_request(Gateway(handler)), 0.05)
    await asyncio.wait_for(handler.cancelled.wait(), 20)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert "by itself" not in warnings_in(caplog)


async def test_a_request_that_the_server_cancels_at_its_shutdown_can_get_the_answer_of_a_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = Hanging()
    request = asyncio.create_task(send_request(Gateway(handler, answers_if_cancelled=True)))
    await asyncio.sleep(0.01)
    request.cancel()
    assert (await request).status == 503
    await asyncio.wait_for(handler.cancelled.wait(), 20)
    assert "the function did not answer before the server shut down" in warnings_in(caplog)


async def test_a_client_that_disconnects_within_the_body_calls_no_function() -> None:
    records: list[AccessRecord] = []
    gateway = Gateway(NOT_CALLED, observe=records.append)
    response = await send_request(gateway, "/", "POST", [b"hel"], disconnects=True)
    assert response.messages == []
    assert records == []


@pytest.mark.parametrize("source", FRONT_DOORS)
async def test_the_access_record_has_the_event_even_if_the_function_modifies_it(source: str) -> None:
    records: list[AccessRecord] = []

    def handler(event: Any, context: Any) -> Any:
        event.clear()
        return OK

    await send_request(Gateway(handler, source, observe=records.append), "/dogs")
    assert records[0].event


async def test_the_access_record_has_request_event_payload_and_answer() -> None:
    records: list[AccessRecord] = []
    await send_request(Gateway(answer_ok, observe=records.append), "/dogs?a=1", "PUT", [b"x"])
    (record,) = records
    assert (record.request.method, record.request.target, record.request.body) == ("PUT", "/dogs?a=1", b"x")
    assert (record.answer.status, record.answer.body) == (200, b"hello")
    assert record.event["rawPath"] == "/dogs"
    assert record.payload == OK
    assert record.seconds > 0


async def test_the_access_record_of_a_refusal_has_what_there_was_of_event_and_payload() -> None:
    records: list[AccessRecord] = []
    await send_request(Gateway(answer_ok, stage="prod", observe=records.append), "/dogs")
    await send_request(Gateway(lambda event, context: {"statusCode": "x"}, observe=records.append))
    outside, malformed = records
    assert (outside.answer.status, outside.event, outside.payload) == (404, None, None)
    assert (malformed.answer.status, malformed.payload) == (500, {"statusCode": "x"})
    assert outside.answer.explanation
    assert malformed.answer.explanation


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_response_that_must_not_have_a_body_has_none(method: str, status: int) -> None:
    payload = {"statusCode": status, "headers": {"content-length": "7"}, "body": "hello"}
    response = await send_request(Gateway(lambda event, context: payload, "lattice"), "/", method)
    assert (response.status, response.body) == (status, b"")
    assert response.values("content-length") == ([b"7"] if method == "HEAD" else [])


@pytest.mark.parametrize("source", ["http-api", "alb", "function-url", "lattice"])
@pytest.mark.parametrize(
    ("headers", "length"), [({"Content-Length": "42"}, b"42"), ({}, b"5"), ({"Content-Length": "x"}, b"5")]
)
async def test_the_answer_to_head_has_the_functions_content_length_or_that_of_the_body(
    source: str, headers: dict[str, str], length: bytes
) -> None:
    payload = {"statusCode": 200, "headers": headers, "body": "hello"}
    response = await send_request(Gateway(lambda event, context: payload, source), "/", "HEAD")
    assert (response.body, response.values("content-length")) == (b"", [length])


async def test_connect_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    response = await send_request(Gateway(NOT_CALLED), "/", "CONNECT")
    assert (response.status, response.body) == (405, b'{"message":"Method Not Allowed"}')
    assert "front doors are not proxies and refuse CONNECT" in warnings_in(caplog)


async def test_the_content_length_is_counted_and_a_date_is_kept() -> None:
    headers = {"Content-Length": "99", "Date": "Fri, 20 Nov 2026 09:00:00 GMT"}
    gateway = Gateway(lambda event, context: {"statusCode": 200, "headers": headers, "body": "hello"})
    response = await send_request(gateway)
    assert response.values("content-length") == [b"5"]
    assert response.values("date") == [b"Fri, 20 Nov 2026 09:00:00 GMT"]


@pytest.mark.parametrize(
    ("raw_path", "path", "expected"),
    [
        (b"/caf%C3%A9", "/café", "/caf%C3%A9"),
        (b"/caf%C3%A9?a=1", "/café", "/caf%C3%A9"),
        (None, "/café/a b%/;v=1", "/caf%C3%A9/a%20b%25/;v=1"),
        (b"http://example.com/a%2Fb", "http://example.com/a/b", "/a%2Fb"),
        (b"http://example.com", "http://example.com", "/"),
        (b"*", "*", "/"),
    ],
)
async def test_the_path_is_the_one_on_the_wire(raw_path: bytes | None, path: str, expected: str) -> None:
    records: list[AccessRecord] = []
    gateway = Gateway(answer_ok, "function-url", observe=records.append)
    await send_request(gateway, path=path, raw_path=raw_path, client=None)
    assert records[0].request.path == records[0].event["rawPath"] == expected
    assert records[0].request.client == "127.0.0.1"


def named(name: str) -> Any:
    def handler(event: Any, context: Any) -> Any:
        return {"statusCode": 200, "headers": {"x-variables": str(event.get("pathParameters"))}, "body": name}

    return handler


SHOP = {"dogs": named("dogs"), "rest": named("rest")}
ROUTES = [FunctionRoute("GET", "/dogs/{id}", "dogs"), FunctionRoute("ANY", "/{proxy+}", "rest")]


@pytest.mark.parametrize("source", ["http-api", "http-api-v1", "rest-api"])
@pytest.mark.parametrize(
    ("door", "prefix"), [({}, ""), ({"stage": "prod"}, "/prod"), ({"base_path": "/shop"}, "/shop")]
)
async def test_routes_lead_to_several_functions(source: str, door: dict[str, str], prefix: str) -> None:
    gateway = Gateway(SHOP, source, routes=ROUTES, **door)  # type: ignore[arg-type]
    response = await send_request(gateway, f"{prefix}/dogs/7")
    assert (response.body, response.values("x-variables")) == (b"dogs", [b"{'id': '7'}"])
    response = await send_request(gateway, f"{prefix}/cats/7")
    assert (response.body, response.values("x-variables")) == (b"rest", [b"{'proxy': 'cats/7'}"])


NO_ROUTE = "no route matches; request one of these, or add a route: GET /dogs/{id}, ANY /{proxy+}"
OUTSIDE = "the path does not begin with the stage; request /prod/…"


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("rest-api", 403, b'{"message":"Missing Authentication Token"}'),
        ("http-api", 404, b'{"message":"Not Found"}'),
        ("http-api-v1", 404, b'{"message":"Not Found"}'),
    ],
)
@pytest.mark.parametrize(
    ("path", "explanation"),
    [("/prod", NO_ROUTE), ("/prod/", NO_ROUTE), ("/production/dogs/7", OUTSIDE), ("/dogs/7", OUTSIDE)],
)
async def test_a_request_without_a_route_gets_api_gateways_answer(
    source: str, status: int, body: bytes, path: str, explanation: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await send_request(Gateway(SHOP, source, routes=ROUTES, stage="prod"), path)
    assert (response.status, response.body) == (status, body)
    assert explanation in warnings_in(caplog)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"handler": named("one"), "source": "http-ape"}, "no source 'http-ape'"),
        ({"handler": SHOP}, "There are 2 functions and no routes. Add routes, or pass one function."),
        ({"handler": {}}, "There are 0 functions and no routes"),
        (
            {"handler": SHOP, "routes": [FunctionRoute("GET", "/", "cats")]},
            "names the function 'cats', but the functions are dogs, rest",
        ),
    ],
)
def test_an_invalid_configuration_is_an_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Gateway(**arguments)


class LifespanApp:
    """An ASGI application that logs its lifespan and its requests."""

    def __init__(self, name: str, log: list[str], *, starts: bool = True) -> None:
        self.name, self.log, self.starts = name, log, starts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.log.append(f"{self.name} answers")
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})
            return
        await receive()
        self.log.append(f"{self.name} starts")
        if not self.starts:
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.log.append(f"{self.name} ends")
        await send({"type": "lifespan.shutdown.complete"})


class LifespanServer:
    """An ASGI server's side of a lifespan."""

    def __init__(self, gateway: Gateway) -> None:
        self.to_gateway: asyncio.Queue[Message] = asyncio.Queue()
        self.from_gateway: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.create_task(gateway({"type": "lifespan"}, self.to_gateway.get, self.from_gateway.put))

    async def send(self, kind: str) -> Message:
        await self.to_gateway.put({"type": kind})
        return await asyncio.wait_for(self.from_gateway.get(), 30)


async def test_each_application_has_its_lifespan() -> None:
    log: list[str] = []
    functions = {name: asgi_handler(LifespanApp(name, log)) for name in ("one", "two")}
    gateway = Gateway(functions, routes=[FunctionRoute("ANY", "/1", "one"), FunctionRoute("ANY", "/2", "two")])
    server = LifespanServer(gateway)
    assert await server.send("lifespan.startup") == {"type": "lifespan.startup.complete"}
    assert log == ["one starts", "two starts"]
    await send_request(gateway, "/2")
    assert await server.send("lifespan.shutdown") == {"type": "lifespan.shutdown.complete"}
    await server.task
    assert log == ["one starts", "two starts", "two answers", "one ends", "two ends"]


async def test_if_one_application_does_not_start_the_others_are_shut_down() -> None:
    log: list[str] = []
    functions = {
        "one": asgi_handler(LifespanApp("one", log)),
        "two": asgi_handler(LifespanApp("two", log, starts=False)),
    }
    routes = [FunctionRoute("ANY", "/1", "one"), FunctionRoute("ANY", "/2", "two")]
    server = LifespanServer(Gateway(functions, routes=routes))
    answer = await server.send("lifespan.startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert "no database" in answer["message"]
    await server.task
    assert log == ["one starts", "two starts", "one ends"]


async def test_requests_in_flight_end_before_the_lifespan_does() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    log: list[str] = []
    application = LifespanApp("app", log)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            started.set()
            await go_on.wait()
        await application(scope, receive, send)

    gateway = Gateway(asgi_handler(app))
    server = LifespanServer(gateway)
    await server.send("lifespan.startup")
    request = asyncio.create_task(send_request(gateway))
    await started.wait()
    shutdown = asyncio.create_task(server.send("lifespan.shutdown"))
    for _ in range(50):  # until every task waits
        await asyncio.sleep(0)
    assert log == ["app starts"]
    go_on.set()
    await asyncio.gather(request, shutdown, server.task)
    assert log == ["app starts", "app answers", "app ends"]


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["late", "cancelled"])
async def test_a_function_whose_request_is_over_is_cancelled_before_the_lifespan_ends(is_cancelled: bool) -> None:
    started = asyncio.Event()
    log: list[str] = []

    async def hang(event: Any, context: Any) -> Any:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("the function is cancelled")
            raise

    functions: dict[str, Any] = {"hang": hang, "app": asgi_handler(LifespanApp("app", log))}
    routes = [FunctionRoute("ANY", "/hang", "hang"), FunctionRoute("ANY", "/app", "app")]
    gateway = Gateway(functions, routes=routes, timeout=60 if is_cancelled else 0.01)
    server = LifespanServer(gateway)
    await server.send("lifespan.startup")
    request = asyncio.create_task(send_request(gateway, "/hang"))
    if is_cancelled:
        await started.wait()
        request.cancel()
    await asyncio.wait([request])
    await server.send("lifespan.shutdown")
    await server.task
    assert log == ["app starts", "the function is cancelled", "app ends"]


async def test_a_gateway_without_asgi_applications_completes_its_lifespan() -> None:
    server = LifespanServer(Gateway(answer_ok))
    assert await server.send("lifespan.startup") == {"type": "lifespan.startup.complete"}
    assert await server.send("lifespan.shutdown") == {"type": "lifespan.shutdown.complete"}
    await server.task


async def test_a_websocket_is_refused() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Gateway(NOT_CALLED)({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_the_gateway_is_an_attribute_of_the_package() -> None:
    assert bridge.dev.gateway.Gateway is Gateway
    with pytest.raises(AttributeError, match="Gatevay"):
        bridge.dev.gateway.Gatevay  # type: ignore[attr-defined]  # noqa: B018
