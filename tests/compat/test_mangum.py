"""``bridge.compat.mangum``: Mangum's class."""

from __future__ import annotations

import gc
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

import bridge.compat.mangum as module
from bridge.compat.mangum import Mangum
from bridge.dev.gateway import FRONT_DOORS, Request, compose, interpret
from bridge.errors import LifespanError, SettingError
from bridge.handlers import Handler
from bridge.settings import VARIABLES
from tests.helpers import run_script

if TYPE_CHECKING:
    from collections.abc import Iterator


class Application:
    """An ASGI application that records its scopes, bodies and lifespan messages."""

    def __init__(self, content_type: str = "text/plain", body: bytes = b"body", *, lifespan: bool = True) -> None:
        self.headers = [(b"content-type", content_type.encode()), (b"x-secret", b"1"), (b"set-cookie", b"a=1")]
        self.body = body
        self.lifespan = lifespan
        self.scopes: list[Any] = []
        self.received = b""
        self.lifespan_messages: list[str] = []
        self.failure: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
            return
        self.scopes.append(scope)
        if self.failure is not None:
            raise self.failure
        self.received = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    async def _run_lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.lifespan:
            raise NotImplementedError
        for _ in range(2):
            message = await receive()
            self.lifespan_messages.append(message["type"].removeprefix("lifespan."))
            scope["state"]["started"] = True
            await send({"type": message["type"] + ".complete"})


@pytest.fixture(autouse=True)
def close_released_applications() -> Iterator[None]:
    """Close the applications that the tests leave to the next Mangum. Tracebacks keep some Mangums alive in cycles."""
    yield
    gc.collect()
    while module._released:
        module._released.popitem()[1].close()


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_one_handler_answers_events_of_every_source(source: str) -> None:
    app = Application()
    request = Request("POST", "/a%20b", "x=1", [("host", "example.com")], b"sent")
    event, context = compose(request, source), object()
    payload = Mangum(app)(event, context)
    assert interpret(payload, source, request).body == b"body"
    (scope,) = app.scopes
    assert (scope["path"], scope["query_string"], app.received) == ("/a b", b"x=1", b"sent")
    assert scope["aws.event"] is event
    assert scope["aws.context"] is context
    assert scope["state"] == {"started": True}


def test_it_is_a_handler_with_mangums_attributes() -> None:
    app = Application()
    handler = Mangum(app, "off", "/shop", [CustomHandler], ["application/x-tex"], ["X-Secret"])
    assert isinstance(handler, Handler)
    assert handler.app is app
    assert handler.lifespan == "off"
    assert handler.custom_handlers == [CustomHandler]
    assert handler.config == {
        "api_gateway_base_path": "/shop",
        "text_mime_types": ["application/x-tex"],
        "exclude_headers": ["x-secret"],
    }
    default = Mangum(app).config
    assert (default["api_gateway_base_path"], default["exclude_headers"]) == ("/", [])
    assert {"text/", "application/json", "application/xml"} <= {*default["text_mime_types"]}


def test_the_lifespan_runs_once_for_all_events() -> None:
    app = Application()
    handler = Mangum(app)
    for _ in range(3):
        handler(compose(Request()), None)
    assert app.lifespan_messages == ["startup"]
    handler.close()
    assert app.lifespan_messages == ["startup", "shutdown"]


def test_the_lifespan_can_be_off() -> None:
    app = Application()
    Mangum(app, lifespan="off")(compose(Request()), None)
    assert app.lifespan_messages == []
    assert "state" not in app.scopes[0]


def test_a_missing_lifespan_is_an_error_only_with_lifespan_on() -> None:
    app = Application(lifespan=False)
    assert Mangum(app)(compose(Request()), None)["statusCode"] == 200
    with pytest.raises(LifespanError):
        Mangum(app, lifespan="on").startup()


@pytest.mark.parametrize("lifespan", ["always", "ON", "", 1])
def test_an_invalid_lifespan_is_an_error_that_names_the_valid_ones(lifespan: Any) -> None:
    with pytest.raises(SettingError, match=r"option lifespan is .*; allowed is 'auto' or 'on' or 'off'"):
        Mangum(Application(), lifespan=lifespan)


