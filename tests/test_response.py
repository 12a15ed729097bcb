"""The one encoder: whatever an application sends reaches the client unchanged, as text where it can."""

from __future__ import annotations

import encodings.aliases
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.bodies import encode, media_type
from bridge.errors import InterfaceError
from bridge.response import Response
from bridge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "größer 🎈\x00\u2028".encode()
BINARY = b"\x89PNG\r\n\xff\xfe"


def encoded(body: bytes, headers: list[tuple[str, str]], **options: Any) -> tuple[str, bool]:
    return encode(body, Response(200, headers, body).fields(), Settings(options, {}))


def is_base64(content_type: str, body: bytes = b"text", **options: Any) -> bool:
    return encoded(body, [("Content-Type", content_type)], **options)[1]


def received(text: str, flag: bool) -> bytes:
    """What a client gets: through JSON, then by the flag; a front door sends text as UTF-8."""
    text = json.loads(json.dumps(text))
    return b64decode(text, validate=True) if flag else text.encode("utf-8")


CHARSETS = sorted({*encodings.aliases.aliases.values()} | {"utf-8", "UTF-16LE", "unknown-8", ""})
TYPES = ["text/html", "application/json", "application/x-tex", "image/png", "image/svg+xml", "a/b+xml", "", "/", ";"]
content_types = st.one_of(
    st.builds("{}; charset={}".format, st.sampled_from(TYPES), st.sampled_from(CHARSETS)),
    st.sampled_from(TYPES),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00")),
)
options = st.sampled_from([{}, {"text_types": ["*/*"]}, {"text_types": ["application/x-tex"]}, {"text_types": bool}])
bodies = st.one_of(st.binary(), st.text().map(str.encode))


@given(bodies, content_types, st.sampled_from([None, "gzip", "br", ""]), options)
@example(b"\xef\xbb\xbfwith a mark", "text/plain", None, {})
@example(b"+AGE-", "text/plain; charset=utf-7", None, {})
@example(b"\xed\xa0\x80", "text/plain", None, {})
@example(b"a\x00", "text/plain; charset=utf-16", None, {})
def test_every_body_of_every_type_comes_back_equal(
    body: bytes, content_type: str, content_encoding: str | None, options: dict[str, Any]
) -> None:
    headers = [("Content-Type", content_type)]
    if content_encoding is not None:
        headers.append(("Content-Encoding", content_encoding))
    text, flag = encoded(body, headers, **options)
    assert received(text, flag) == body


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain", "text/html; charset=utf-8", "TEXT/HTML", " text/css ", "text/x-anything", "text/csv;header=no",
        "application/json", "Application/JSON; charset=UTF-8", "application/problem+json", "application/ld+json",
        "application/vnd.api+json", "application/vnd.acme.v2+json", "application/manifest+json", "application/json-seq",
        "application/ndjson", "application/x-ndjson", "application/jsonl", "application/geo+json-seq",
        "application/xml", "application/atom+xml", "application/rss+xml", "application/xhtml+xml", "image/svg+xml",
        "application/soap+xml; action=x", "application/problem+xml", "application/xml-dtd",
        "application/javascript", "application/x-javascript", "application/ecmascript", "application/graphql",
        "application/yaml", "application/x-yaml", "application/openapi+yaml", "application/vnd.oai.openapi",
        "application/vnd.oai.openapi+json;version=3.0", "application/x-www-form-urlencoded", "application/sql",
    ],
)  # fmt: skip
def test_a_type_of_text_is_text(content_type: str) -> None:
    text, flag = encoded(TEXT, [("Content-Type", content_type)])
    assert (text, flag) == (TEXT.decode(), False)


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png", "image/webp", "image/svg", "font/woff2", "font/ttf", "application/font-woff", "application/pdf",
        "application/octet-stream", "application/zip", "application/gzip", "application/wasm", "audio/mpeg",
        "video/mp4", "multipart/form-data; boundary=x", "application/protobuf", "application/msgpack",
        "application/cbor", "application/grpc+proto", "application/vnd.ms-excel", "application/jsonx",
        "application/x-json-like", "texts/plain", "application/text/plain", "nonsense",
    ],
)  # fmt: skip
def test_a_type_that_is_not_known_as_text_is_base64(content_type: str) -> None:
    text, flag = encoded(b"letters", [("Content-Type", content_type)])
    assert (text, flag) == ("bGV0dGVycw==", True)


