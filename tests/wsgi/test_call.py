"""PEP 3333: what a server owes a WSGI application, and what an application owes the server."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper as StandardFileWrapper
from wsgiref.validate import validator

import pytest

import bridge
from bridge.wsgi.environ import FileWrapper
from tests.helpers import get, body_of, event

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
PLAIN = [("Content-Type", "text/plain")]


class Closing:
    """An iterable of chunks that remembers how often it was closed; a chunk that is an error is raised."""

    def __init__(self, *chunks: bytes | BaseException) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed += 1


def returning(result: Any, status: Any = "200 OK", headers: Any = PLAIN) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, headers)
        return result  # type: ignore[no-any-return]

    return app


def failed(app: App, caplog: pytest.LogCaptureFixture) -> str:
    """What is logged of an application that is answered with a plain 500."""
    with caplog.at_level(logging.ERROR):
        assert get(bridge.wsgi_handler(app)) == (500, b"Internal Server Error")
    [record] = caplog.records
    assert record.name == "bridge"
    assert record.exc_info is not None
    return caplog.text


@pytest.mark.parametrize(
    "result",
    [
        [b"one ", b"two"],
        (b"one ", b"", b"two"),
        [b"one two"],
        iter([b"", b"one two"]),
        {b"one ": 1, b"two": 2},
        Closing(b"one ", b"two"),
    ],
)
def test_any_iterable_is_a_body(result: Any) -> None:
    assert get(bridge.wsgi_handler(returning(result))) == (200, b"one two")


def test_an_empty_iterable_is_an_empty_body() -> None:
    assert get(bridge.wsgi_handler(returning([], "204 No Content", []))) == (204, b"")


@pytest.mark.parametrize("chunk", [bytearray(b"bytes"), memoryview(b"bytes")])
def test_a_lone_chunk_of_another_bytes_type_is_a_body(chunk: Any) -> None:
    assert get(bridge.wsgi_handler(returning([chunk]))) == (200, b"bytes")


def test_a_buffer_that_is_used_again_is_not_mixed_up() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[Any]:
        start_response("200 OK", PLAIN)
        buffer = bytearray(1)
        for letter in b"abc":
            buffer[0] = letter
            yield buffer

    assert get(bridge.wsgi_handler(app)) == (200, b"abc")


@pytest.mark.parametrize("result", [["text"], [b"a", "text"], "text", [1, 2], None, 5])
def test_a_body_that_is_not_of_bytes_is_the_application_s_failure(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert "Traceback" in failed(returning(result), caplog)


def test_a_body_of_text_says_what_is_wrong_with_it(caplog: pytest.LogCaptureFixture) -> None:
    assert "str, not bytes" in failed(returning(["text"]), caplog)


def test_a_generator_may_start_the_response_with_its_first_chunk() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield b""  # nothing yet, which is no body
        start_response("201 Created", PLAIN)
        yield b"late"

    assert get(bridge.wsgi_handler(app)) == (201, b"late")


def test_an_application_may_be_a_class() -> None:
    class App:
        def __init__(self, environ: dict[str, Any], start_response: Any) -> None:
            self._path = environ["PATH_INFO"]
            start_response("200 OK", PLAIN)

        def __iter__(self) -> Iterator[bytes]:
            yield self._path.encode("latin-1")

    assert get(bridge.wsgi_handler(App), "/caf%C3%A9") == (200, "/café".encode())


def test_write_goes_before_what_is_returned() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"first ")
        write(b"")
        write(b"second ")
        return [b"third"]

    assert get(bridge.wsgi_handler(app)) == (200, b"first second third")


class TestClose:
    def test_it_is_called_once_after_the_last_chunk(self) -> None:
        body = Closing(b"all")
        assert get(bridge.wsgi_handler(returning(body))) == (200, b"all")
        assert body.closed == 1

    def test_it_is_called_when_the_iteration_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        body = Closing(b"some", ValueError("broke half way"))
        assert "broke half way" in failed(returning(body), caplog)
        assert body.closed == 1

    def test_it_is_called_when_the_process_is_to_end(self) -> None:
        body = Closing(b"some", SystemExit(3))
        with pytest.raises(SystemExit):
            get(bridge.wsgi_handler(returning(body)))
        assert body.closed == 1

    def test_it_is_called_when_no_response_was_started(self, caplog: pytest.LogCaptureFixture) -> None:
        body = Closing(b"some")
        failed(lambda environ, start_response: body, caplog)
        assert body.closed == 1

    def test_it_runs_a_generator_s_finally(self, caplog: pytest.LogCaptureFixture) -> None:
        ended = []

        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            try:
                yield b"too early"
            finally:
                ended.append(True)

        failed(app, caplog)
        assert ended == [True]

    def test_it_is_called_though_the_iterable_s_iterator_is_another_object(self) -> None:
        class Body(Closing):
            def __iter__(self) -> Iterator[bytes]:
                return iter([b"other"])

        body = Body()
        assert get(bridge.wsgi_handler(returning(body))) == (200, b"other")
        assert body.closed == 1

    def test_its_failure_leaves_the_response_as_it_was(self, caplog: pytest.LogCaptureFixture) -> None:
        class Body(Closing):
            def close(self) -> None:
                raise ValueError("cannot close")

        with caplog.at_level(logging.ERROR):
            assert get(bridge.wsgi_handler(returning(Body(b"all")))) == (200, b"all")
        assert "cannot close" in caplog.text

    def test_its_failure_does_not_hide_that_of_the_iteration(self, caplog: pytest.LogCaptureFixture) -> None:
        class Body(Closing):
            def close(self) -> None:
                raise ValueError("cannot close")

        with caplog.at_level(logging.ERROR):
            assert get(bridge.wsgi_handler(returning(Body(KeyError("broke")))))[0] == 500
        assert "broke" in caplog.text
        assert "cannot close" in caplog.text


class TestExcInfo:
    def test_before_the_first_byte_it_replaces_the_response(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/html"), ("X-Old", "1")])
            try:
                raise ValueError("no")
            except ValueError:
                start_response("503 Service Unavailable", PLAIN, sys.exc_info())
            return [b"sorry"]

        payload = bridge.wsgi_handler(app)(event(), None)
        assert (payload["statusCode"], body_of(payload)) == (503, b"sorry")
        assert payload["headers"] == {"Content-Type": "text/plain"}

    @pytest.mark.parametrize("by_write", [True, False])
    def test_after_the_first_byte_it_is_raised(self, by_write: bool, caplog: pytest.LogCaptureFixture) -> None:
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

        assert "in the middle" in failed(app, caplog)

    def test_after_the_first_byte_an_empty_one_is_an_error_too(self, caplog: pytest.LogCaptureFixture) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", PLAIN)
            yield b"begun"
            start_response("500 Oh", PLAIN, sys.exc_info())

        assert "begun" in failed(app, caplog)

    def test_without_it_a_second_call_is_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            start_response("500 Oh", PLAIN)
            return []

        assert "a second time without exc_info" in failed(app, caplog)

    def test_it_may_come_with_the_first_call(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            try:
                raise ValueError("at once")
            except ValueError:
                start_response("500 Oh", PLAIN, sys.exc_info())
            return [b"own page"]

        assert get(bridge.wsgi_handler(app)) == (500, b"own page")


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "code"), [("200 OK", 200), ("599 ", 599), ("404", 404), ("418 I'm a teapot", 418)]
    )
    def test_the_code_is_read(self, status: str, code: int) -> None:
        assert get(bridge.wsgi_handler(returning([], status))) == (code, b"")

    @pytest.mark.parametrize(
        "status",
        ["", "OK", "20", "20 OK", "2000 OK", "200OK", "²00 OK", "099 Low", "-10 No", " 200 OK", "200 OK\r\nX: y",
         b"200 OK", 200, None],
    )  # fmt: skip
    def test_what_is_no_status_line_is_refused(self, status: Any, caplog: pytest.LogCaptureFixture) -> None:
        assert repr(status)[:20] in failed(returning([b"x"], status), caplog)

    def test_never_starting_the_response_is_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        assert "never called start_response" in failed(lambda environ, start_response: [], caplog)

    def test_a_body_before_the_start_is_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        assert "before it called start_response" in failed(lambda environ, start_response: [b"x"], caplog)

    @pytest.mark.parametrize("payload", [{"statusCode": 200, "body": "tea"}, {}, "tea"])
    def test_a_lambda_handler_whose_parameters_have_other_names_is_told_how_one_is_known(
        self, payload: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        said = failed(lambda e, c: payload, caplog)
        assert "known by its parameters' names, event and context, or named as the function's handler" in said


class TestHeaders:
    @pytest.mark.parametrize("value", ["a\r\nSet-Cookie: stolen=1", "a\nb", "a\rb", "a\0b"])
    def test_a_value_with_a_line_break_is_refused(self, value: str, caplog: pytest.LogCaptureFixture) -> None:
        assert "line break" in failed(returning([b"x"], headers=[("X-Value", value)]), caplog)

    @pytest.mark.parametrize(
        ("value", "seen"),
        [
            ("plain", "plain"),
            ("café".encode().decode("latin-1"), "café"),  # UTF-8 in a native string, as frameworks send it
            ("caf\xe9", "café"),  # ISO-8859-1
            ("日本", "日本"),  # no native string at all
        ],
    )
    def test_values_beyond_ascii_arrive_as_what_they_mean(self, value: str, seen: str) -> None:
        payload = bridge.wsgi_handler(returning([b"x"], headers=[("X-Value", value)]))(event(), None)
        assert payload["headers"] == {"X-Value": seen}

    def test_a_value_that_is_no_text_is_the_application_s_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        failed(returning([b"x"], headers=[("Content-Length", 1)]), caplog)


class TestErrors:
    def test_an_exception_is_a_plain_500_and_a_logged_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            raise ValueError("what went wrong")

        text = failed(app, caplog)
        assert "what went wrong" in text
        assert "Traceback" in text
        assert "GET /" in text

    def test_the_answer_to_a_failure_tells_the_client_nothing_of_it(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("X-Secret", "1")])
            raise ValueError("secret")

        payload = bridge.wsgi_handler(app)(event(), None)
        assert "secret" not in str(payload).lower()

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("where", ["call", "iteration", "close"])
    def test_what_is_no_exception_is_not_swallowed(self, error: type[BaseException], where: str) -> None:
        class Body(Closing):
            def close(self) -> None:
                if where == "close":
                    raise error

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            if where == "call":
                raise error
            return Body(b"x", error()) if where == "iteration" else Body(b"x")

        with pytest.raises(error):
            get(bridge.wsgi_handler(app))

    def test_the_next_request_is_answered_as_if_nothing_had_happened(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/bad":
                raise ValueError
            start_response("200 OK", PLAIN)
            return [b"fine"]

        handler = bridge.wsgi_handler(app)
        assert get(handler, "/bad")[0] == 500
        assert get(handler, "/good") == (200, b"fine")


class TestEnviron:
    def environ(self, **options: Any) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            seen.update(environ)
            start_response("200 OK", PLAIN)
            return []

        bridge.wsgi_handler(app)(event(**options), None)
        return seen

    def test_it_is_a_dict_of_its_own_for_each_request(self) -> None:
        environs = []

        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            assert type(environ) is dict
            assert "left" not in environ
            environ["left"] = environ["HTTP_HOST"] = "behind"
            environs.append(environ)
            start_response("200 OK", PLAIN)
            return []

        handler = bridge.wsgi_handler(app)
        same = event()
        handler(same, None)
        handler(same, None)
        assert environs[0] is not environs[1]
        assert same == event()

    def test_it_has_what_pep_3333_requires_in_the_right_types(self) -> None:
        environ = self.environ(method="POST", body="a=1", headers={"content-type": "application/x-www-form-urlencoded"})
        for key in (
            "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH",
            "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "HTTP_HOST", "wsgi.url_scheme", "REMOTE_ADDR",
        ):  # fmt: skip
            assert type(environ[key]) is str, key
        assert environ["wsgi.version"] == (1, 0)
        assert type(environ["wsgi.version"]) is tuple
        for key in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"):
            assert environ[key] is False
        assert environ["CONTENT_LENGTH"] == "3"
        assert environ["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
        assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(environ)

    def test_the_input_can_be_read_in_every_way(self) -> None:
        read = []

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            stream = environ["wsgi.input"]
            read.append([stream.read(2), stream.readline(), stream.readlines(), *stream, stream.read(), stream.read(5)])
            start_response("200 OK", PLAIN)
            return []

        bridge.wsgi_handler(app)(event(method="POST", body="ab\ncd\nef"), None)
        assert read == [[b"ab", b"\n", [b"cd\n", b"ef"], b"", b""]]

    def test_errors_is_the_standard_error_of_the_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ["wsgi.errors"].write("a complaint")
            environ["wsgi.errors"].flush()
            start_response("200 OK", PLAIN)
            return []

        handler = bridge.wsgi_handler(app)
        get(handler)
        later = io.StringIO()
        monkeypatch.setattr(sys, "stderr", later)
        get(handler)
        assert later.getvalue() == "a complaint"

    def test_a_client_cannot_set_what_the_server_says(self) -> None:
        environ = self.environ(
            headers={"Content-Length": "999", "Transfer-Encoding": "chunked", "Proxy": "evil", "X_Real": "1"}
        )
        assert environ["CONTENT_LENGTH"] == "0"
        assert not {"HTTP_TRANSFER_ENCODING", "HTTP_PROXY", "HTTP_X_REAL", "HTTP_CONTENT_LENGTH"} & set(environ)


class TestFileWrapper:
    def test_a_file_is_sent_in_blocks_and_closed(self) -> None:
        file = io.BytesIO(b"0123456789")

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            return environ["wsgi.file_wrapper"](file, 4)  # type: ignore[no-any-return]

        assert get(bridge.wsgi_handler(app)) == (200, b"0123456789")
        assert file.closed

    def test_it_begins_where_the_file_stands(self) -> None:
        file = io.BytesIO(b"0123456789")
        file.seek(7)
        assert list(FileWrapper(file)) == [b"789"]

    def test_what_can_only_be_read_will_do(self) -> None:
        class Readable:
            def __init__(self) -> None:
                self._left = [b"a", b"b"]

            def read(self, size: int) -> bytes:
                return self._left.pop(0) if self._left else b""

        wrapper = FileWrapper(Readable())
        assert list(wrapper) == [b"a", b"b"]
        wrapper.close()

    def test_a_wrapper_of_another_make_will_do(self) -> None:
        file = io.BytesIO(b"0123456789")
        assert get(bridge.wsgi_handler(returning(StandardFileWrapper(file)))) == (200, b"0123456789")
        assert file.closed


class TestValidator:
    """wsgiref.validate checks both sides; an AssertionError of it is the bridge's failure."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
    @pytest.mark.parametrize("path", ["/", "/caf%C3%A9/%2F", "/%FF"])
    def test_it_finds_nothing(self, method: str, path: str, capfd: pytest.CaptureFixture[str]) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            return [environ["wsgi.input"].read(1000), environ["PATH_INFO"].encode("latin-1")]

        handler = bridge.wsgi_handler(validator(app))
        headers = {"content-type": "text/plain", "cookie": "a=1", "x-many": "1,2"}
        payload = handler(event(path, method, headers, "body" if method == "POST" else ""), None)
        assert payload["statusCode"] == 200
        assert capfd.readouterr() == ("", "")

    def test_it_finds_nothing_in_write_generators_and_exc_info(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", PLAIN)
            try:
                raise ValueError
            except ValueError:
                write = start_response("500 Oh", PLAIN, sys.exc_info())
            write(b"a")
            return (chunk for chunk in [b"b", b"", b"c"])

        assert get(bridge.wsgi_handler(validator(app))) == (500, b"abc")

    def test_it_finds_nothing_when_the_application_fails_half_way(self, capfd: pytest.CaptureFixture[str]) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", PLAIN)
            yield b"a"
            raise ValueError("half way")

        assert get(bridge.wsgi_handler(validator(app)))[0] == 500
        assert "AssertionError" not in capfd.readouterr().err