@pytest.mark.parametrize("base_path", ["/shop", "shop", "/shop/"])
@pytest.mark.parametrize("source", FRONT_DOORS)
def test_a_base_path_is_the_root_path_on_every_source(source: str, base_path: str) -> None:
    app = Application()
    handler = Mangum(app, api_gateway_base_path=base_path)
    for path, root_path in (("/shop/page", "/shop"), ("/shop", "/shop"), ("/shopping", "")):
        handler(compose(Request(path=path), source), None)
        assert (app.scopes[-1]["path"].rstrip("/"), app.scopes[-1]["root_path"]) == (path, root_path)


@pytest.mark.parametrize("base_path", ["/", "", None])
def test_an_empty_base_path_is_ignored(base_path: Any) -> None:
    handler = Mangum(Application(), api_gateway_base_path=base_path)
    assert handler.settings.base_path == ""
    assert handler.config["api_gateway_base_path"] == "/"


def test_text_mime_types_are_parts_of_content_types_in_addition_to_the_known_ones() -> None:
    def is_base64(content_type: str, text_mime_types: list[str] | None) -> bool:
        handler = Mangum(Application(content_type), text_mime_types=text_mime_types)
        return bool(handler(compose(Request()), None)["isBase64Encoded"])

    assert is_base64("application/x-tex", None)
    assert is_base64("application/x-tex", [])
    assert not is_base64("application/x-tex; version=1", ["x-tex"])
    assert is_base64("font/woff", ["x-tex"])
    assert not is_base64("application/json", ["x-tex"])


@pytest.mark.parametrize("source", FRONT_DOORS)
def test_excluded_headers_are_removed_on_every_source_whatever_their_case(source: str) -> None:
    event = compose(Request(), source)
    answer = interpret(Mangum(Application())(event, None), source)
    assert (answer.header("x-secret"), answer.header("set-cookie")) == ("1", "a=1")
    answer = interpret(Mangum(Application(), exclude_headers=["X-SECRET", "Set-Cookie"])(event, None), source)
    assert [name for name, _ in answer.headers if name.lower() in ("x-secret", "set-cookie")] == []


def test_the_environment_sets_options_that_have_their_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"lifespan": "off", "base_path": "/shop", "exclude_headers": "X-Secret"}.items():
        monkeypatch.setenv(VARIABLES[name][0], value)
    app = Application()
    payload = Mangum(app)(compose(Request(path="/shop/page")), None)
    assert app.lifespan_messages == []
    assert app.scopes[0]["root_path"] == "/shop"
    assert "x-secret" not in payload["headers"]


class CustomHandler:
    """Reads events of the form ``{"custom": path}``, and returns payloads of its own form."""

    instances: ClassVar[list[CustomHandler]] = []

    @classmethod
    def infer(cls, event: Any, context: Any, config: Any) -> bool:
        return "custom" in event

    def __init__(self, event: Any, context: Any, config: Any) -> None:
        self.arguments = event, context, config
        self._scope = {
            "type": "http",
            "method": event.get("method", "POST"),
            "path": event["custom"],
            "headers": [[b"x-own", b"yes"]],
            "query_string": b"q",
            "own.key": self,
        }
        self.instances.append(self)

    @property
    def scope(self) -> Any:
        return self._scope

    @property
    def body(self) -> bytes:
        return b64decode(self.arguments[0].get("sent", ""))

    def __call__(self, response: Any) -> Any:
        return {"response": response, "path": self.arguments[0]["custom"]}


def test_a_custom_handler_reads_the_event_and_makes_the_payload() -> None:
    app = Application()
    handler = Mangum(app, custom_handlers=[CustomHandler])
    event, context = {"custom": "/own/path", "sent": b64encode(b"sent").decode()}, object()
    payload = handler(event, context)
    headers = [[b"content-type", b"text/plain"], [b"x-secret", b"1"], [b"set-cookie", b"a=1"]]
    assert payload == {"response": {"status": 200, "headers": headers, "body": b"body"}, "path": "/own/path"}
    custom_handler = CustomHandler.instances[-1]
    assert custom_handler.arguments == (event, context, handler.config)
    assert app.scopes[-1] == {**custom_handler.scope, "state": {"started": True}}
    assert app.received == b"sent"


