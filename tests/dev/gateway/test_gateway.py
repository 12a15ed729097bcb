"""A front door as an ASGI application: Gateway."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bridge import asgi_handler, wsgi_handler
from bridge.dev.gateway import SOURCES
from bridge.dev.gateway.gateway import AccessRecord, Gateway
from bridge.dev.gateway.routes import FunctionRoute
from bridge.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Message = dict[str, Any]

OK = {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "hello"}


@dataclass
class Got:
    """What a client gets."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.messages[0]["headers"] if key == name.encode()]


async def ask(
    gateway: Gateway,
    path: str = "/",
    method: str = "GET",
    body: Iterable[bytes] = (b"",),
    *,
    stays: bool = True,
    **more: Any,
) -> Got:
    """Send one request as an ASGI server does; with *stays* false the client goes away in the middle of the body."""
    raw_path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost:5000")],
        "client": ("203.0.113.9", 50_000),
        "scheme": "http",
        "http_version": "1.1",
        **more,
    }
    chunks = list(body)
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if stays:
        messages[-1]["more_body"] = False
    else:
        messages.append({"type": "http.disconnect"})
    inbox = iter(messages)
    got = Got()

    async def receive() -> Message:
        return next(inbox)

    async def send(message: Message) -> None:
        got.messages.append(message)

    await gateway(scope, receive, send)
    return got


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


async def test_a_request_becomes_an_event_and_the_payload_the_response() -> None:
    events = []

    def handler(event: Any, context: Any) -> Any:
        events.append(event)
        return {"statusCode": 201, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"], "body": "caf\u00e9"}

    got = await ask(Gateway(handler), "/a%2Fb?x=1", "POST", [b"he", b"llo"])
    assert got.status == 201
    assert got.body == b"caf\xc3\xa9"
    assert got.values("x-a") == [b"1"]
    assert got.values("set-cookie") == [b"a=1", b"b=2"]
    assert got.values("content-length") == [b"5"]
    assert len(got.values("date")) == 1
    event = events[0]
    assert event["rawPath"] == "/a/b"
    assert event["rawQueryString"] == "x=1"
    assert event["requestContext"]["http"] == {
        "method": "POST", "path": "/a/b", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "",
    }  # fmt: skip
    assert (event["body"], event["isBase64Encoded"]) == ("aGVsbG8=", True)
    assert event["headers"]["host"] == "localhost:5000"


async def test_a_handler_may_be_async() -> None:
    loops = []

    async def handler(event: Any, context: Any) -> Any:
        loops.append(asyncio.get_running_loop())
        return OK

    class Called:
        async def __call__(self, event: Any, context: Any) -> Any:
            return await handler(event, context)

    assert (await ask(Gateway(handler))).body == b"hello"
    assert (await ask(Gateway(Called()))).body == b"hello"
    assert loops == [asyncio.get_running_loop()] * 2


async def test_a_plain_handler_may_run_the_event_loop_that_asyncio_gives_it() -> None:
    loops = []

    async def answer() -> Any:
        return OK

    def handler(event: Any, context: Any) -> Any:  # as Mangum does
        loops.append(asyncio.get_event_loop())
        return loops[-1].run_until_complete(answer())

    gateway = Gateway(handler, threads=1)
    assert [(await ask(gateway)).body for _ in range(2)] == [b"hello"] * 2
    assert loops[0] is loops[1] is not asyncio.get_running_loop()


async def test_a_wsgi_handler_runs_in_a_thread_and_an_asgi_handler_on_the_loop() -> None:
    seen = []

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(threading.current_thread() is threading.main_thread())
        start_response("200 OK", [])
        return [b"wsgi"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        seen.append(asyncio.get_running_loop() is loop)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"asgi"})

    loop = asyncio.get_running_loop()
    assert (await ask(Gateway(wsgi_handler(wsgi)))).body == b"wsgi"
    assert (await ask(Gateway(asgi_handler(asgi, lifespan="off")))).body == b"asgi"
    assert seen == [False, True]


