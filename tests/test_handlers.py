"""The public handlers: what they take, what their options do on every source, and how they fail."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge import handler_cache as kept
from bridge.dev.gateway import SOURCES, Request, compose, interpret
from bridge.errors import EventError, FailedIntegrationError, InterfaceError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPE = [("Content-Type", "text/plain")]
NON_PROXY = {"method": "GET", "requestPath": "/page", "headers": {}, "body": {}, "query": {}, "path": {}}


class WSGI:
    """A WSGI application that remembers its environs."""

    def __init__(
        self, body: bytes = b"body", status: str = "200 OK", headers: list[tuple[str, str]] | None = None
    ) -> None:
        self.body = body
        self.status = status
        self.headers = TYPE if headers is None else headers
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        start_response(self.status, self.headers)
        return [self.body]


class ASGI:
    """An ASGI application that remembers its scopes and what its lifespan is told."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.told: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                self.told.append(message["type"])
                await send({"type": message["type"] + ".complete"})
            return
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"body"})


@pytest.fixture
def made() -> Iterator[list[bridge.Handler]]:
    """Handlers to close after the test."""
    handlers_made: list[bridge.Handler] = []
    yield handlers_made
    for handler in handlers_made:
        handler.close()


@pytest.fixture(autouse=True)
def no_kept_handlers() -> Iterator[None]:
    yield
    while kept._made:
        kept._made.popitem()[1][1].close()


