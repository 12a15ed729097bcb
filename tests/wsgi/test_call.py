"""PEP 3333, for an application that is called directly and for one in a thread of an event loop."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

import bridge
from bridge.wsgi.on_event_loop import asgi_application
from tests.helpers import body_of, event, get
from tests.wsgi.applications import PLAIN, Body, returning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.conftest import MakeHandler
    from tests.wsgi.applications import App

    Make = Callable[[Any], bridge.Handler]
    Failed = Callable[[Any], str]


@pytest.fixture(params=["direct", "event loop"])
def make(request: pytest.FixtureRequest, make_handler: MakeHandler) -> Make:
    if request.param == "direct":
        return bridge.wsgi_handler
    return lambda app: make_handler(asgi_application(app), lifespan="off")


@pytest.fixture
def failed(make: Make, caplog: pytest.LogCaptureFixture) -> Failed:
    """The log of an application whose request is answered with a plain 500."""

    def log_of(app: App) -> str:
        with caplog.at_level(logging.ERROR):
            assert get(make(app)) == (500, b"Internal Server Error")
        assert [record.name for record in caplog.records if record.exc_info] == ["bridge"]
        return caplog.text

    return log_of


@pytest.mark.parametrize(
    "result",
    [
        lambda: [b"one ", b"two"],
        lambda: (b"one ", b"", b"two"),
        lambda: [b"one two"],
        lambda: iter([b"", b"one two"]),
        lambda: {b"one ": 1, b"two": 2},
        lambda: Body(b"one ", b"two"),
        lambda: [bytearray(b"one two")],
        lambda: [memoryview(b"one two")],
    ],
)
def test_a_body_may_be_any_iterable_of_bytes(result: Any, make: Make) -> None:
    assert get(make(returning(result()))) == (200, b"one two")


def test_an_empty_iterable_is_an_empty_body(make: Make) -> None:
    assert get(make(returning([], "204 No Content", []))) == (204, b"")


def test_a_reused_buffer_is_copied(make: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[Any]:
        start_response("200 OK", PLAIN)
        buffer = bytearray(1)
        for letter in b"abc":
            buffer[0] = letter
            yield buffer

    assert get(make(app)) == (200, b"abc")


@pytest.mark.parametrize("result", [["text"], [b"a", "text"], "text", [1, 2], None, 5])
def test_a_body_that_is_not_bytes_is_an_error(result: Any, failed: Failed) -> None:
    log = failed(returning(result))
    assert "Traceback" in log
    assert not isinstance(result, list) or f"{type(result[-1]).__name__}, not bytes" in log


def test_a_generator_may_start_the_response_with_its_first_chunk(make: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield b""  # not yet a body
        start_response("201 Created", PLAIN)
        yield b"late"

    assert get(make(app)) == (201, b"late")


def test_an_application_may_be_a_class(make: Make) -> None:
    class App:
        def __init__(self, environ: dict[str, Any], start_response: Any) -> None:
            self._path = environ["PATH_INFO"]
            start_response("200 OK", PLAIN)

        def __iter__(self) -> Iterator[bytes]:
            yield self._path.encode("latin-1")

    assert get(make(App), "/caf%C3%A9") == (200, "/café".encode())


def test_write_precedes_the_returned_body(make: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"first ")
        write(b"")
        write(b"second ")
        return [b"third"]

    assert get(make(app)) == (200, b"first second third")


class TestClose:
    def test_it_is_called_once_after_the_last_chunk(self, make: Make) -> None:
        body = Body(b"all")
        assert get(make(returning(body))) == (200, b"all")
        assert body.close_count == 1

    def test_it_is_called_after_an_exception(self, failed: Failed) -> None:
        body = Body(b"some", ValueError("broke half way"))
        assert "broke half way" in failed(returning(body))
        assert body.close_count == 1

    def test_it_is_called_after_an_exit(self, make: Make) -> None:
        body = Body(b"some", SystemExit(3))
        with pytest.raises(SystemExit):
            get(make(returning(body)))
        assert body.close_count == 1

    def test_it_is_called_if_no_response_was_started(self, failed: Failed) -> None:
        body = Body(b"some")
        failed(lambda environ, start_response: body)
        assert body.close_count == 1

    def test_it_runs_the_finally_block_of_a_generator(self, failed: Failed) -> None:
        ended = []

        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            try:
                yield b"too early"
            finally:
                ended.append(True)

        failed(app)
        assert ended == [True]

    def test_it_is_called_if_the_iterator_is_another_object(self, make: Make) -> None:
        class Other(Body):
            def __iter__(self) -> Iterator[bytes]:
                return iter([b"other"])

        body = Other()
        assert get(make(returning(body))) == (200, b"other")
        assert body.close_count == 1

    def test_its_exception_is_logged_and_the_response_stands(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            assert get(make(returning(Body(b"all", close_error=ValueError("cannot close"))))) == (200, b"all")
        assert "cannot close" in caplog.text

    def test_its_exception_does_not_hide_that_of_the_iteration(self, failed: Failed) -> None:
        log = failed(returning(Body(KeyError("broke"), close_error=ValueError("cannot close"))))
        assert "broke" in log
        assert "cannot close" in log


class TestExcInfo:
    def test_before_the_first_byte_it_replaces_the_response(self, make: Make) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/html"), ("X-Old", "1")])
            try:
                raise ValueError("no")
            except ValueError:
                start_response("503 Service Unavailable", PLAIN, sys.exc_info())
            return [b"sorry"]

        payload = make(app)(event(), None)
        assert (payload["statusCode"], body_of(payload)) == (503, b"sorry")
        assert {name.lower(): value for name, value in payload["headers"].items()} == {"content-type": "text/plain"}

    @pytest.mark.parametrize("by_write", [True, False])
    def test_after_the_first_byte_it_is_raised(self, by_write: bool, failed: Failed) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            write = start_response("200 OK", PLAIN)
            if by_write:
                write(b"begun")
            else:
                yield b"begun"
            try:
                raise ValueError("in the middle")
            except ValueError:
                start_response("500 Oh", PLAIN, sys.exc_info())
            yield b"never"

        assert "in the middle" in failed(app)

    def test_after_the_first_byte_an_empty_one_is_an_error(self, failed: Failed) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", PLAIN)
            yield b"begun"
            start_response("500 Oh", PLAIN, sys.exc_info())

        assert "called start_response again after the body had started" in failed(app)

    def test_without_it_a_second_call_is_an_error(self, failed: Failed) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            start_response("500 Oh", PLAIN)
            return []

        assert "a second time without exc_info" in failed(app)

    def test_it_may_come_with_the_first_call(self, make: Make) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            try:
                raise ValueError("at once")
            except ValueError:
                start_response("500 Oh", PLAIN, sys.exc_info())
            return [b"own page"]

        assert get(make(app)) == (500, b"own page")


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "code"), [("200 OK", 200), ("599 ", 599), ("404", 404), ("418 I'm a teapot", 418)]
    )
    def test_the_code_is_read(self, status: str, code: int, make: Make) -> None:
        assert get(make(returning([], status))) == (code, b"")

    @pytest.mark.parametrize(
        "status",
        ["", "OK", "20", "20 OK", "2000 OK", "200OK", "²00 OK", "099 Low", "-10 No", " 200 OK", "200 OK\r\nX: y",
         b"200 OK", 200, None],
    )  # fmt: skip
    def test_an_invalid_status_is_an_error(self, status: Any, failed: Failed) -> None:
        assert repr(status)[:20] in failed(returning([b"x"], status))

    @pytest.mark.parametrize("result", [[], [b"x"], {"statusCode": 200, "body": "tea"}, {}, "tea"])
    def test_a_response_that_is_not_started_is_an_error_that_mentions_lambda_handlers(
        self, result: Any, failed: Failed
    ) -> None:
        log = failed(lambda e, c: result)
        assert "called start_response" in log
        assert "(A Lambda handler is recognised by the names of its parameters, event and context." in log


class TestHeaders:
    @pytest.mark.parametrize("value", ["a\r\nSet-Cookie: stolen=1", "a\nb", "a\rb", "a\0b"])
    def test_a_value_with_a_line_break_is_an_error(self, value: str, failed: Failed) -> None:
        assert "line break" in failed(returning([b"x"], headers=[("X-Value", value)]))

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("plain", "plain"),
            ("café".encode().decode("latin-1"), "café"),  # UTF-8 in a native string, as frameworks send it
            ("caf\xe9", "café"),  # ISO-8859-1
            ("日本", "日本"),  # not a native string
        ],
    )
    def test_values_beyond_ascii_are_decoded(self, value: str, text: str, make: Make) -> None:
        payload = make(returning([b"x"], headers=[("X-Value", value)]))(event(), None)
        assert [*payload["headers"].values()] == [text]

    def test_they_may_be_any_iterable(self, make: Make) -> None:
        payload = make(returning([b"x"], headers=iter([("X-A", "1"), ("X-B", "2")])))(event(), None)
        assert [*payload["headers"].values()] == ["1", "2"]

    def test_a_value_that_is_not_text_is_an_error(self, failed: Failed) -> None:
        failed(returning([b"x"], headers=[("Content-Length", 1)]))

    def test_the_content_length_does_not_truncate_the_body(self, make: Make) -> None:
        assert get(make(returning([b"four"], headers=[("Content-Length", "2")]))) == (200, b"four")


class TestErrors:
    @pytest.mark.parametrize("error", [ValueError("no database"), StopIteration("no database")])
    def test_an_exception_is_a_plain_500_and_a_logged_traceback(self, error: Exception, failed: Failed) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise error

        log = failed(app)
        assert "no database" in log
        assert "Traceback" in log
        assert "GET /" in log

    def test_the_response_to_an_exception_has_nothing_of_it(self, make: Make) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("X-Secret", "1")])
            raise ValueError("secret")

        assert "secret" not in str(make(app)(event(), None)).lower()

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("where", ["call", "iteration", "close"])
    def test_exceptions_that_are_not_of_the_class_exception_pass(
        self, error: type[BaseException], where: str, make: Make
    ) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            if where == "call":
                raise error
            return Body(b"x", error()) if where == "iteration" else Body(b"x", close_error=error())

        handler = make(app)
        for _ in range(2):
            with pytest.raises(error):
                get(handler)

    def test_the_next_request_is_answered_as_usual(self, make: Make) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/bad":
                raise ValueError
            start_response("200 OK", PLAIN)
            return [b"fine"]

        handler = make(app)
        assert get(handler, "/bad")[0] == 500
        assert get(handler, "/good") == (200, b"fine")


class TestValidator:
    """wsgiref.validate checks both sides; it raises AssertionError if the bridge violates PEP 3333."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
    @pytest.mark.parametrize("path", ["/", "/caf%C3%A9/%2F", "/%FF"])
    def test_requests_are_valid(self, method: str, path: str, make: Make, capfd: pytest.CaptureFixture[str]) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            return [environ["wsgi.input"].read(1000), environ["PATH_INFO"].encode("latin-1")]

        handler = make(validator(app))
        headers = {"content-type": "text/plain", "cookie": "a=1", "x-many": "1,2"}
        payload = handler(event(path, method, headers, "body" if method == "POST" else ""), None)
        assert payload["statusCode"] == 200
        assert capfd.readouterr() == ("", "")

    def test_write_generators_and_exc_info_are_supported(self, make: Make) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            try:
                raise ValueError
            except ValueError:
                write = start_response("500 Oh", PLAIN, sys.exc_info())
            write(b"a")
            return (chunk for chunk in [b"b", b"", b"c"])

        assert get(make(validator(app))) == (500, b"abc")

    def test_an_iterable_is_closed_after_an_exception(self, make: Make, capfd: pytest.CaptureFixture[str]) -> None:
        assert get(make(validator(returning(Body(b"a", ValueError("half way"))))))[0] == 500
        assert "AssertionError" not in capfd.readouterr().err