async def test_plain_handlers_run_side_by_side_and_see_the_callers_context_variables() -> None:
    together = threading.Barrier(2, timeout=10)
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("set outside")
    seen = []

    def handler(event: Any, context: Any) -> Any:
        together.wait()
        seen.append(variable.get())
        return OK

    gateway = Gateway(handler, threads=2)
    answers = await asyncio.gather(ask(gateway), ask(gateway))
    assert [got.status for got in answers] == [200, 200]
    assert seen == ["set outside"] * 2


async def test_each_call_has_a_context_of_its_own() -> None:
    contexts = []

    def handler(event: Any, context: Any) -> Any:
        contexts.append(context)
        return OK

    gateway = Gateway({"shop": handler}, timeout=100, routes=[FunctionRoute("ANY", "$default", "shop")])
    await ask(gateway)
    await ask(gateway)
    first, second = contexts
    assert first.aws_request_id != second.aws_request_id
    assert first.function_name == "shop"
    assert first.invoked_function_arn.endswith(":function:shop")
    assert first.log_group_name == "/aws/lambda/shop"
    assert 0 < first.get_remaining_time_in_millis() <= 101_000


def raising(error: BaseException) -> Any:
    def handler(event: Any, context: Any) -> Any:
        raise error

    return handler


def raising_async(error: BaseException) -> Any:
    async def handler(event: Any, context: Any) -> Any:
        raise error

    return handler


@pytest.mark.parametrize("make", [raising, raising_async])
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LookupError("no such dog"), "LookupError: no such dog"),
        (SystemExit(3), "the function called sys.exit(3)"),
        (asyncio.CancelledError(), "CancelledError"),
        (StopIteration(), "StopIteration"),
    ],
)
@pytest.mark.parametrize("source", ["http-api", "rest-api", "alb", "edge"])
async def test_a_function_that_fails_gets_the_front_doors_answer(
    source: str, error: BaseException, why: str, make: Callable[[BaseException], Any], caplog: pytest.LogCaptureFixture
) -> None:
    got = await ask(Gateway(make(error), source))
    failed = SOURCES[source].failed
    assert (got.status, got.body) == (failed.status, failed.body)
    assert why in logged(caplog)
    assert "its traceback is above" in logged(caplog)
    assert any(record.exc_info for record in caplog.records)


async def test_a_payload_that_json_cannot_write_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    got = await ask(Gateway(lambda event, context: {"statusCode": 200, "body": b"x"}, "rest-api"))
    assert (got.status, got.body) == (502, b'{"message":"Internal server error"}')
    assert "bytes is not JSON serializable" in logged(caplog)


async def test_a_payload_larger_than_lambda_takes_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    got = await ask(Gateway(lambda event, context: {"statusCode": 200, "body": "a" * 6_291_556}, "rest-api"))
    assert got.status == 502
    assert "Lambda takes 6291556" in logged(caplog)


async def test_a_malformed_payload_is_refused_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    got = await ask(Gateway(lambda event, context: {"statusCode": 200, "cookies": []}, "rest-api"), "/dogs")
    assert got.status == 502
    assert logged(caplog) == (
        "GET /dogs: rest-api answered 502 by itself: the payload has keys that a REST API does not know; leave them "
        "out: cookies"
    )


async def test_base64_that_a_rest_api_does_not_decode_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    payload = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    assert (await ask(Gateway(lambda event, context: payload, "rest-api"))).body == b"/w=="
    assert "--binary-media-types '*/*'" in logged(caplog)
    caplog.clear()
    got = await ask(Gateway(lambda event, context: payload, "rest-api", binary_media_types=["*/*"]))
    assert got.body == b"\xff"
    assert not logged(caplog)


async def test_a_request_that_is_refused_never_reaches_the_function(caplog: pytest.LogCaptureFixture) -> None:
    got = await ask(Gateway(raising(AssertionError("called"))), "/?" + "a" * 10_240)
    assert (got.status, got.body) == (431, b'{"message":"Request Header Fields Too Large"}')
    assert "http-api answered 431 by itself: request line and headers are" in logged(caplog)


