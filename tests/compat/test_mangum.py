"""``bridge.compat.mangum``: Mangum's class, on the bridge's one path."""

from __future__ import annotations

import gc
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest

import bridge.compat.mangum as module
from bridge.adapter import Handler
from bridge.compat.mangum import Mangum
from bridge.dev.gateway import SOURCES, Request, compose, interpret
from bridge.errors import LifespanError, SettingError
from bridge.settings import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator


class Application:
    """An ASGI application that remembers its scopes; with a lifespan unless told otherwise."""

    def __init__(self, content_type: str = "text/plain", body: bytes = b"body", *, lifespan: bool = True) -> None:
        self.headers = [(b"content-type", content_type.encode()), (b"x-secret", b"1"), (b"set-cookie", b"a=1")]
        self.body = body
        self.lifespan = lifespan
        self.scopes: list[Any] = []
        self.sent = b""
        self.told: list[str] = []
        self.failure: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        self.scopes.append(scope)
        if self.failure is not None:
            raise self.failure
        self.sent = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.lifespan:
            raise NotImplementedError
        for _ in range(2):
            message = await receive()
            self.told.append(message["type"].removeprefix("lifespan."))
            scope["state"]["started"] = True
            await send({"type": message["type"] + ".complete"})


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Closes what the tests leave to the next Mangum; some of it in cycles, with a traceback, say."""
    yield
    gc.collect()
    while module._left:
        module._left.popitem()[1].close()


@pytest.mark.parametrize("source", SOURCES)
def test_one_handler_answers_events_of_every_source(source: str) -> None:
    app = Application()
    request = Request("POST", "/a%20b", "x=1", [("host", "example.com")], b"sent")
    event, context = compose(request, source), object()
    payload = Mangum(app)(event, context)
    assert interpret(payload, source, request).body == b"body"
    (scope,) = app.scopes
    assert (scope["path"], scope["query_string"], app.sent) == ("/a b", b"x=1", b"sent")
    assert scope["aws.event"] is event
    assert scope["aws.context"] is context
    assert scope["state"] == {"started": True}


def test_it_is_a_handler_of_the_bridge_and_keeps_what_it_was_given() -> None:
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


def test_the_lifespan_runs_once_and_not_with_each_event() -> None:
    app = Application()
    handler = Mangum(app)
    for _ in range(3):
        handler(compose(Request()), None)
    assert app.told == ["startup"]
    handler.close()
    assert app.told == ["startup", "shutdown"]


def test_the_lifespan_can_be_off() -> None:
    app = Application()
    Mangum(app, lifespan="off")(compose(Request()), None)
    assert app.told == []
    assert "state" not in app.scopes[0]


def test_a_lifespan_that_must_be_there_and_is_not_is_an_error() -> None:
    app = Application(lifespan=False)
    assert Mangum(app)(compose(Request()), None)["statusCode"] == 200
    with pytest.raises(LifespanError):
        Mangum(app, lifespan="on").startup()


@pytest.mark.parametrize("lifespan", ["always", "ON", "", 1])
def test_another_lifespan_is_refused_and_told_what_is_allowed(lifespan: Any) -> None:
    with pytest.raises(SettingError, match=r"option lifespan is .*; allowed is 'auto' or 'on' or 'off'"):
        Mangum(Application(), lifespan=lifespan)


@pytest.mark.parametrize("base_path", ["/shop", "shop", "/shop/"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_base_path_is_the_root_path_on_every_source(source: str, base_path: str) -> None:
    app = Application()
    handler = Mangum(app, api_gateway_base_path=base_path)
    for path, root_path in (("/shop/page", "/shop"), ("/shop", "/shop"), ("/shopping", "")):
        handler(compose(Request(path=path), source), None)
        assert (app.scopes[-1]["path"].rstrip("/"), app.scopes[-1]["root_path"]) == (path, root_path)


@pytest.mark.parametrize("base_path", ["/", "", None])
def test_a_base_path_may_say_nothing(base_path: Any) -> None:
    handler = Mangum(Application(), api_gateway_base_path=base_path)
    assert handler.settings.base_path == ""
    assert handler.config["api_gateway_base_path"] == "/"


def test_text_types_are_parts_of_content_types_beside_those_the_bridge_knows() -> None:
    def is_base64(content_type: str, texts: list[str] | None) -> bool:
        handler = Mangum(Application(content_type), text_mime_types=texts)
        return bool(handler(compose(Request()), None)["isBase64Encoded"])

    assert is_base64("application/x-tex", None)
    assert is_base64("application/x-tex", [])
    assert not is_base64("application/x-tex; version=1", ["x-tex"])
    assert is_base64("font/woff", ["x-tex"])
    assert not is_base64("application/json", ["x-tex"])


@pytest.mark.parametrize("source", SOURCES)
def test_excluded_headers_are_left_out_on_every_source_and_in_any_case(source: str) -> None:
    event = compose(Request(), source)
    kept = interpret(Mangum(Application())(event, None), source)
    assert kept.header("x-secret") == "1"
    assert kept.header("set-cookie") == "a=1"
    left = interpret(Mangum(Application(), exclude_headers=["X-SECRET", "Set-Cookie"])(event, None), source)
    assert [name for name, _ in left.headers if name.lower() in ("x-secret", "set-cookie")] == []


def test_what_stands_at_its_default_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"lifespan": "off", "base_path": "/shop", "exclude_headers": "X-Secret"}.items():
        monkeypatch.setenv(VARIABLES[name][0], value)
    app = Application()
    payload = Mangum(app)(compose(Request(path="/shop/page")), None)
    assert app.told == []
    assert app.scopes[0]["root_path"] == "/shop"
    assert "x-secret" not in payload["headers"]


def test_an_exception_of_the_application_is_a_500() -> None:
    app = Application()
    app.failure = LookupError("no database")
    assert Mangum(app)(compose(Request()), None)["statusCode"] == 500


class CustomHandler:
    """Reads events of the user's own, ``{"mine": path}``, and answers in a shape of the user's own."""

    made: list[CustomHandler]

    @classmethod
    def infer(cls, event: Any, context: Any, config: Any) -> bool:
        return "mine" in event

    def __init__(self, event: Any, context: Any, config: Any) -> None:
        self.given = event, context, config
        self.asgi = {
            "type": "http",
            "method": event.get("method", "POST"),
            "path": event["mine"],
            "headers": [[b"x-own", b"yes"]],
            "query_string": b"q",
            "own.key": self,
        }
        type(self).made = [*getattr(type(self), "made", []), self]

    @property
    def scope(self) -> Any:
        return self.asgi

    @property
    def body(self) -> bytes:
        return b64decode(self.given[0].get("sent", ""))

    def __call__(self, response: Any) -> Any:
        return {"answer": response, "for": self.given[0]["mine"]}


def test_an_event_of_the_users_own_is_read_and_answered_by_the_users_handler() -> None:
    app = Application()
    handler = Mangum(app, custom_handlers=[CustomHandler])
    event, context = {"mine": "/own/path", "sent": b64encode(b"sent").decode()}, object()
    payload = handler(event, context)
    headers = [[b"content-type", b"text/plain"], [b"x-secret", b"1"], [b"set-cookie", b"a=1"]]
    assert payload == {"answer": {"status": 200, "headers": headers, "body": b"body"}, "for": "/own/path"}
    made = CustomHandler.made[-1]
    assert made.given == (event, context, handler.config)
    assert app.scopes[-1] == {**made.asgi, "state": {"started": True}}
    assert app.sent == b"sent"


def test_a_custom_handler_finds_all_of_mangums_configuration() -> None:
    handler = Mangum(Application(), custom_handlers=[CustomHandler])
    handler({"mine": "/"}, None)
    config = CustomHandler.made[-1].given[2]
    assert config["api_gateway_base_path"] == "/"
    assert config["exclude_headers"] == []
    assert {"text/", "application/json", "application/xml"} <= {*config["text_mime_types"]}


def test_the_state_of_one_request_is_not_that_of_the_next_nor_of_the_handlers_scope() -> None:
    app = Application()
    handler = Mangum(app, custom_handlers=[CustomHandler])
    handler({"mine": "/"}, None)
    app.scopes[-1]["state"]["mine"] = True
    handler({"mine": "/"}, None)
    assert app.scopes[-1]["state"] == {"started": True}
    assert "state" not in CustomHandler.made[-1].asgi


def test_a_custom_handler_is_asked_before_the_sources_and_the_first_that_infers_is_taken() -> None:
    class Never(CustomHandler):
        @classmethod
        def infer(cls, event: Any, context: Any, config: Any) -> bool:
            return False

    class First(CustomHandler):
        @classmethod
        def infer(cls, event: Any, context: Any, config: Any) -> bool:
            return bool(event.get("rawPath") == "/mine")

        def __init__(self, event: Any, context: Any, config: Any) -> None:
            super().__init__({"mine": "first"}, context, config)

    class Second(First):
        def __init__(self, event: Any, context: Any, config: Any) -> None:
            raise AssertionError

    handler = Mangum(Application(), custom_handlers=[Never, First, Second])
    assert handler(compose(Request(path="/mine")), None)["for"] == "first"
    assert handler(compose(Request(path="/other")), None)["body"] == "body"


def test_an_exception_of_the_application_is_a_500_for_a_custom_handler_too() -> None:
    app = Application()
    app.failure = LookupError("no database")
    answer = Mangum(app, custom_handlers=[CustomHandler])({"mine": "/"}, None)["answer"]
    assert answer["status"] == 500
    assert answer["body"] == b"Internal Server Error"


def test_what_is_no_exception_of_the_application_is_not_swallowed() -> None:
    app = Application()
    app.failure = SystemExit(3)
    handler = Mangum(app, custom_handlers=[CustomHandler])
    with pytest.raises(SystemExit):
        handler({"mine": "/"}, None)
    with pytest.raises(SystemExit):
        handler(compose(Request()), None)


async def test_events_are_answered_on_a_running_loop_as_well() -> None:
    app = Application()
    handler = Mangum(app, custom_handlers=[CustomHandler])
    assert handler.is_async
    assert (await handler.answer({"mine": "/own"}, None))["for"] == "/own"
    assert (await handler.answer(compose(Request()), None))["statusCode"] == 200
    app.failure = LookupError()
    assert (await handler.answer({"mine": "/own"}, None))["answer"]["status"] == 500
    assert app.told == ["startup"]
    assert handler.hosted is not None
    await handler.hosted.close_here()


def test_a_mangum_for_each_event_starts_the_application_once() -> None:
    app = Application()
    for _ in range(5):
        payload = Mangum(app)(compose(Request()), None)
        assert payload["statusCode"] == 200
    assert app.told == ["startup"]


def test_a_mangum_for_each_event_has_its_own_options() -> None:
    app = Application("application/x-tex")
    event = compose(Request(path="/shop/page"))
    assert Mangum(app)(event, None)["isBase64Encoded"] is True
    assert (
        Mangum(app, text_mime_types=["x-tex"], api_gateway_base_path="/shop")(event, None)["isBase64Encoded"] is False
    )
    assert app.scopes[-1]["root_path"] == "/shop"
    assert app.told == ["startup"]
    assert Mangum(app, custom_handlers=[CustomHandler])({"mine": "/"}, None)["for"] == "/"
    assert Mangum(app)(event, None)["statusCode"] == 200


def test_two_that_live_at_once_do_not_share_a_lifespan() -> None:
    app = Application()
    one, other = Mangum(app), Mangum(app)
    one(compose(Request()), None)
    other(compose(Request()), None)
    assert app.told == ["startup", "startup"]
    one.close()
    assert other(compose(Request()), None)["statusCode"] == 200


def test_one_that_was_closed_is_not_used_again() -> None:
    app = Application()
    handler = Mangum(app)
    handler(compose(Request()), None)
    handler.close()
    del handler
    assert Mangum(app)(compose(Request()), None)["statusCode"] == 200
    assert app.told == ["startup", "shutdown", "startup"]


def test_applications_that_nobody_asks_for_again_are_shut_down_in_the_end() -> None:
    apps = [Application() for _ in range(module._REMEMBER + 2)]
    for app in apps:
        Mangum(app)(compose(Request()), None)
    assert [app.told[-1] for app in apps] == ["shutdown"] * 2 + ["startup"] * module._REMEMBER


def test_mangums_own_handlers_work_as_custom_handlers() -> None:
    """As those do that people have derived from them."""
    handlers = pytest.importorskip("mangum.handlers", reason="Mangum is not installed: it is in the group bench")
    app = Application()
    handler = Mangum(app, custom_handlers=[handlers.HTTPGateway, handlers.ALB], api_gateway_base_path="/shop")
    for source in ("http-api", "http-api-v1", "alb"):
        payload = handler(compose(Request(path="/shop/page", headers=[("host", "a")]), source), None)
        assert payload["body"] == "body"
        assert app.scopes[-1]["raw_path"] is None
    assert app.scopes[0]["path"] == "/page"