# What each function takes


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("make", [bridge.wsgi_handler, bridge.handler, bridge.asgi_handler])
def test_every_handler_answers_a_wsgi_application_on_every_source(make: Any, source: str, made: list[Any]) -> None:
    app = WSGI()
    made.append(make(app))
    payload = made[0](compose(Request("PUT", "/a%20b", "x=1", [("host", "h")]), source), None)
    assert interpret(payload, source).body == b"body"
    (environ,) = app.environs
    assert (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("PUT", "/a b", "x=1")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("make", [bridge.asgi_handler, bridge.handler])
def test_both_handlers_answer_an_asgi_application_on_every_source(make: Any, source: str, made: list[Any]) -> None:
    app = ASGI()
    made.append(make(app))
    payload = made[0](compose(Request("PUT", "/a%20b", "x=1", [("host", "h")]), source), None)
    assert interpret(payload, source).body == b"body"
    (scope,) = app.scopes
    assert (scope["method"], scope["path"], scope["query_string"]) == ("PUT", "/a b", b"x=1")


def test_an_asgi_2_application_is_answered_too(made: list[Any]) -> None:
    class Double:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await ASGI()(self.scope, receive, send)

    for make in (bridge.handler, bridge.asgi_handler):
        made.append(make(Double, lifespan="off"))
        assert made[-1](compose(Request()), None)["body"] == "body"


def test_asgi_handler_believes_the_caller_where_it_cannot_be_told(made: list[Any]) -> None:
    app = ASGI()
    made.append(bridge.asgi_handler(lambda *arguments: app(*arguments)))
    assert made[0](compose(Request()), None)["body"] == "body"


def test_wsgi_handler_believes_the_caller_where_it_cannot_be_told() -> None:
    app = WSGI()
    assert bridge.wsgi_handler(lambda *arguments: app(*arguments))(compose(Request()), None)["body"] == "body"


def test_handler_says_what_to_do_where_it_cannot_be_told() -> None:
    with pytest.raises(InterfaceError, match=r"bridge.wsgi_handler\(app\) or bridge.asgi_handler\(app\)"):
        bridge.handler(lambda *arguments: None)


@pytest.mark.parametrize("make", [bridge.handler, bridge.wsgi_handler, bridge.asgi_handler])
@pytest.mark.parametrize("app", ["app:app", None, 7])
def test_what_cannot_be_called_is_refused_when_the_handler_is_made(make: Any, app: Any) -> None:
    with pytest.raises(InterfaceError, match="cannot be called"):
        make(app)


@pytest.mark.parametrize("make", [bridge.handler, bridge.wsgi_handler, bridge.asgi_handler])
@pytest.mark.parametrize("options", [{"lifespan": "always"}, {"warmup": True}, {"exclude_headers": "Server"}])
def test_a_wrong_option_is_refused_when_the_handler_is_made(make: Any, options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        make(WSGI(), **options)
    with pytest.raises(SettingError):
        bridge.handle_request(WSGI(), compose(Request()), None, **options)


def test_a_wsgi_application_has_no_lifespan_even_if_one_is_asked_for(made: list[Any]) -> None:
    made.append(bridge.asgi_handler(WSGI(), lifespan="on"))
    made[0].startup()
    assert made[0](compose(Request()), None)["body"] == "body"


def test_context_may_be_left_out() -> None:
    app = WSGI()
    assert bridge.handler(app)(compose(Request()))["body"] == "body"
    assert bridge.handle_request(app, compose(Request()))["body"] == "body"
    assert [environ["serverless.context"] for environ in app.environs] == [None, None]


# One call


def test_handle_request_keeps_one_lifespan_for_an_application() -> None:
    app = ASGI()
    for _ in range(3):
        assert bridge.handle_request(app, compose(Request()), None)["body"] == "body"
    assert app.told == ["lifespan.startup"]
    assert len(app.scopes) == 3


def test_handle_request_keeps_applications_and_options_apart() -> None:
    one, other = WSGI(b"one", headers=[]), WSGI(b"other", headers=[("X-A", "1")])
    event = compose(Request(path="/shop/page"))
    assert bridge.handle_request(one, event)["body"] == "one"
    assert bridge.handle_request(other, event)["headers"] == {"X-A": "1"}
    assert bridge.handle_request(other, event, exclude_headers=["X-A"])["headers"] == {}
    assert bridge.handle_request(other, event, base_path="/shop")["headers"] == {"X-A": "1"}
    assert other.environs[-1]["SCRIPT_NAME"] == "/shop"
    assert bridge.handle_request(other, event)["headers"] == {"X-A": "1"}
    assert other.environs[-1]["SCRIPT_NAME"] == ""


def test_handle_request_does_not_take_a_new_application_for_one_that_is_gone() -> None:
    """The id of an object that is gone may be the next one's."""
    for number in range(50):
        assert bridge.handle_request(WSGI(b"%d" % number), compose(Request()))["body"] == str(number)


def test_handle_request_shuts_down_what_it_has_not_been_asked_for_longest() -> None:
    apps = [ASGI() for _ in range(kept._REMEMBER + 1)]
    for app in apps:
        bridge.handle_request(app, compose(Request()))
    assert apps[0].told == ["lifespan.startup", "lifespan.shutdown"]
    assert {tuple(app.told) for app in apps[1:]} == {("lifespan.startup",)}
    bridge.handle_request(apps[0], compose(Request()))
    assert apps[0].told[2:] == ["lifespan.startup"]


# Options


@pytest.mark.parametrize("source", SOURCES)
def test_a_base_path_is_the_script_name_on_every_source(source: str) -> None:
    app = WSGI()
    handler = bridge.handler(app, base_path="/shop")
    for path in ("/shop/page", "/shopping/page"):
        handler(compose(Request(path=path), source))
    paths = [(environ["SCRIPT_NAME"], environ["PATH_INFO"]) for environ in app.environs]
    assert paths == [("/shop", "/page"), ("", "/shopping/page")]


@pytest.mark.parametrize("source", SOURCES)
def test_excluded_headers_are_left_out_on_every_source(source: str) -> None:
    headers = [*TYPE, ("X-Secret", "1"), ("x-secret", "2"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "3")]
    handler = bridge.handler(WSGI(headers=headers), exclude_headers=["x-SECRET", "set-cookie"])
    answer = interpret(handler(compose(Request(), source)), source)
    names = [name.lower() for name, _ in answer.headers]
    assert "x-a" in names
    assert "x-secret" not in names
    assert "set-cookie" not in names


@pytest.mark.parametrize("source", SOURCES)
def test_text_types_count_on_every_source(source: str) -> None:
    headers = [("Content-Type", "application/x-tex")]

    def is_text(**options: Any) -> bool:
        payload = bridge.handler(WSGI(headers=headers), **options)(compose(Request(), source))
        return bool(payload["body"] == "body")

    assert not is_text()
    assert is_text(text_types=["application/x-tex"])
    assert is_text(text_types=lambda content_type: content_type == "application/x-tex")


CONTEXT = SimpleNamespace(aws_request_id="from-context")


@pytest.mark.parametrize("source", SOURCES)
def test_lambdas_request_id_replaces_what_the_client_sent_under_that_name(source: str, made: list[Any]) -> None:
    app, asgi = WSGI(), ASGI()
    sent = [("x-request-id", "forged"), ("X-REQUEST-ID", "forged too"), ("x-other", "kept")]
    event = compose(Request(headers=sent), source)
    made.append(bridge.handler(asgi, request_id_header="X-Request-Id"))
    bridge.handler(app, request_id_header="X-Request-Id")(event, CONTEXT)
    made[0](event, CONTEXT)
    assert app.environs[0]["HTTP_X_REQUEST_ID"] == "from-context"
    assert app.environs[0]["HTTP_X_OTHER"] == "kept"
    values = [value for name, value in asgi.scopes[0]["headers"] if name == b"x-request-id"]
    assert values == [b"from-context"]


def test_without_a_context_the_request_id_is_the_front_doors() -> None:
    app = WSGI()
    event = compose(Request(headers=[("x-request-id", "forged")]), "http-api")
    bridge.handler(app, request_id_header="x-request-id")(event, None)
    assert app.environs[0]["HTTP_X_REQUEST_ID"] == event["requestContext"]["requestId"]


def test_a_client_cannot_say_what_the_request_id_is_even_where_nobody_else_does() -> None:
    app = WSGI()
    event = compose(Request(headers=[("x-request-id", "forged")]), "alb")
    bridge.handler(app, request_id_header="x-request-id")(event, None)
    assert "HTTP_X_REQUEST_ID" not in app.environs[0]


def test_a_client_keeps_its_header_if_no_request_id_is_asked_for() -> None:
    app = WSGI()
    bridge.handler(app)(compose(Request(headers=[("x-request-id", "its own")])), CONTEXT)
    assert app.environs[0]["HTTP_X_REQUEST_ID"] == "its own"


# Other events


QUEUE = {"Records": [{"eventSource": "aws:sqs"}], "more": 1}


def on_event(event: Any, context: Any) -> Any:
    """Named by tests as text."""
    return ["other", event, context]


@pytest.mark.parametrize("event", [QUEUE, {}, [], "text", None, 7])
def test_another_event_goes_to_the_users_function_whose_answer_is_the_answer(event: Any) -> None:
    context = object()
    assert bridge.handler(WSGI(), other_events=on_event)(event, context) == ["other", event, context]


def test_the_function_for_other_events_may_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_OTHER_EVENTS", f"{__name__}:on_event")
    assert bridge.handler(WSGI())(QUEUE, None) == ["other", QUEUE, None]


def test_the_function_for_other_events_sees_no_request() -> None:
    handler = bridge.handler(WSGI(), other_events=on_event)
    for source in SOURCES:
        assert interpret(handler(compose(Request(), source)), source).body == b"body"


def test_what_the_users_function_raises_comes_through() -> None:
    def fail(event: Any, context: Any) -> Any:
        raise LookupError("no queue")

    with pytest.raises(LookupError, match="no queue"):
        bridge.handler(WSGI(), other_events=fail)(QUEUE, None)


@pytest.mark.parametrize(
    ("event", "named"),
    [(QUEUE, "keys Records, more"), ({}, r"keys \(none\)"), ([], "a list"), (None, "a NoneType"), ("x", "a str")],
)
def test_another_event_without_a_function_is_an_error_that_names_its_keys(event: Any, named: str) -> None:
    with pytest.raises(EventError, match=named) as caught:
        bridge.handler(WSGI())(event, None)
    assert "other_events=" in str(caught.value)
    assert "BRIDGE_OTHER_EVENTS" in str(caught.value)


WARM_UPS = [
    {"source": "aws.events", "detail-type": "Scheduled Event", "resources": []},
    {"source": "aws.scheduler", "detail-type": "Scheduled Event"},
    {"source": "serverless-plugin-warmup"},
]


@pytest.mark.parametrize("event", WARM_UPS)
def test_a_warm_up_event_is_answered_with_nothing_and_logged(event: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = WSGI()
    assert bridge.handler(app, other_events=on_event)(event, None) == {}
    assert app.environs == []
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    assert event["source"] in caplog.text


@pytest.mark.parametrize("event", WARM_UPS)
def test_a_warm_up_event_is_another_event_if_it_is_not_to_be_answered(event: Any) -> None:
    assert bridge.handler(WSGI(), warm_up=False, other_events=on_event)(event, None) == ["other", event, None]
    with pytest.raises(EventError):
        bridge.handler(WSGI(), warm_up=False)(event, None)


def test_an_event_with_a_source_of_the_users_own_is_no_warm_up() -> None:
    event = {"source": "my.events", "detail": {}}
    assert bridge.handler(WSGI(), other_events=on_event)(event, None) == ["other", event, None]


# Answers


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_head_204_and_304_have_their_headers_and_no_body(source: str, method: str, status: str) -> None:
    headers = [("Content-Type", "image/png"), ("ETag", '"1"'), ("Content-Length", "4")]
    handler = bridge.handler(WSGI(b"\xff\xfe\xfd\xfc", status, headers))
    payload = handler(compose(Request(method), source))
    assert payload.get("body", "") == ""
    assert payload.get("isBase64Encoded", False) is False
    answer = interpret(payload, source, Request(method))
    assert (answer.status, answer.body) == (int(status[:3]), b"")
    assert answer.header("etag") == '"1"'
    assert answer.header("content-type") == "image/png"


@pytest.mark.parametrize("source", SOURCES)
def test_an_exception_is_a_plain_500_and_its_traceback_is_logged(source: str, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise LookupError("no database")

    answer = interpret(bridge.handler(app)(compose(Request("PUT", "/page"), source)), source)
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    (record,) = caplog.records
    assert record.getMessage() == "The application failed at PUT /page"
    assert "LookupError: no database" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_is_no_exception_is_not_swallowed(error: type[BaseException], made: list[Any]) -> None:
    def wsgi(environ: Any, start_response: Any) -> Any:
        raise error

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(error):
        bridge.handler(wsgi)(compose(Request()))
    made.append(bridge.handler(asgi, lifespan="off"))
    with pytest.raises(error):
        made[0](compose(Request()))


def test_a_header_that_cannot_be_sent_is_a_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    handler = bridge.handler(WSGI(headers=[("X-A", "1\r\nSet-Cookie: stolen=1")]))
    assert handler(compose(Request()))["statusCode"] == 500
    assert "has a line break" in caplog.text


@pytest.mark.parametrize("status", ["300 Multiple Choices", "404 Not Found", "500 Internal Server Error"])
def test_the_non_proxy_integration_raises_a_status_of_300_and_above(status: str) -> None:
    with pytest.raises(FailedIntegrationError) as caught:
        bridge.handler(WSGI(status=status))(NON_PROXY)
    assert json.loads(str(caught.value))["statusCode"] == int(status[:3])
    assert isinstance(caught.value, RuntimeError)


def test_the_non_proxy_integration_returns_a_status_below_300() -> None:
    assert bridge.handler(WSGI(status="299 Odd"))(NON_PROXY)["statusCode"] == 299


def test_the_non_proxy_integration_raises_what_fails_as_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise LookupError("no database")

    with pytest.raises(FailedIntegrationError, match='"statusCode": 500'):
        bridge.handler(app)(NON_PROXY)
    assert "no database" in caplog.text


# Too large

LIMITS = dict.fromkeys(SOURCES, 6_291_556) | {"alb": 1_048_576, "alb-multi": 1_048_576, "edge": 40_960}


def length_of(payload: Any) -> int:
    return len(json.dumps(payload))


@pytest.mark.parametrize("source", SOURCES)
def test_a_payload_may_be_as_large_as_its_source_takes_and_no_larger(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    limit, event, app = LIMITS[source], compose(Request("GET", "/page"), source), WSGI(b"x")
    handler = bridge.handler(app)
    frame = length_of(handler(event)) - 1
    app.body = b"x" * (limit - frame)
    fits = handler(event)
    assert length_of(fits) == limit
    assert interpret(fits, source).body == app.body
    assert not caplog.records
    app.body += b"x"
    answer = interpret(handler(event), source)
    assert answer.status == 500
    for said in (answer.body.decode(), caplog.text):
        assert str(limit + 1) in said
        assert str(limit) in said
    assert "GET /page" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_origin_request_of_cloudfront_may_have_1_mb() -> None:
    event = compose(Request(), "edge")
    event["Records"][0]["cf"]["config"]["eventType"] = "origin-request"
    assert bridge.handler(WSGI(b"x" * 1_000_000))(event)["status"] == "200"
    assert bridge.handler(WSGI(b"x" * 1_048_577))(event)["status"] == "500"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff" * 800_000, [("Content-Type", "image/png")]),  # a third more in base64
        (b"\x1f" * 200_000, TYPE),  # six letters each in JSON
        (b'"' * 600_000, TYPE),
        ("ö".encode() * 200_000, TYPE),
    ],
)
def test_a_payload_is_measured_as_json_and_not_by_its_body(body: bytes, headers: list[tuple[str, str]]) -> None:
    handler = bridge.handler(WSGI(body, headers=headers))
    assert len(body) < LIMITS["alb"]
    assert handler(compose(Request(), "alb"))["statusCode"] == 500
    assert handler(compose(Request(), "http-api"))["statusCode"] == 200


def test_a_payload_is_measured_as_utf8_where_lambdas_runtime_writes_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = bridge.handler(WSGI("ö".encode() * 200_000))
    for runtime, status in {"3.11": 500, "3.12": 200, "3.14": 200}.items():
        monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python{runtime}")
        assert handler(compose(Request(), "alb"))["statusCode"] == status


def test_headers_count_too(caplog: pytest.LogCaptureFixture) -> None:
    handler = bridge.handler(WSGI(headers=[*TYPE, ("X-Long", "x" * 41_000)]))
    answer = interpret(handler(compose(Request(), "edge")), "edge")
    assert answer.status == 500
    assert "40960" in caplog.text


# Life


def test_startup_starts_the_application_once_and_close_ends_it(made: list[Any]) -> None:
    app = ASGI()
    handler = bridge.asgi_handler(app)
    handler.startup()
    handler.startup()
    handler(compose(Request()))
    assert app.told == ["lifespan.startup"]
    handler.close()
    handler.close()
    assert app.told == ["lifespan.startup", "lifespan.shutdown"]


def test_a_wsgi_handler_has_nothing_to_start_or_to_close() -> None:
    handler = bridge.wsgi_handler(WSGI())
    handler.startup()
    handler.close()
    assert handler(compose(Request()))["body"] == "body"


def test_a_partial_application_is_recognised(made: list[Any]) -> None:
    wsgi, asgi = WSGI(), ASGI()
    assert bridge.handler(partial(lambda app, e, s: app(e, s), wsgi))(compose(Request()))["body"] == "body"

    async def call(app: Any, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    made.append(bridge.handler(partial(call, asgi)))
    assert made[0](compose(Request()))["body"] == "body"


def test_the_package_offers_its_names_and_no_other() -> None:
    assert {"handler", "wsgi_handler", "asgi_handler", "handle_request", "Settings", "Handler"} <= {*dir(bridge)}
    for name in bridge.__all__:
        assert getattr(bridge, name).__name__ == name
    other = "no_such_name"
    with pytest.raises(AttributeError, match=other):
        getattr(bridge, other)


def test_handle_request_knows_a_bound_method_again() -> None:
    class Shop:
        def __init__(self) -> None:
            self.app = ASGI()

        async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    shop, other = Shop(), Shop()
    for _ in range(3):
        bridge.handle_request(shop.asgi, compose(Request()), None)
    bridge.handle_request(other.asgi, compose(Request()), None)
    assert shop.app.told == other.app.told == ["lifespan.startup"]


@pytest.mark.parametrize("is_awaited", [False, True], ids=["called", "awaited"])
def test_a_warm_up_starts_the_application_up(is_awaited: bool) -> None:
    app = ASGI()
    handler = bridge.asgi_handler(app)
    event = {"source": "serverless-plugin-warmup"}

    async def main() -> Any:
        payload = await handler.answer(event)
        assert handler.hosted is not None
        await handler.hosted.close_here()
        return payload

    assert (asyncio.run(main()) if is_awaited else handler(event)) == {}
    assert app.told[0] == "lifespan.startup"
    handler.close()


@pytest.mark.parametrize("headers", [[("X-A", "a" * 1_200_000)], [(f"X-{n}", "a" * 2000) for n in range(600)]])
def test_headers_count_when_a_response_is_too_large(headers: list[tuple[str, str]]) -> None:
    handler = bridge.wsgi_handler(WSGI(headers=headers))
    for _ in range(2):
        payload = handler(compose(Request(), "alb"))
        assert payload["statusCode"] == 500
        assert "1048576" in payload["body"]


def test_wsgi_handler_refuses_an_asgi_application_when_it_is_made() -> None:
    with pytest.raises(InterfaceError, match="asgi_handler"):
        bridge.wsgi_handler(ASGI())


def test_a_client_writes_no_lines_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise RuntimeError("boom")

    assert bridge.wsgi_handler(app)(compose(Request(path="/a%0AERROR%20forged"), "alb"))["statusCode"] == 500
    assert [record.getMessage() for record in caplog.records] == ["The application failed at GET /a\\nERROR forged"]