async def test_more_than_16_mb_of_a_body_is_counted_and_not_kept() -> None:
    passages: list[AccessRecord] = []
    chunk = b"a" * 1_048_576
    got = await ask(Gateway(raising(AssertionError("called")), observe=passages.append), "/", "POST", [chunk] * 20)
    assert got.status == 413
    assert passages[0].request.size == 20 * 1_048_576
    assert len(passages[0].request.body) == 16 * 1_048_576


@pytest.mark.parametrize(("source", "status"), [("http-api", 503), ("rest-api", 504), ("alb", 502), ("lattice", 504)])
async def test_an_async_function_that_does_not_answer_in_time(
    source: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        await ended.wait()
        raise LookupError("too late for anyone to hear")

    got = await ask(Gateway(handler, source, timeout=0.01))
    assert (got.status, got.body) == (status, SOURCES[source].timed_out.body)
    assert "the function did not answer in 0.01 s; answer sooner, or raise --timeout" in logged(caplog)
    ended.set()
    await asyncio.sleep(0)


async def test_an_async_function_that_is_late_is_ended_at_its_own_deadline() -> None:
    ended = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    gateway = Gateway(handler, timeout=20, timeouts={"bridge": 0.05})
    assert (await ask(gateway)).status == 500
    await asyncio.wait_for(ended.wait(), 20)
    assert not gateway.late


async def test_who_gives_up_on_a_request_is_let_go_and_the_function_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(Gateway(handler)), 0.05)
    await asyncio.wait_for(ended.wait(), 20)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert "by itself" not in logged(caplog)


