"""The one rule that makes a body text or base64, and headers by name."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.bodies import encode, media_type
from bridge.response import Fields, Response
from bridge.settings import Settings

DEFAULT = Settings(environ={})


def encoded(body: bytes, content_type: str | None, settings: Settings = DEFAULT, **headers: str) -> tuple[str, bool]:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if content_type is not None:
        pairs.append(("Content-Type", content_type))
    return encode(body, Response(200, pairs, body).fields(), settings)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/html; charset=utf-8",
        "TEXT/HTML",
        "text/event-stream",
        "text/csv",
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/problem+json",
        "application/ld+json",
        "application/vnd.api+json",
        "application/vnd.oai.openapi",
        "application/vnd.oai.openapi+json;version=3.0",
        "application/x-ndjson",
        "application/xml",
        "application/xhtml+xml",
        "application/atom+xml",
        "image/svg+xml",
        "application/javascript",
        "application/x-javascript",
        "application/x-www-form-urlencoded",
        "application/yaml",
        "application/graphql",
        " text/plain ",
        "",
    ],
)
def test_characters_are_text(content_type: str) -> None:
    assert encoded("grüße €".encode(), content_type) == ("grüße €", False)


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "application/pdf", "application/octet-stream", "font/woff2", "application/zip", "multipart/form-data",
     "application/vnd.ms-excel", "application/protobuf", "image/json-ish", "audio/text", "application/xmlish",
     "x-text/plain", "application/notjson", "junk", "/"],
)  # fmt: skip
def test_anything_else_is_base64(content_type: str) -> None:
    text, is_base64 = encoded(b"plain", content_type)
    assert is_base64
    assert b64decode(text) == b"plain"


def test_no_content_type_says_nothing_against_text() -> None:
    assert encoded(b"ok", None) == ("ok", False)
    assert encoded(b"\xff", None)[1]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "GZIP"])
def test_a_coded_body_is_base64_whatever_its_type(coding: str) -> None:
    assert encoded(b"ok", "text/plain", content_encoding=coding) == ("b2s=", True)


@pytest.mark.parametrize(
    "body", [b"\xff", b"\xc3", b"gr\xfc\xdfe", b"\xed\xa0\x80", b"\x80abc", b"\xf5\x80\x80\x80", b"\xc0\xaf"]
)
@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "text/plain; charset=utf-8", ""])
def test_text_that_is_not_valid_is_base64(body: bytes, content_type: str) -> None:
    text, is_base64 = encoded(body, content_type)
    assert is_base64
    assert b64decode(text) == body


@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        # ASCII means the same in these
        ("text/plain; charset=iso-8859-1", b"plain", False),
        ("text/plain; charset=windows-1252", b"plain", False),
        ("text/plain; charset=Shift_JIS", b"plain", False),
        ("text/plain; charset=us-ascii", b"plain", False),
        ('text/plain; charset="UTF-8"', "ü".encode(), False),
        ("text/plain; charset='utf-8'; format=flowed", "ü".encode(), False),
        ("text/plain;CHARSET=UTF8", "ü".encode(), False),
        # the client would read UTF-8 wrongly
        ("text/plain; charset=iso-8859-1", "ü".encode("latin-1"), True),
        ("text/plain; charset=iso-8859-1", "ü".encode(), True),
        ("text/plain; charset=latin-1", b"\xe9", True),
        ("text/plain; charset=unknown", "ü".encode(), True),
        # not even ASCII is the same
        ("text/plain; charset=utf-16", "ab".encode("utf-16"), True),
        ("text/plain; charset=utf-16le", b"a\x00b\x00", True),
        ("text/plain; charset=UTF-32", "a".encode("utf-32"), True),
        ("text/plain; charset=utf-7", b"+AOk-", True),
        ("text/plain; charset=iso-2022-jp", b"\x1b$B", True),
        ("text/plain; charset=cp037", b"abc", True),
        ("text/plain; charset=ebcdic-us", b"abc", True),
    ],
)
def test_a_charset_decides_whether_json_can_carry_the_bytes(content_type: str, body: bytes, is_base64: bool) -> None:
    text, found = encoded(body, content_type)
    assert found is is_base64
    assert (b64decode(text) if found else text.encode()) == body


@given(st.binary(max_size=30), st.text(max_size=20) | st.sampled_from(["text/plain", "text/x; charset=utf-16"]))
def test_any_body_of_any_type_comes_out_as_it_went_in(body: bytes, content_type: str) -> None:
    fields = Fields()
    fields.content_type = content_type
    text, is_base64 = encode(body, fields, DEFAULT)
    assert (b64decode(text, validate=True) if is_base64 else text.encode("utf-8")) == body


def test_an_empty_body_is_empty_text_whatever_its_type() -> None:
    assert encoded(b"", "image/png") == ("", False)
    assert encoded(b"", "text/plain", content_encoding="gzip") == ("", False)


def test_of_two_content_types_the_last_counts() -> None:
    response = Response(200, [("Content-Type", "text/plain"), ("content-type", "image/png")], b"ok")
    assert encode(response.body, response.fields(), DEFAULT)[1]


@pytest.mark.parametrize(
    ("types", "content_type", "is_text"),
    [
        (["application/x-tex"], "application/x-tex", True),
        (["application/x-tex"], "Application/X-TeX; charset=utf-8", True),
        (["application/x-tex"], "application/x-tex2", False),
        (["font/*"], "font/woff", True),
        (["*+cbor"], "application/a+cbor", True),
        (["application/x-tex"], "application/x-tex; charset=utf-16", False),
    ],
)
def test_the_user_adds_text_types(types: list[str], content_type: str, is_text: bool) -> None:
    assert encoded(b"ok", content_type, Settings({"text_types": types}, environ={}))[1] is not is_text


def test_the_user_adds_text_types_by_a_function_that_cannot_make_bytes_text() -> None:
    settings = Settings({"text_types": lambda content_type: True}, environ={})
    assert encoded(b"ok", "image/png", settings) == ("ok", False)
    assert encoded(b"\xff", "image/png", settings) == ("/w==", True)
    assert encoded(b"ok", "image/png", settings, content_encoding="br") == ("b2s=", True)


def test_content_types_without_end_are_not_remembered_without_end() -> None:
    from bridge import bodies as encoder

    for number in range(1000):
        assert encoded(b"ok", f"text/plain; n={number}") == ("ok", False)
    assert len(encoder.carried) <= 256


@pytest.mark.parametrize(
    ("content_type", "media"), [("Text/HTML; charset=x", "text/html"), (" a/b ;", "a/b"), ("", ""), (";a=b", "")]
)
def test_a_media_type_is_without_parameters(content_type: str, media: str) -> None:
    assert media_type(content_type) == media


def test_headers_are_grouped_in_order_under_their_first_spelling() -> None:
    response = Response(200, [("B", "1"), ("a", "2"), ("b", "3"), ("A", "4")], b"")
    assert response.grouped() == {"b": ("B", ["1", "3"]), "a": ("a", ["2", "4"])}
    assert response.fields().joined() == {"B": "1, 3", "a": "2, 4"}
    assert response.grouped(frozenset({"a"})) == {"b": ("B", ["1", "3"])}


def test_grouping_leaves_the_response_as_it_is() -> None:
    headers = [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    response = Response(200, headers, b"")
    response.grouped()["set-cookie"][1].append("c=3")
    assert response.headers == [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert response.grouped()["set-cookie"][1] == ["a=1", "b=2"]