def test_the_state_of_a_request_is_shared_with_no_other_request_and_no_custom_handler() -> None:
    app = Application()
    handler = Mangum(app, custom_handlers=[CustomHandler])
    handler({"custom": "/"}, None)
    app.scopes[-1]["state"]["changed"] = True
    handler({"custom": "/"}, None)
    assert app.scopes[-1]["state"] == {"started": True}
    assert "state" not in CustomHandler.instances[-1].scope


def test_the_first_custom_handler_that_infers_an_event_comes_before_the_sources() -> None:
    class Never(CustomHandler):
        @classmethod
        def infer(cls, event: Any, context: Any, config: Any) -> bool:
            return False

    class First(CustomHandler):
        @classmethod
        def infer(cls, event: Any, context: Any, config: Any) -> bool:
            return bool(event.get("rawPath") == "/first")

        def __init__(self, event: Any, context: Any, config: Any) -> None:
            super().__init__({"custom": "first"}, context, config)

    class Second(First):
        def __init__(self, event: Any, context: Any, config: Any) -> None:
            raise AssertionError

    handler = Mangum(Application(), custom_handlers=[Never, First, Second])
    assert handler(compose(Request(path="/first")), None)["path"] == "first"
    assert handler(compose(Request(path="/other")), None)["body"] == "body"


def test_an_exception_of_the_application_is_a_500() -> None:
    app = Application()
    app.failure = LookupError("no database")
    handler = Mangum(app, custom_handlers=[CustomHandler])
    assert handler(compose(Request()), None)["statusCode"] == 500
    response = handler({"custom": "/"}, None)["response"]
    assert (response["status"], response["body"]) == (500, b"Internal Server Error")


def test_a_system_exit_of_the_application_is_raised() -> None:
    app = Application()
    app.failure = SystemExit(3)
    handler = Mangum(app, custom_handlers=[CustomHandler])
    with pytest.raises(SystemExit):
        handler({"custom": "/"}, None)
    with pytest.raises(SystemExit):
        handler(compose(Request()), None)


async def test_events_are_answered_on_a_running_loop() -> None:
    app = Application()
    handler = Mangum(app, custom_handlers=[CustomHandler])
    assert handler.is_async
    assert (await handler.answer({"custom": "/own"}, None))["path"] == "/own"
    assert (await handler.answer(compose(Request()), None))["statusCode"] == 200
    app.failure = LookupError()
    assert (await handler.answer({"custom": "/own"}, None))["response"]["status"] == 500
    assert app.lifespan_messages == ["startup"]
    assert handler.asgi is not None
    await handler.asgi.close_here()


def test_a_mangum_for_each_event_starts_the_application_once() -> None:
    app = Application()
    for _ in range(5):
        payload = Mangum(app)(compose(Request()), None)
        assert payload["statusCode"] == 200
    assert app.lifespan_messages == ["startup"]


def test_a_mangum_for_each_event_has_its_own_options() -> None:
    app = Application("application/x-tex")
    event = compose(Request(path="/shop/page"))
    assert Mangum(app)(event, None)["isBase64Encoded"] is True
    assert (
        Mangum(app, text_mime_types=["x-tex"], api_gateway_base_path="/shop")(event, None)["isBase64Encoded"] is False
    )
    assert app.scopes[-1]["root_path"] == "/shop"
    assert app.lifespan_messages == ["startup"]
    assert Mangum(app, custom_handlers=[CustomHandler])({"custom": "/"}, None)["path"] == "/"
    assert Mangum(app)(event, None)["statusCode"] == 200


def test_two_living_mangums_of_an_application_have_separate_lifespans() -> None:
    app = Application()
    one, other = Mangum(app), Mangum(app)
    one(compose(Request()), None)
    other(compose(Request()), None)
    assert app.lifespan_messages == ["startup", "startup"]
    one.close()
    assert other(compose(Request()), None)["statusCode"] == 200