@pytest.mark.parametrize("detach", [True, False])
async def test_a_late_function_leaves_no_cancellation_behind(detach: bool) -> None:
    async def handler(event: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    gateway = Gateway(handler, timeout=20, timeouts={"bridge": 0.05}, detach=detach)
    assert (await ask(gateway)).status == 500
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_late_function_that_will_not_be_ended_holds_nobody_up() -> None:
    over = asyncio.Event()

    async def handler(event: Any, context: Any) -> Any:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    gateway = Gateway(handler, timeout=20, timeouts={"bridge": 0.05})
    assert (await ask(gateway)).status == 500
    assert len(gateway.late) == 1
    over.set()


async def test_a_plain_function_that_does_not_answer_in_time_holds_up_no_other() -> None:
    over = threading.Event()

    def handler(event: Any, context: Any) -> Any:
        if event["rawPath"] == "/slow":
            over.wait(10)
        return OK

    gateway = Gateway(handler, timeout=0.2, threads=2)
    assert (await ask(gateway, "/slow")).status == 503
    assert (await ask(gateway, "/fast")).status == 200
    over.set()


async def test_a_client_that_goes_away_before_its_body_is_here_calls_nothing() -> None:
    passages: list[AccessRecord] = []
    gateway = Gateway(raising(AssertionError("called")), observe=passages.append)
    got = await ask(gateway, "/", "POST", [b"hel"], stays=False)
    assert got.messages == []
    assert passages == []


@pytest.mark.parametrize("source", SOURCES)
async def test_who_looks_on_sees_the_event_that_the_function_got_whatever_it_did_to_it(source: str) -> None:
    passages: list[AccessRecord] = []

    def clearing(event: Any, context: Any) -> Any:
        event.clear()
        return OK

    await ask(Gateway(clearing, source, observe=passages.append), "/dogs")
    assert passages[0].event


async def test_who_looks_on_sees_the_whole_passage() -> None:
    passages: list[AccessRecord] = []
    gateway = Gateway(lambda event, context: OK, observe=passages.append)
    await ask(gateway, "/dogs?a=1", "PUT", [b"x"])
    passage = passages[0]
    assert (passage.request.method, passage.request.target, passage.request.body) == ("PUT", "/dogs?a=1", b"x")
    assert (passage.answer.status, passage.answer.body) == (200, b"hello")
    assert passage.event["rawPath"] == "/dogs"
    assert passage.payload == OK
    assert passage.seconds > 0


async def test_who_looks_on_sees_what_the_front_door_answers_by_itself() -> None:
    passages: list[AccessRecord] = []
    await ask(Gateway(lambda event, context: OK, stage="prod", observe=passages.append), "/dogs")
    await ask(Gateway(lambda event, context: {"statusCode": "x"}, observe=passages.append))
    outside, malformed = passages
    assert (outside.answer.status, outside.event, outside.payload) == (404, None, None)
    assert (malformed.answer.status, malformed.payload) == (500, {"statusCode": "x"})
    assert outside.answer.why
    assert malformed.answer.why


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_what_has_no_body_gets_none(method: str, status: int) -> None:
    payload = {"statusCode": status, "headers": {"content-length": "7"}, "body": "hello"}
    got = await ask(Gateway(lambda event, context: payload, "lattice"), "/", method)
    assert (got.status, got.body) == (status, b"")
    assert got.values("content-length") == ([b"7"] if method == "HEAD" else [])


@pytest.mark.parametrize("source", ["http-api", "alb", "function-url", "lattice"])
@pytest.mark.parametrize(
    ("said", "length"), [({"Content-Length": "42"}, b"42"), ({}, b"5"), ({"Content-Length": "x"}, b"5")]
)
async def test_head_is_told_the_functions_own_length_or_that_of_its_body(
    source: str, said: dict[str, str], length: bytes
) -> None:
    payload = {"statusCode": 200, "headers": said, "body": "hello"}
    got = await ask(Gateway(lambda event, context: payload, source), "/", "HEAD")
    assert (got.body, got.values("content-length")) == (b"", [length])


async def test_connect_is_refused_for_no_front_door_is_a_proxy(caplog: pytest.LogCaptureFixture) -> None:
    got = await ask(Gateway(raising(AssertionError("called"))), "/", "CONNECT")
    assert (got.status, got.body) == (405, b'{"message":"Method Not Allowed"}')
    assert "it takes no CONNECT" in logged(caplog)


async def test_the_length_is_counted_and_a_date_is_kept() -> None:
    headers = {"Content-Length": "99", "Date": "Fri, 20 Nov 2026 09:00:00 GMT"}
    got = await ask(Gateway(lambda event, context: {"statusCode": 200, "headers": headers, "body": "hello"}))
    assert got.values("content-length") == [b"5"]
    assert got.values("date") == [b"Fri, 20 Nov 2026 09:00:00 GMT"]


@pytest.mark.parametrize(
    ("raw_path", "path", "seen"),
    [
        (b"/caf%C3%A9", "/café", "/caf%C3%A9"),
        (b"/caf%C3%A9?a=1", "/café", "/caf%C3%A9"),
        (None, "/café/a b%/;v=1", "/caf%C3%A9/a%20b%25/;v=1"),
        (b"http://example.com/a%2Fb", "http://example.com/a/b", "/a%2Fb"),
        (b"http://example.com", "http://example.com", "/"),
        (b"*", "*", "/"),
    ],
)
async def test_the_path_is_the_one_on_the_wire(raw_path: bytes | None, path: str, seen: str) -> None:
    passages: list[AccessRecord] = []
    gateway = Gateway(lambda event, context: OK, "function-url", observe=passages.append)
    await ask(gateway, path=path, raw_path=raw_path, client=None)
    assert passages[0].request.path == passages[0].event["rawPath"] == seen
    assert passages[0].request.client == "127.0.0.1"


def named(name: str) -> Any:
    def handler(event: Any, context: Any) -> Any:
        return {"statusCode": 200, "headers": {"x-resource": str(event.get("pathParameters"))}, "body": name}

    return handler


SHOP = {"dogs": named("dogs"), "rest": named("rest")}
ROUTES = [FunctionRoute("GET", "/dogs/{id}", "dogs"), FunctionRoute("ANY", "/{proxy+}", "rest")]


@pytest.mark.parametrize("source", ["http-api", "http-api-v1", "rest-api"])
@pytest.mark.parametrize(
    ("door", "prefix"), [({}, ""), ({"stage": "prod"}, "/prod"), ({"base_path": "/shop"}, "/shop")]
)
async def test_several_functions_are_served_together(source: str, door: dict[str, str], prefix: str) -> None:
    gateway = Gateway(SHOP, source, routes=ROUTES, **door)  # type: ignore[arg-type]
    got = await ask(gateway, f"{prefix}/dogs/7")
    assert (got.body, got.values("x-resource")) == (b"dogs", [b"{'id': '7'}"])
    got = await ask(gateway, f"{prefix}/cats/7")
    assert (got.body, got.values("x-resource")) == (b"rest", [b"{'proxy': 'cats/7'}"])


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("rest-api", 403, b'{"message":"Missing Authentication Token"}'),
        ("http-api", 404, b'{"message":"Not Found"}'),
        ("http-api-v1", 404, b'{"message":"Not Found"}'),
    ],
)
@pytest.mark.parametrize("path", ["/prod", "/prod/", "/production/dogs/7", "/dogs/7"])
async def test_what_no_route_takes_gets_api_gateways_own_answer(
    source: str, status: int, body: bytes, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    got = await ask(Gateway(SHOP, source, routes=ROUTES, stage="prod"), path)
    assert (got.status, got.body) == (status, body)
    hint = "ask for one of these, or add one: GET /dogs/{id}, ANY /{proxy+}" if path.startswith("/prod/") else "ask for"
    assert hint in logged(caplog)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"handler": named("one"), "source": "http-ape"}, "no source 'http-ape'"),
        ({"handler": SHOP}, "2 functions and no routes: give routes, or one function"),
        ({"handler": {}}, "0 functions and no routes"),
        (
            {"handler": SHOP, "routes": [FunctionRoute("GET", "/", "cats")]},
            "names the function 'cats'; there is dogs, rest",
        ),
    ],
)
def test_a_set_up_that_cannot_work_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Gateway(**arguments)