def test_a_body_without_a_type_is_text_if_it_is_valid() -> None:
    assert encoded(TEXT, []) == (TEXT.decode(), False)
    assert encoded(BINARY, [])[1] is True
    assert is_base64("") is False


def test_a_body_that_is_no_text_is_base64_whatever_its_type_says() -> None:
    assert is_base64("text/html", BINARY)
    assert is_base64("application/json", b'"\xe9"')


def test_an_empty_body_is_empty_text() -> None:
    for content_type in ("text/plain", "image/png", ""):
        assert encoded(b"", [("Content-Type", content_type)]) == ("", False)
    assert encoded(b"", [("Content-Encoding", "gzip")]) == ("", False)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd"])
@pytest.mark.parametrize("name", ["Content-Encoding", "content-encoding", "CONTENT-ENCODING"])
def test_what_is_content_encoded_is_base64(name: str, coding: str) -> None:
    assert encoded(b"text", [("Content-Type", "text/plain"), (name, coding)])[1] is True


def test_the_last_of_two_content_types_counts() -> None:
    assert encoded(b"text", [("Content-Type", "text/plain"), ("content-type", "image/png")])[1] is True


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "'utf-8'", " utf8 ", "us-ascii", "ascii", ""])
def test_a_charset_that_is_utf8_changes_nothing(charset: str) -> None:
    assert is_base64(f"text/plain; charset={charset}", TEXT) is False
    assert is_base64(f"text/plain; format=flowed; Charset={charset}; x=y", TEXT) is False


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "latin-1", "windows-1252", "koi8-r", "shift_jis", "gb18030", "utf-8-sig"]
)
def test_a_charset_beyond_ascii_is_text_as_far_as_it_is_ascii(charset: str) -> None:
    assert is_base64(f"text/plain; charset={charset}", b"letters") is False
    assert is_base64(f"text/plain; charset={charset}", b"gr\xf6\xdfer") is True
    assert is_base64(f"text/plain; charset={charset}", "größer".encode()) is True


@pytest.mark.parametrize(
    "charset", ["utf-16", "UTF-16LE", "utf-16-be", "utf-32", "utf-7", "iso-2022-jp", "hz-gb-2312", "cp037"]
)
def test_a_charset_in_which_ascii_letters_mean_something_else_is_base64(charset: str) -> None:
    assert is_base64(f"text/plain; charset={charset}", b"letters") is True


def test_the_users_types_are_text_too() -> None:
    assert is_base64("application/x-tex; version=1", text_types=["application/x-tex"]) is False
    assert is_base64("application/x-other", text_types=["application/x-tex"]) is True
    assert is_base64("text/plain", text_types=["application/x-tex"]) is False


def test_the_users_function_is_asked_for_types_that_are_not_known_with_the_whole_content_type() -> None:
    asked: list[str] = []

    def is_text(content_type: str) -> bool:
        asked.append(content_type)
        return "tex" in content_type

    assert is_base64("Application/X-TeX; charset=utf-8; tex", text_types=is_text) is False
    assert is_base64("application/pdf", text_types=is_text) is True
    assert is_base64("text/plain", text_types=is_text) is False
    assert asked == ["Application/X-TeX; charset=utf-8; tex", "application/pdf"]


@pytest.mark.parametrize("text_types", [["*/*"], ["application/x-tex"], lambda content_type: True])
def test_what_the_user_says_makes_nothing_text_that_is_none(text_types: list[str] | Callable[[str], bool]) -> None:
    assert is_base64("application/x-tex", BINARY, text_types=text_types) is True
    assert is_base64("application/x-tex; charset=utf-16", text_types=text_types) is True
    headers = [("Content-Type", "application/x-tex"), ("Content-Encoding", "gzip")]
    assert encoded(b"packed", headers, text_types=text_types)[1] is True


def test_one_handlers_types_are_not_anothers() -> None:
    assert is_base64("application/x-one", text_types=["application/x-one"]) is False
    assert is_base64("application/x-one") is True
    assert is_base64("application/x-one", text_types=["application/x-two"]) is True


def test_more_content_types_than_are_remembered_are_answered_right() -> None:
    for number in range(600):
        assert is_base64(f"text/plain; number={number}") is False
        assert is_base64(f"image/x-{number}") is True


def test_a_media_type_is_what_stands_before_the_parameters_in_small_letters() -> None:
    assert media_type(" Text/HTML ; charset=utf-8") == "text/html"
    assert media_type("") == ""