def test_a_closed_application_is_not_used_again() -> None:
    app = Application()
    handler = Mangum(app)
    handler(compose(Request()), None)
    handler.close()
    del handler
    assert Mangum(app)(compose(Request()), None)["statusCode"] == 200
    assert app.lifespan_messages == ["startup", "shutdown", "startup"]


def test_the_oldest_of_many_unused_applications_are_shut_down() -> None:
    apps = [Application() for _ in range(module._MAX_RELEASED + 2)]
    for app in apps:
        Mangum(app)(compose(Request()), None)
    assert [app.lifespan_messages[-1] for app in apps] == ["shutdown"] * 2 + ["startup"] * module._MAX_RELEASED


def test_mangums_own_handlers_work_as_custom_handlers() -> None:
    handlers = pytest.importorskip("mangum.handlers", reason="Mangum is in the dependency group bench")
    app = Application()
    handler = Mangum(app, custom_handlers=[handlers.HTTPGateway, handlers.ALB], api_gateway_base_path="/shop")
    for source in ("http-api", "http-api-v1", "alb"):
        payload = handler(compose(Request(path="/shop/page", headers=[("host", "a")]), source), None)
        assert payload["body"] == "body"
        assert app.scopes[-1]["raw_path"] is None
    assert app.scopes[0]["path"] == "/page"


def test_the_lists_of_the_configuration_may_change_and_be_replaced_after_the_handler_was_made() -> None:
    application = Application(content_type="application/x-tea", body=b"tea")
    handler = Mangum(application, lifespan="off")
    event = compose(Request(), "http-api")
    payload = handler(event, None)
    assert payload["isBase64Encoded"]
    assert "x-secret" in payload["headers"]

    handler.config["text_mime_types"].append("application/x-tea")
    handler.config["exclude_headers"].append("x-secret")
    payload = handler(event, None)
    assert payload["body"] == "tea"
    assert "x-secret" not in payload["headers"]

    handler.config.update(text_mime_types=[], exclude_headers=[])
    payload = handler(event, None)
    assert payload["isBase64Encoded"]
    assert "x-secret" in payload["headers"]
    handler.close()


def failing_startup(*, is_answered: bool) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            if is_answered:
                await send({"type": "lifespan.startup.failed", "message": "no database"})
            raise RuntimeError("no database")

    return app


@pytest.mark.parametrize("lifespan", ["auto", "on"])
async def test_a_startup_that_fails_fails_the_invocation(lifespan: Any) -> None:
    handler = Mangum(failing_startup(is_answered=True), lifespan)
    with pytest.raises(LifespanError, match="no database"):
        await handler.answer(compose(Request(), "http-api"), None)


@pytest.mark.parametrize(("lifespan", "is_answered"), [("auto", True), ("on", True), ("on", False)])
def test_a_startup_that_fails_fails_a_synchronous_invocation(lifespan: Any, is_answered: bool) -> None:
    handler = Mangum(failing_startup(is_answered=is_answered), lifespan)
    for _ in range(2):
        with pytest.raises(LifespanError, match="no database"):
            handler(compose(Request(), "http-api"), None)
    handler.close()


def test_an_event_loop_that_the_module_has_set_is_used_and_stays_open() -> None:
    run_script(
        """
        import asyncio
        from bridge.compat.mangum import Mangum
        from bridge.dev.gateway import Request, compose

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        connected = loop.create_future()  # as a client that was connected at import
        loop.call_later(0.01, connected.set_result, b"fine")

        async def app(scope, receive, send):
            assert asyncio.get_running_loop() is loop
            body = await connected
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        first, second = Mangum(app, lifespan="off"), Mangum(app, lifespan="auto")
        for handler in (first, second, first):
            assert handler(compose(Request(), "http-api"), None)["body"] == "fine"
        first.close()
        assert second(compose(Request(), "http-api"), None)["body"] == "fine"
        second.close()
        assert not loop.is_closed()
        assert loop.run_until_complete(asyncio.sleep(0, "usable")) == "usable"
        loop.close()
        """
    )