class Lifespan:
    """An ASGI application that notes what happens to it."""

    def __init__(self, name: str, notes: list[str], *, starts: bool = True) -> None:
        self.name, self.notes, self.starts = name, notes, starts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.notes.append(f"{self.name} answers")
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})
            return
        await receive()
        self.notes.append(f"{self.name} starts")
        if not self.starts:
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.notes.append(f"{self.name} ends")
        await send({"type": "lifespan.shutdown.complete"})


class Server:
    """An ASGI server's side of a lifespan."""

    def __init__(self, gateway: Gateway) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.outbox: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.create_task(gateway({"type": "lifespan"}, self.inbox.get, self.outbox.put))

    async def tell(self, what: str) -> Message:
        await self.inbox.put({"type": what})
        return await self.outbox.get()


async def test_the_lifespan_of_every_application_is_run() -> None:
    notes: list[str] = []
    functions = {name: asgi_handler(Lifespan(name, notes)) for name in ("one", "two")}
    gateway = Gateway(functions, routes=[FunctionRoute("ANY", "/1", "one"), FunctionRoute("ANY", "/2", "two")])
    server = Server(gateway)
    assert await server.tell("lifespan.startup") == {"type": "lifespan.startup.complete"}
    assert notes == ["one starts", "two starts"]
    await ask(gateway, "/2")
    assert await server.tell("lifespan.shutdown") == {"type": "lifespan.shutdown.complete"}
    await server.task
    assert notes == ["one starts", "two starts", "two answers", "one ends", "two ends"]


