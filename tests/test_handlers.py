"""Handlers: the functions that make them, their options, and the path from event to payload."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

import bridge
from bridge.dev.gateway import FRONT_DOORS, Request, compose, interpret
from bridge.errors import EventError, FailedIntegrationError, InterfaceError, SettingError
from bridge.response import Response
from bridge.settings import VARIABLES
from tests.events import load_event
from tests.helpers import AsgiApp, Context, WsgiApp, event, get, run_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.request import Scope
    from tests.conftest import MakeHandler

FUNCTIONS = [bridge.handler, bridge.wsgi_handler, bridge.asgi_handler]


def wsgi_echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError("no database")
    if path == "/exit":
        raise SystemExit(3)
    status = "304 Not Modified" if path == "/not-modified" else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [path.encode("latin-1"), b" ", environ["wsgi.input"].read()]


async def asgi_echo(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    path = scope["path"]
    await asyncio.sleep(0)
    if path == "/fail":
        raise ValueError("no database")
    if path == "/exit":
        raise SystemExit(3)
    message = await receive()
    headers = [(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 304 if path == "/not-modified" else 200, "headers": headers})
    await send({"type": "http.response.body", "body": path.encode() + b" " + message["body"]})


def request(path: str, method: str = "GET", body: bytes = b"") -> Request:
    return Request(method, path, "", [("host", "shop.example"), ("content-type", "text/plain")], body)


REQUESTS = [
    request("/caf%C3%A9", "POST", b"body"),
    request("/page", "HEAD"),
    request("/not-modified"),
    request("/fail"),
]


# Making handlers


def test_the_help_names_every_option() -> None:
    documentation = str(bridge.handler.__doc__)
    assert [name for name in VARIABLES if f"``{name}``" not in documentation] == []


@pytest.mark.parametrize("function", [bridge.wsgi_handler, bridge.asgi_handler, bridge.handle_request])
def test_the_help_of_other_functions_refers_to_the_options_of_handler(function: Any) -> None:
    assert "options: those of :func:`bridge.handler`" in function.__doc__


@pytest.mark.parametrize("source", FRONT_DOORS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_handlers_answer_requests_of_every_source(function: Any, source: str, make_handler: MakeHandler) -> None:
    wsgi, asgi = WsgiApp(), AsgiApp()
    for app in (wsgi, asgi) if function is not bridge.wsgi_handler else (wsgi,):
        payload = make_handler(app, function)(compose(Request("PUT", "/a%20b", "x=1", [("host", "h")]), source), None)
        assert interpret(payload, source).body == b"body"
    for environ in wsgi.environs:
        assert (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("PUT", "/a b", "x=1")
    for scope in asgi.scopes:
        assert (scope["method"], scope["path"], scope["query_string"]) == ("PUT", "/a b", b"x=1")


@pytest.mark.parametrize("function", [bridge.asgi_handler, bridge.handler])
def test_an_asgi_2_application_is_called_in_two_steps(function: Any, make_handler: MakeHandler) -> None:
    class Double:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await AsgiApp()(self.scope, receive, send)

    assert get(make_handler(Double, function, lifespan="off")) == (200, b"body")


@pytest.mark.parametrize("app", [WsgiApp(), AsgiApp()])
def test_the_caller_states_an_unrecognisable_interface_by_the_function(app: Any, make_handler: MakeHandler) -> None:
    function = bridge.wsgi_handler if isinstance(app, WsgiApp) else bridge.asgi_handler
    assert get(make_handler(lambda *arguments: app(*arguments), function)) == (200, b"body")
    with pytest.raises(InterfaceError, match=r"bridge.wsgi_handler\(app\) or bridge.asgi_handler\(app\)"):
        bridge.handler(lambda *arguments: app(*arguments))


def test_a_partial_application_is_called(make_handler: MakeHandler) -> None:
    async def call(app: Any, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    assert get(make_handler(partial(lambda app, e, s: app(e, s), WsgiApp()), bridge.handler)) == (200, b"body")
    assert get(make_handler(partial(call, AsgiApp()), bridge.handler)) == (200, b"body")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("app", ["app:app", None, 7])
def test_an_application_that_is_not_callable_is_an_error(function: Any, app: Any) -> None:
    with pytest.raises(InterfaceError, match="cannot be called"):
        function(app)


def test_wsgi_handler_does_not_take_an_asgi_application() -> None:
    with pytest.raises(InterfaceError, match="asgi_handler"):
        bridge.wsgi_handler(AsgiApp())


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("options", [{"lifespan": "always"}, {"warmup": True}, {"exclude_headers": "Server"}])
def test_a_wrong_option_is_an_error_when_the_handler_is_made(function: Any, options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        function(WsgiApp(), **options)


def test_the_package_has_its_public_names_and_no_other() -> None:
    assert {*bridge.__all__} < {*dir(bridge)}
    for name in bridge.__all__:
        assert getattr(bridge, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        bridge.no_such_name  # type: ignore[attr-defined] # noqa: B018


# From event to payload


@pytest.mark.parametrize("source", FRONT_DOORS)
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request_: request_.path)
async def test_the_payload_is_the_same_for_both_interfaces_called_or_awaited(source: str, request_: Request) -> None:
    event = compose(request_, source)
    original = deepcopy(event)
    awaited = bridge.asgi_handler(asgi_echo)
    called = bridge.asgi_handler(asgi_echo)
    payloads = [
        bridge.wsgi_handler(wsgi_echo)(event, None),
        await asyncio.to_thread(called, event, None),
        await awaited.answer(event, None),
    ]
    assert payloads[0] == payloads[1] == payloads[2]
    assert event == original
    response = interpret(json.loads(json.dumps(payloads[0])), source, request_)
    assert response.status == {"/not-modified": 304, "/fail": 500}.get(request_.path, 200)
    if response.status == 200:
        assert response.body == (b"" if request_.method == "HEAD" else "/café ".encode() + request_.body)
    await asyncio.to_thread(called.close)
    assert awaited.asgi is not None
    await awaited.asgi.close_here()


def test_the_context_is_optional() -> None:
    app = WsgiApp()
    assert bridge.handler(app)(event())["body"] == "body"
    assert app.environs[0]["serverless.context"] is None


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_an_exception_is_a_plain_500_with_the_traceback_in_the_log(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = interpret(bridge.handler(wsgi_echo)(compose(Request("PUT", "/fail"), source)), source)
    assert (response.status, response.body) == (500, b"Internal Server Error")
    assert response.header("content-type") == "text/plain; charset=utf-8"
    (record,) = caplog.records
    assert record.getMessage() == "The application failed at PUT /fail"
    assert "ValueError: no database" in caplog.text


def test_the_non_proxy_integration_raises_an_exception_as_a_500(caplog: pytest.LogCaptureFixture) -> None:
    event = load_event("rest_lambda_integration") | {"requestPath": "/fail"}
    with pytest.raises(FailedIntegrationError, match='"statusCode": 500') as raised:
        bridge.handler(wsgi_echo)(event)
    assert isinstance(raised.value, RuntimeError)
    assert "no database" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_other_exceptions_than_those_of_the_class_exception_pass(
    error: type[BaseException], make_handler: MakeHandler
) -> None:
    def wsgi(environ: Any, start_response: Any) -> Any:
        raise error

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        raise error

    for app in (wsgi, asgi):
        with pytest.raises(error):
            get(make_handler(app, bridge.handler, lifespan="off"))
    assert bridge.current_request() is None


def test_a_header_that_cannot_be_sent_is_a_logged_500(caplog: pytest.LogCaptureFixture) -> None:
    assert get(bridge.handler(WsgiApp(headers=[("X-A", "1\r\nSet-Cookie: stolen=1")])))[0] == 500
    assert "has a line break" in caplog.text
    assert "During handling of the above exception" not in caplog.text


def test_a_client_cannot_start_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    assert bridge.wsgi_handler(app)(compose(Request(path="/a%0AERROR%20forged"), "alb"))["statusCode"] == 500
    assert [record.getMessage() for record in caplog.records] == ["The application failed at GET /a\\nERROR forged"]


def test_a_request_is_answered_while_logging_fails(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)
            self.handleError(record)

    broken = Broken()
    logging.getLogger("bridge").addHandler(broken)
    try:
        assert get(bridge.wsgi_handler(wsgi_echo), "/fail")[0] == 500
    finally:
        logging.getLogger("bridge").removeHandler(broken)


def test_an_application_may_change_its_event(make_handler: MakeHandler) -> None:
    def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
        environ["serverless.event"].clear()
        return WsgiApp()(environ, start_response)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        scope["aws.event"].clear()
        await AsgiApp()(scope, receive, send)

    for app, source in product((wsgi, asgi), FRONT_DOORS):
        handler = make_handler(app, bridge.handler, lifespan="off")
        assert interpret(handler(compose(Request(), source)), source).body == b"body"


def test_a_subclass_may_change_how_payloads_are_written() -> None:
    class Marked(bridge.Handler):
        def write(self, source: Any, scope: Scope, response: Response) -> Any:
            return {**super().write(source, scope, response), "marked": True}

    handler = bridge.wsgi_handler(WsgiApp())
    marked = Marked(handler.app, handler.settings, handler.respond)
    assert [marked(event())["marked"] for _ in range(2)] == [True, True]


def test_the_function_that_answers_requests_may_be_replaced() -> None:
    handler = bridge.wsgi_handler(WsgiApp())
    handler.respond = lambda scope: Response.plain(200, f"for {scope.path}")
    assert get(handler, "/page") == (200, b"for /page")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource")
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_an_application_that_has_used_up_its_file_descriptors_is_answered_500(interface: str) -> None:
    process = run_script(f"""
