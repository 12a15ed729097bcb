"""A WSGI application behind an ASGI handler or server: the same PEP 3333, in a thread."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import flask
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from bridge.wsgi.on_event_loop import WsgiOnEventLoop
from tests.helpers import get, body_of, event
from tests.wsgi.test_call import PLAIN, Closing, returning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.conftest import MakeHandler


async def through(app: Any, *bodies: bytes, **fields: Any) -> list[dict[str, Any]]:
    """What an application sends to a server that knows nothing of the bridge."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"shop.example")],
        **fields,
    }
    left = [*bodies] or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await WsgiOnEventLoop(app)(scope, receive, send)
    return sent


def environ_in(**fields: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", PLAIN)
        return []

    asyncio.run(through(app, **fields))
    return seen


class TestBehindAServer:
    async def test_each_chunk_is_sent_when_it_comes(self) -> None:
        sent = await through(
            returning([b"one", b"", b"two"], headers=[("Content-Type", "text/plain"), ("X-A", "\xe9")])
        )
        assert sent == [
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/plain"), (b"x-a", b"\xe9")],
            },
            {"type": "http.response.body", "body": b"one", "more_body": True},
            {"type": "http.response.body", "body": b"two", "more_body": True},
            {"type": "http.response.body"},
        ]

    async def test_the_first_chunk_is_sent_before_the_second_is_asked_for(self) -> None:
        arrived = threading.Event()
        order = []

        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", PLAIN)
            yield b"one"
            order.append(arrived.wait(10))
            yield b"two"

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: dict[str, Any]) -> None:
            if message.get("body") == b"one":
                arrived.set()

        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        await WsgiOnEventLoop(app)(scope, receive, send)
        assert order == [True]

    async def test_a_body_in_pieces_arrives_whole(self) -> None:
        seen = []

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            seen.append((environ["CONTENT_LENGTH"], environ["wsgi.input"].read()))
            start_response("200 OK", PLAIN)
            return []

        big = b"x" * 100_000  # more than asgiref keeps in memory
        await through(app, b"ab", b"", big, method="POST")
        assert seen == [("100002", b"ab" + big)]

    def test_the_environ_is_that_of_the_server_s_scope(self) -> None:
        environ = environ_in(
            method="PUT",
            path="/root/café",
            raw_path=b"/root/caf%C3%A9",
            root_path="/root",
            query_string=b"a=%20",
            scheme="https",
            server=("shop.example", 8443),
            client=("203.0.113.7", 5),
            headers=[(b"host", b"shop.example"), (b"x-a", b"1"), (b"x-a", b"2"), (b"content-type", b"text/plain"),
                     (b"x_a", b"3"), (b"proxy", b"evil"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
        )  # fmt: skip
        expected = {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "/root",
            "PATH_INFO": "/café".encode().decode("latin-1"),
            "RAW_URI": "/root/caf%C3%A9?a=%20",
            "QUERY_STRING": "a=%20",
            "wsgi.url_scheme": "https",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "8443",
            "REMOTE_ADDR": "203.0.113.7",
            "HTTP_X_A": "1,2",
            "HTTP_COOKIE": "a=1; b=2",
            "CONTENT_TYPE": "text/plain",
            "wsgi.multithread": True,
        }
        assert {key: environ[key] for key in expected} == expected
        assert "HTTP_PROXY" not in environ

    @pytest.mark.parametrize("raw", [b"/%FF/x", None])
    def test_a_path_is_as_the_client_sent_it_where_the_server_tells(self, raw: bytes | None) -> None:
        environ = environ_in(path="/�/x", raw_path=raw)
        assert environ["PATH_INFO"] == ("/\xff/x" if raw else "/�/x".encode().decode("latin-1"))

    def test_a_path_that_a_middleware_changed_stays_changed(self) -> None:
        environ = environ_in(path="/after", raw_path=b"/before")
        assert environ["PATH_INFO"] == "/after"

    @pytest.mark.parametrize("kind", ["websocket", "lifespan"])
    async def test_what_is_not_http_is_refused(self, kind: str) -> None:
        with pytest.raises(ValueError, match="non-HTTP"):
            await through(returning([]), type=kind)

    async def test_requests_run_side_by_side(self) -> None:
        barrier = threading.Barrier(3)

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            barrier.wait(10)  # one thread for all would wait for itself
            start_response("200 OK", PLAIN)
            return [b"fine"]

        answers = await asyncio.gather(*[through(app) for _ in range(3)])
        assert [answer[1]["body"] for answer in answers] == [b"fine"] * 3


class TestPep3333:
    def failed(self, make_handler: MakeHandler, app: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> str:
        with caplog.at_level(logging.ERROR):
            assert get(make_handler(app)) == (500, b"Internal Server Error")
        return caplog.text

    def test_flask_is_answered(self, make_handler: MakeHandler) -> None:
        app = flask.Flask(__name__)

        @app.post("/<name>")
        def home(name: str) -> Any:
            answer = flask.make_response(f"{name} {flask.request.form['a']}")
            answer.set_cookie("one", "1")
            answer.set_cookie("two", "2")
            return answer

        payload = make_handler(app)(
            event("/caf%C3%A9", "POST", {"content-type": "application/x-www-form-urlencoded"}, "a=b"), None
        )
        assert (payload["statusCode"], body_of(payload)) == (200, "café b".encode())
        assert len(payload["cookies"]) == 2

    def test_event_context_and_user_are_in_the_environ(self, make_handler: MakeHandler) -> None:
        seen: dict[str, Any] = {}

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            seen.update(environ)
            start_response("200 OK", PLAIN)
            return []

        asked = event("/%FF")
        asked["requestContext"]["authorizer"] = {"iam": {"userId": "someone"}}
        make_handler(app)(asked, "the context")
        assert seen["serverless.event"] is asked
        assert seen["serverless.context"] == "the context"
        assert seen["serverless.authorizer"] == {"iam": {"userId": "someone"}}
        assert seen["REMOTE_USER"] == "someone"
        assert seen["PATH_INFO"] == "/\xff"

    def test_an_asgi_application_may_mount_it(self, make_handler: MakeHandler) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']} {bool(environ['serverless.event'])}".encode()]

        handler = make_handler(Starlette(routes=[Mount("/old", app=WsgiOnEventLoop(app))]))
        assert get(handler, "/old/page") == (200, b"/old /page True")

    def test_wsgiref_finds_nothing(self, make_handler: MakeHandler) -> None:
        app = WsgiOnEventLoop(validator(returning([b"a", b"", b"b"])))
        assert get(make_handler(app, lifespan="off")) == (200, b"ab")

    def test_an_iterable_is_closed_once(self, make_handler: MakeHandler) -> None:
        body = Closing(b"all")
        assert get(make_handler(returning(body))) == (200, b"all")
        assert body.closed == 1

    def test_an_iterable_that_fails_is_closed(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        body = Closing(b"some", ValueError("half way"))
        assert "half way" in self.failed(make_handler, returning(body), caplog)
        assert body.closed == 1

    def test_the_failure_of_close_leaves_the_response_as_it_was(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Body(Closing):
            def close(self) -> None:
                raise ValueError("cannot close")

        with caplog.at_level(logging.ERROR):
            assert get(make_handler(returning(Body(b"all")))) == (200, b"all")
        assert "cannot close" in caplog.text

    def test_write_goes_first(self, make_handler: MakeHandler) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)(b"a")
            return [b"b"]

        assert get(make_handler(app)) == (200, b"ab")

    def test_exc_info_before_the_first_byte_replaces_the_response(self, make_handler: MakeHandler) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("X-Old", "1")])
            try:
                raise ValueError
            except ValueError:
                start_response("503 Sorry", PLAIN, sys.exc_info())
            return [b"sorry"]

        payload = make_handler(app)(event(), None)
        assert (payload["statusCode"], payload["headers"]) == (503, {"content-type": "text/plain"})

    def test_exc_info_after_it_is_raised(self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", PLAIN)
            yield b"begun"
            try:
                raise ValueError("in the middle")
            except ValueError:
                start_response("500 Oh", PLAIN, sys.exc_info())

        assert "in the middle" in self.failed(make_handler, app, caplog)

    @pytest.mark.parametrize(
        "app",
        [
            lambda environ, start_response: [],
            lambda environ, start_response: [b"x"],
            returning(["text"]),
            returning([5]),
            returning([b"x"], "200OK"),
            returning([b"x"], headers=[("X-A", "a\r\nb")]),
            returning(None),
        ],
    )
    def test_what_pep_3333_does_not_allow_is_a_logged_500(
        self, app: Any, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert "Traceback" in self.failed(make_handler, app, caplog)

    @pytest.mark.parametrize("body", [[], [b"x"]])
    def test_who_never_starts_the_response_is_told_how_a_lambda_handler_is_known(
        self, body: list[bytes], make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        said = self.failed(make_handler, lambda environ, start_response: body, caplog)
        assert "before it called start_response. (If it is a Lambda handler:" in said

    def test_a_buffer_that_is_used_again_is_not_mixed_up(self, make_handler: MakeHandler) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[Any]:
            start_response("200 OK", PLAIN)
            buffer = bytearray(1)
            for letter in b"abc":
                buffer[0] = letter
                yield buffer

        assert get(make_handler(app)) == (200, b"abc")

    @pytest.mark.parametrize(
        ("value", "seen"), [("café".encode().decode("latin-1"), "café"), ("caf\xe9", "café"), ("日本", "日本")]
    )
    def test_headers_beyond_ascii_arrive_as_what_they_mean(
        self, value: str, seen: str, make_handler: MakeHandler
    ) -> None:
        payload = make_handler(returning([b"x"], headers=[("X-Value", value)]))(event(), None)
        assert payload["headers"] == {"x-value": seen}

    def test_nothing_is_cut_off_by_a_content_length(self, make_handler: MakeHandler) -> None:
        assert get(make_handler(returning([b"four"], headers=[("Content-Length", "2")]))) == (200, b"four")

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
    def test_what_is_no_exception_is_not_swallowed(self, error: type[BaseException], make_handler: MakeHandler) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise error

        handler = make_handler(app)
        for _ in range(2):
            with pytest.raises(error):
                get(handler)

    def test_a_stray_stop_iteration_is_an_exception_like_others(
        self, make_handler: MakeHandler, caplog: pytest.LogCaptureFixture
    ) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise StopIteration

        assert "StopIteration" in self.failed(make_handler, app, caplog)


def test_context_variables_reach_the_thread_and_do_not_leak(make_handler: MakeHandler) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = variable.get()
        variable.set("left behind")
        start_response("200 OK", PLAIN)
        return [found.encode()]

    handler = make_handler(app)
    token = variable.set("set")
    assert get(handler) == (200, b"set")
    variable.reset(token)
    assert [get(handler) for _ in range(3)] == [(200, b"unset")] * 3