async def test_if_one_application_does_not_start_up_the_others_are_shut_down() -> None:
    notes: list[str] = []
    functions = {
        "one": asgi_handler(Lifespan("one", notes)),
        "two": asgi_handler(Lifespan("two", notes, starts=False)),
    }
    server = Server(Gateway(functions, routes=[FunctionRoute("ANY", "/1", "one"), FunctionRoute("ANY", "/2", "two")]))
    answer = await server.tell("lifespan.startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert "no database" in answer["message"]
    await server.task
    assert notes == ["one starts", "two starts", "one ends"]


async def test_requests_in_flight_end_before_the_lifespan_does() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    notes: list[str] = []
    application = Lifespan("app", notes)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            began.set()
            await go_on.wait()
        await application(scope, receive, send)

    gateway = Gateway(asgi_handler(app))
    server = Server(gateway)
    await server.tell("lifespan.startup")
    request = asyncio.create_task(ask(gateway))
    await began.wait()
    shutdown = asyncio.create_task(server.tell("lifespan.shutdown"))
    for _ in range(50):  # as long as there is anything to do
        await asyncio.sleep(0)
    assert notes == ["app starts"]
    go_on.set()
    await asyncio.gather(request, shutdown, server.task)
    assert notes == ["app starts", "app answers", "app ends"]


@pytest.mark.parametrize("goes_away", [False, True])
async def test_a_function_that_nobody_waits_for_is_ended_before_the_lifespan_is(goes_away: bool) -> None:
    began = asyncio.Event()
    notes: list[str] = []
    application = Lifespan("app", notes)

    async def late(event: Any, context: Any) -> Any:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            notes.append("late is cancelled")
            raise

    functions: dict[str, Any] = {"late": late, "app": asgi_handler(application)}
    routes = [FunctionRoute("ANY", "/late", "late"), FunctionRoute("ANY", "/app", "app")]
    gateway = Gateway(functions, routes=routes, timeout=60 if goes_away else 0.01)
    server = Server(gateway)
    await server.tell("lifespan.startup")
    request = asyncio.create_task(ask(gateway, "/late"))
    if goes_away:
        await began.wait()
        request.cancel()
    await asyncio.wait([request])
    await server.tell("lifespan.shutdown")
    await server.task
    assert notes == ["app starts", "late is cancelled", "app ends"]


async def test_handlers_without_a_lifespan_start_and_end_at_once() -> None:
    server = Server(Gateway(lambda event, context: OK))
    assert await server.tell("lifespan.startup") == {"type": "lifespan.startup.complete"}
    assert await server.tell("lifespan.shutdown") == {"type": "lifespan.shutdown.complete"}
    await server.task


async def test_a_websocket_is_refused() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Gateway(raising(AssertionError("called")))({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_functions_that_hang_do_not_take_all_threads_for_good() -> None:
    over = threading.Event()

    def handler(event: Any, context: Any) -> Any:
        if event["rawPath"] == "/hangs":
            over.wait(10)
        return OK

    gateway = Gateway(handler, timeout=0.2, threads=2)
    try:
        hung = await asyncio.gather(*(ask(gateway, "/hangs") for _ in range(2)))
        assert [got.status for got in hung] == [503, 503]
        assert (await ask(gateway, "/")).status == 200
    finally:
        over.set()


async def test_a_function_that_its_own_timeout_ends_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    left: list[int] = []

    async def handler(event: Any, context: Any) -> Any:
        left.append(context.get_remaining_time_in_millis())
        await asyncio.Event().wait()

    gateway = Gateway(handler, "rest-api", timeout=20, timeouts={"bridge": 0.2})
    assert (await ask(gateway)).status == 502
    assert left[0] <= 200
    assert "its own timeout of 0.2 s" in logged(caplog)


def test_the_gateway_is_found_beside_compose_and_interpret() -> None:
    import bridge.dev.gateway

    assert bridge.dev.gateway.Gateway is Gateway
    with pytest.raises(AttributeError, match="Gatevay"):
        bridge.dev.gateway.Gatevay  # type: ignore[attr-defined]  # noqa: B018