import json
import logging
import os
import resource
import bridge

logging.basicConfig()  # AWS's client has configured logging
try:
    json.loads("")
except ValueError:
    logging.exception("A traceback, for which Python 3.13 imports modules")
files = []

def use_up():
    while True:
        files.append(os.open("/dev/null", os.O_RDONLY))

def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        use_up()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]

async def asgi(scope, receive, send):
    if scope["path"] == "/leak":
        use_up()
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}})
    await send({{"type": "http.response.body", "body": b"fine"}})

handler = bridge.handler({interface}, lifespan="off")

def status(path):
    event = {{"requestContext": {{"elb": {{}}}}, "httpMethod": "GET", "path": path, "headers": {{}}}}
    return handler(event, None)["statusCode"]

assert status("/") == 200
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
assert [status("/leak"), status("/"), status("/leak"), status("/")] == [500, 200, 500, 200]
for file in files:
    os.close(file)
""")
    assert "Too many open files" in process.stderr


# Options


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_the_base_path_is_the_script_name_on_every_source(source: str) -> None:
    app = WsgiApp()
    handler = bridge.handler(app, base_path="/shop")
    for path in ("/shop/page", "/shopping/page"):
        handler(compose(Request(path=path), source))
    paths = [(environ["SCRIPT_NAME"], environ["PATH_INFO"]) for environ in app.environs]
    assert paths == [("/shop", "/page"), ("", "/shopping/page")]


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_excluded_headers_are_removed_on_every_source(source: str) -> None:
    headers = [("X-Secret", "1"), ("x-secret", "2"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "3")]
    handler = bridge.handler(WsgiApp(headers=headers), exclude_headers=["x-SECRET", "set-cookie"])
    response = interpret(handler(compose(Request(), source)), source)
    assert {"x-a", "x-secret", "set-cookie"} & {name.lower() for name, _ in response.headers} == {"x-a"}


@pytest.mark.parametrize("source", FRONT_DOORS)
@pytest.mark.parametrize(
    ("options", "is_text"),
    [
        ({}, False),
        ({"text_types": ["application/x-tex"]}, True),
        ({"text_types": lambda content_type: content_type == "application/x-tex"}, True),
    ],
)
def test_text_types_apply_on_every_source(source: str, options: Any, is_text: bool) -> None:
    app = WsgiApp(headers=[("Content-Type", "application/x-tex")])
    payload = bridge.handler(app, **options)(compose(Request(), source))
    assert (payload["body"] == "body") is is_text


CONTEXT = SimpleNamespace(aws_request_id="from-context")


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_lambda_s_request_id_replaces_headers_of_the_client(source: str, make_handler: MakeHandler) -> None:
    wsgi, asgi = WsgiApp(), AsgiApp()
    headers = [("x-request-id", "forged"), ("X-REQUEST-ID", "forged too"), ("x-other", "kept")]
    event = compose(Request(headers=headers), source)
    for app in (wsgi, asgi):
        make_handler(app, bridge.handler, request_id_header="X-Request-Id")(event, CONTEXT)
    assert wsgi.environs[0]["HTTP_X_REQUEST_ID"] == "from-context"
    assert wsgi.environs[0]["HTTP_X_OTHER"] == "kept"
    values = [value for name, value in asgi.scopes[0]["headers"] if name == b"x-request-id"]
    assert values == [b"from-context"]


def test_without_context_the_request_id_is_the_front_door_s_or_missing() -> None:
    app = WsgiApp()
    handler = bridge.handler(app, request_id_header="x-request-id")
    of_http_api = compose(Request(headers=[("x-request-id", "forged")]), "http-api")
    handler(of_http_api)
    handler(compose(Request(headers=[("x-request-id", "forged")]), "alb"))
    assert app.environs[0]["HTTP_X_REQUEST_ID"] == of_http_api["requestContext"]["requestId"]
    assert "HTTP_X_REQUEST_ID" not in app.environs[1]


def test_the_header_of_the_client_is_kept_without_the_option() -> None:
    app = WsgiApp()
    bridge.handler(app)(compose(Request(headers=[("x-request-id", "its own")])), CONTEXT)
    assert app.environs[0]["HTTP_X_REQUEST_ID"] == "its own"


# Payloads that are too large

LIMITS = dict.fromkeys(FRONT_DOORS, 6_291_556) | {"alb": 1_048_576, "alb-multi": 1_048_576, "edge": 40_960}


def length_of(payload: Any) -> int:
    return len(json.dumps(payload))


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_a_payload_may_be_as_large_as_the_limit_of_its_source(source: str, caplog: pytest.LogCaptureFixture) -> None:
    limit, event, app = LIMITS[source], compose(Request("GET", "/page"), source), WsgiApp(b"x")
    handler = bridge.handler(app)
    frame = length_of(handler(event)) - 1
    app.body = b"x" * (limit - frame)
    payload = handler(event)
    assert length_of(payload) == limit
    assert interpret(payload, source).body == app.body
    assert not caplog.records

    app.body += b"x"
    response = interpret(handler(event), source)
    assert response.status == 500
    for message in (response.body.decode(), caplog.text):
        assert str(limit + 1) in message
        assert str(limit) in message
    assert "GET /page" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_origin_request_of_cloudfront_may_have_1_mb() -> None:
    event = compose(Request(), "edge")
    event["Records"][0]["cf"]["config"]["eventType"] = "origin-request"
    assert bridge.handler(WsgiApp(b"x" * 1_000_000))(event)["status"] == "200"
    assert bridge.handler(WsgiApp(b"x" * 1_048_577))(event)["status"] == "500"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff" * 800_000, "image/png"),  # a third more in base64
        (b"\x1f" * 200_000, "text/plain"),  # six characters each in JSON
        (b'"' * 600_000, "text/plain"),
        ("ö".encode() * 200_000, "text/plain"),
    ],
)
def test_the_size_of_a_payload_is_that_of_its_json(body: bytes, content_type: str) -> None:
    handler = bridge.handler(WsgiApp(body, headers=[("Content-Type", content_type)]))
    assert len(body) < LIMITS["alb"]
    assert handler(compose(Request(), "alb"))["statusCode"] == 500
    assert handler(compose(Request(), "http-api"))["statusCode"] == 200


def test_the_json_is_utf_8_where_lambda_s_runtime_writes_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = bridge.handler(WsgiApp("ö".encode() * 200_000))
    for runtime, status in {"3.11": 500, "3.12": 200, "3.14": 200}.items():
        monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python{runtime}")
        assert handler(compose(Request(), "alb"))["statusCode"] == status


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("alb", [("X-A", "a" * 1_200_000)]),
        ("alb", [(f"X-{number}", "a" * 2000) for number in range(600)]),
        ("edge", [("X-A", "a" * 41_000)]),
    ],
)
def test_headers_count_for_the_size(source: str, headers: list[tuple[str, str]]) -> None:
    handler = bridge.wsgi_handler(WsgiApp(headers=headers))
    for _ in range(2):
        response = interpret(handler(compose(Request(), source)), source)
        assert response.status == 500
        assert str(LIMITS[source]) in response.body.decode()


# Startup and shutdown


def test_startup_starts_the_application_once_and_close_shuts_it_down(make_handler: MakeHandler) -> None:
    app = AsgiApp()
    handler = make_handler(app)
    handler.startup()
    handler.startup()
    get(handler)
    assert app.lifespan == ["lifespan.startup"]
    handler.close()
    handler.close()
    assert app.lifespan == ["lifespan.startup", "lifespan.shutdown"]


def test_a_wsgi_application_has_no_lifespan(make_handler: MakeHandler) -> None:
    for handler in (make_handler(WsgiApp(), lifespan="on"), make_handler(WsgiApp(), bridge.wsgi_handler)):
        handler.startup()
        assert get(handler) == (200, b"body")
        handler.close()


# Many requests


@pytest.mark.parametrize("app", [wsgi_echo, asgi_echo])
def test_threads_get_the_response_to_their_own_request(app: Any, make_handler: MakeHandler) -> None:
    handler = make_handler(app, bridge.handler)
    barrier = threading.Barrier(8)
    sources = list(FRONT_DOORS)

    def call(thread: int) -> list[bytes]:
        barrier.wait()
        bodies = []
        for number in range(10):
            source = sources[(thread + number) % len(sources)]
            payload = handler(compose(request(f"/{thread}/{number}", "POST", b"%d" % thread), source), None)
            bodies.append(interpret(payload, source).body)
        return bodies

    with ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(call, range(8)))
    assert bodies == [[f"/{thread}/{number} {thread}".encode() for number in range(10)] for thread in range(8)]


@pytest.mark.parametrize("app", [wsgi_echo, asgi_echo])
@pytest.mark.parametrize("path", ["/", "/fail", "/exit"])
def test_a_request_is_released_when_it_is_answered(
    app: Any, path: str, make_handler: MakeHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("bridge"), "disabled", True)  # pytest keeps log records
    handler = make_handler(app, bridge.handler)

    def call() -> ref[Context]:
        context = Context(60)
        with contextlib.suppress(SystemExit):
            handler(event(path), context)
        return ref(context)

    first = call()
    call()
    gc.collect()
    assert first() is None


# Awaiting a handler


class TestAnswer:
    async def test_other_events_are_answered_too(self) -> None:
        handler = bridge.asgi_handler(asgi_echo, other_events=lambda event, context: {"event": event}, lifespan="off")
        assert await handler.answer({"Records": []}) == {"event": {"Records": []}}
        assert await handler.answer({"source": "aws.events"}) == {}
        with pytest.raises(EventError, match="odd"):
            await bridge.asgi_handler(asgi_echo, lifespan="off").answer({"odd": 1})

    async def test_options_apply(self) -> None:
        handler = bridge.asgi_handler(asgi_echo, base_path="/shop", exclude_headers=["Set-Cookie"], lifespan="off")
        payload = await handler.answer(event("/shop/page"))
        assert payload["headers"] == {"Content-Type": "text/plain"}
        assert payload["body"] == "/shop/page "

    async def test_an_exception_is_a_logged_500(self, caplog: pytest.LogCaptureFixture) -> None:
        payload = await bridge.asgi_handler(asgi_echo, lifespan="off").answer(event("/fail"))
        assert payload["statusCode"] == 500
        assert "no database" in caplog.text

    async def test_a_failed_startup_is_a_logged_500_and_tried_again(self) -> None:
        failures = [OSError("no database")]
        app = AsgiApp()

        async def failing_first(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan" and failures:
                await receive()
                await send({"type": "lifespan.startup.failed", "message": str(failures.pop())})
            else:
                await app(scope, receive, send)

        handler = bridge.asgi_handler(failing_first)
        assert [(await handler.answer(event()))["statusCode"] for _ in range(3)] == [500, 200, 200]
        assert handler.asgi is not None
        await handler.asgi.close_here()

    async def test_a_handler_of_a_wsgi_application_cannot_be_awaited(self) -> None:
        assert bridge.asgi_handler(asgi_echo).is_async
        assert bridge.asgi_handler(wsgi_echo).is_async  # in a thread
        handler = bridge.wsgi_handler(wsgi_echo)
        assert not handler.is_async
        with pytest.raises(TypeError, match=r"Call the handler: handler\(event, context\)"):
            await handler.answer(event())


async def test_a_synchronous_call_inside_a_running_loop_is_an_error_that_names_the_method_to_await() -> None:
    handler = bridge.asgi_handler(AsgiApp())
    for call in (lambda: handler(event()), handler.startup):
        with pytest.raises(bridge.RunningLoopError, match=r"await handler\.answer\(event, context\)"):
            call()
    assert get(bridge.wsgi_handler(WsgiApp())) == (200, b"body")  # needs no loop
