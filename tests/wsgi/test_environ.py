"""The environ of a request."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper as StandardFileWrapper

import bridge
from bridge.wsgi.call import FileWrapper
from tests.helpers import WsgiApp, event, get
from tests.wsgi.applications import PLAIN, returning

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


def environ_of(**options: Any) -> dict[str, Any]:
    app = WsgiApp()
    bridge.wsgi_handler(app)(event(**options), None)
    return app.environs[0]


def test_each_request_has_a_dictionary_of_its_own() -> None:
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


def test_it_has_the_keys_and_types_of_pep_3333() -> None:
    environ = environ_of(method="POST", body="a=1", headers={"content-type": "application/x-www-form-urlencoded"})
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


def test_the_input_has_all_methods_of_pep_3333() -> None:
    stream = environ_of(method="POST", body="ab\ncd\nef")["wsgi.input"]
    assert [stream.read(2), stream.readline(), stream.readlines(), *stream, stream.read(), stream.read(5)] == [
        b"ab", b"\n", [b"cd\n", b"ef"], b"", b"",
    ]  # fmt: skip


def test_errors_is_the_current_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.errors"].write("an error")
        environ["wsgi.errors"].flush()
        start_response("200 OK", PLAIN)
        return []

    handler = bridge.wsgi_handler(app)
    get(handler)
    replaced = io.StringIO()
    monkeypatch.setattr(sys, "stderr", replaced)
    get(handler)
    assert replaced.getvalue() == "an error"


def test_headers_do_not_replace_values_of_the_server() -> None:
    environ = environ_of(
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

    def test_it_starts_at_the_position_of_the_file(self) -> None:
        file = io.BytesIO(b"0123456789")
        file.seek(7)
        assert list(FileWrapper(file)) == [b"789"]

    def test_an_object_with_read_alone_is_sufficient(self) -> None:
        class Readable:
            def __init__(self) -> None:
                self._blocks = [b"a", b"b"]

            def read(self, size: int) -> bytes:
                return self._blocks.pop(0) if self._blocks else b""

        assert list(FileWrapper(Readable())) == [b"a", b"b"]
        assert get(bridge.wsgi_handler(returning(FileWrapper(Readable())))) == (200, b"ab")

    def test_another_wrapper_works_too(self) -> None:
        file = io.BytesIO(b"0123456789")
        assert get(bridge.wsgi_handler(returning(StandardFileWrapper(file)))) == (200, b"0123456789")
        assert file.closed