def test_headers_are_grouped_by_name_in_the_order_and_spelling_of_their_first() -> None:
    headers = [("X-B", "1"), ("Set-Cookie", "a=1"), ("x-b", "2"), ("set-cookie", "b=2"), ("X-A", "")]
    groups = Response(200, headers, b"").grouped()
    assert [*groups.items()] == [
        ("x-b", ("X-B", ["1", "2"])),
        ("set-cookie", ("Set-Cookie", ["a=1", "b=2"])),
        ("x-a", ("X-A", [""])),
    ]
    fields = Response(200, headers, b"").fields()
    assert fields.joined() == {"X-A": "", "X-B": "1, 2"}
    assert fields.lists() == {"X-A": [""], "X-B": ["1", "2"], "Set-Cookie": ["a=1", "b=2"]}
    assert fields.cookies == ["a=1", "b=2"]


def test_headers_that_were_sorted_out_before_are_sorted_out_alike() -> None:
    headers = [("X-C", "1"), ("set-COOKIE", "a=1"), ("Content-TYPE", "text/css")]
    first, second = Response(200, headers, b"").fields(), Response(200, headers, b"").fields()
    for fields in (first, second):
        assert fields.single == {"X-C": "1", "Content-TYPE": "text/css"}
        assert (fields.cookie_name, fields.cookies, fields.content_type) == ("set-COOKIE", ["a=1"], "text/css")
        assert fields.is_encoded is False
    assert Response(200, [*headers, ("x-c", "2")], b"").fields().repeated == {"X-C": ["1", "2"]}
    assert Response(200, headers, b"").fields(frozenset({"x-c"})).single == {"Content-TYPE": "text/css"}


def test_headers_that_are_left_out_are_not_grouped_however_often_they_come() -> None:
    headers = [("Server", "a"), ("X-A", "1"), ("SERVER", "b"), ("server", "c")]
    assert [*Response(200, headers, b"").grouped(frozenset({"server"}))] == ["x-a"]


@pytest.mark.parametrize(
    ("native", "text"),
    [
        ("plain; q=0.5", "plain; q=0.5"),
        ("with a\ttab", "with a\ttab"),
        ("größer", "größer"),  # ISO-8859-1, since it is no valid UTF-8
        ("größer 🎈".encode().decode("latin-1"), "größer 🎈"),
        ("\xff\xfe", "ÿþ"),
    ],
)
def test_header_values_become_the_text_that_their_bytes_mean(native: str, text: str) -> None:
    assert Response(200, [("X-A", native)], b"").grouped() == {"x-a": ("X-A", [text])}


@pytest.mark.parametrize("mark", ["\r\n", "\n", "\r", "\x00"])
def test_a_line_break_in_a_header_is_refused_and_the_header_named(mark: str) -> None:
    with pytest.raises(InterfaceError, match="'X-A' has a line break or NUL"):
        Response(200, [("X-A", f"a{mark}Set-Cookie: stolen=1")], b"").grouped()


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, "", "200 OK"),
        (404, "", "404 Not Found"),
        (404, "No such dog", "404 No such dog"),
        (599, "", "599 Unknown"),
        (299, "Odd", "299 Odd"),
    ],
)
def test_a_status_line_always_has_a_reason(status: int, reason: str, line: str) -> None:
    assert Response(status, [], b"", reason).status_line() == line


def test_an_answer_of_the_bridges_own_is_plain_text_with_its_length() -> None:
    answer = Response.plain(413, "zu groß")
    assert (answer.status, answer.body) == (413, "zu groß".encode())
    assert answer.headers == [("content-type", "text/plain; charset=utf-8"), ("content-length", "8")]
    assert encode(answer.body, answer.fields(), Settings({}, {})) == ("zu groß", False)


@pytest.mark.parametrize("name", ["X-One\r\nX-Two", "X One", "", "X:Y", "Ä"])
def test_a_header_name_that_is_none_is_a_failure_of_the_application(name: str) -> None:
    with pytest.raises(InterfaceError, match="header name"):
        Response(200, [(name, "v")], b"").grouped()


def test_a_content_encoding_of_identity_is_none() -> None:
    for coding, is_coded in (("identity", False), ("gzip", True), ("identity", False)):
        fields = Response(200, [("Content-Type", "text/plain"), ("Content-Encoding", coding)], b"").fields()
        assert encode(b"text", fields, Settings())[1] is is_coded


def test_space_around_a_header_value_is_none_of_its_own() -> None:
    assert Response(200, [("Set-Cookie", " a=1; Path=/ ")], b"").grouped() == {
        "set-cookie": ("Set-Cookie", ["a=1; Path=/"])
    }
