"""Bodies in payloads: text or base64, and the size of a payload."""

from __future__ import annotations

import encodings.aliases
import json
import tracemalloc
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bridge
from bridge.bodies import _body_fits, encode, excess, json_size, media_type
from bridge.dev.gateway import Request, compose
from bridge.response import Response
from bridge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "größer 🎈\x00\u2028".encode()
BINARY = b"\x89PNG\r\n\xff\xfe"
ASCII = bytes(range(128))

bodies = st.binary(max_size=60) | st.text(max_size=60).map(str.encode)


def encoded(body: bytes, *headers: tuple[str, str], **options: Any) -> tuple[str, bool]:
    return encode(body, Response(200, [*headers], body).fields(), Settings(options, {}).is_text)


def is_base64(content_type: str, body: bytes = b"text", **options: Any) -> bool:
    return encoded(body, ("Content-Type", content_type), **options)[1]


# Text or base64


CHARSETS = sorted({*encodings.aliases.aliases.values()} | {"utf-8", "UTF-16LE", "unknown-8", ""})
TYPES = ["text/html", "application/json", "application/x-tex", "image/png", "image/svg+xml", "a/b+xml", "", "/", ";"]
any_content_type = st.one_of(
    st.builds("{}; charset={}".format, st.sampled_from(TYPES), st.sampled_from(CHARSETS)),
    st.sampled_from(TYPES),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00")),
)
any_text_types = st.sampled_from([None, ["*/*"], ["application/x-tex"], bool])


@given(bodies, any_content_type, st.sampled_from([None, "gzip", "identity"]), any_text_types)
@example(b"+AOk-", "text/plain; charset=utf-7", None, None)
@example(b"\xed\xa0\x80", "text/plain", None, None)
@example(b"a\x00", "text/plain; charset=utf-16", None, None)
def test_the_client_gets_every_body_of_every_type_unchanged(
    body: bytes, content_type: str, content_encoding: str | None, text_types: Any
) -> None:
    headers = [("Content-Type", content_type)]
    if content_encoding is not None:
        headers.append(("Content-Encoding", content_encoding))
    text, is_base64 = encoded(body, *headers, text_types=text_types)
    text = json.loads(json.dumps(text))
    assert (b64decode(text, validate=True) if is_base64 else text.encode("utf-8")) == body


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
        "text/event-stream",
    ],
)  # fmt: skip
def test_a_text_type_is_text(content_type: str) -> None:
    assert encoded(TEXT, ("Content-Type", content_type)) == (TEXT.decode(), False)


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png", "image/webp", "image/svg", "font/woff2", "font/ttf", "application/font-woff", "application/pdf",
        "application/octet-stream", "application/zip", "application/gzip", "application/wasm", "audio/mpeg",
        "video/mp4", "multipart/form-data; boundary=x", "application/protobuf", "application/msgpack",
        "application/cbor", "application/grpc+proto", "application/vnd.ms-excel", "application/jsonx",
        "application/x-json-like", "texts/plain", "x-text/plain", "application/text/plain", "application/notjson",
        "nonsense", "/",
    ],
)  # fmt: skip
def test_another_type_is_base64(content_type: str) -> None:
    assert encoded(b"letters", ("Content-Type", content_type)) == ("bGV0dGVycw==", True)


def test_a_body_without_content_type_is_text_if_it_is_valid_utf_8() -> None:
    assert encoded(TEXT) == (TEXT.decode(), False)
    assert encoded(BINARY)[1] is True
    assert is_base64("") is False


@pytest.mark.parametrize(
    "body", [b"\xff", b"\xc3", b"gr\xfc\xdfe", b"\xed\xa0\x80", b"\x80abc", b"\xf5\x80\x80\x80", b"\xc0\xaf"]
)
@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "text/plain; charset=utf-8", ""])
def test_text_that_is_not_valid_is_base64(body: bytes, content_type: str) -> None:
    assert is_base64(content_type, body)


def test_an_empty_body_is_text_of_any_type() -> None:
    for content_type in ("text/plain", "image/png", ""):
        assert encoded(b"", ("Content-Type", content_type)) == ("", False)
    assert encoded(b"", ("Content-Encoding", "gzip")) == ("", False)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "GZIP"])
def test_a_body_with_content_encoding_is_base64(coding: str) -> None:
    assert encoded(b"ok", ("Content-Type", "text/plain"), ("Content-Encoding", coding)) == ("b2s=", True)


@pytest.mark.parametrize(
    ("body", "headers", "text_types", "rule"),
    [
        (b"a", [("Content-Type", "text/html; charset=utf-8")], None, "text/html is a text type"),
        (b"a", [("Content-Type", "a/b+json")], None, "a/b+json has the suffix of a text format"),
        (b"a", [("Content-Type", "a/b")], None, "a/b is not a text type"),
        (b"a", [("Content-Type", "a/b")], ["a/b"], "the option text_types names its Content-Type"),
        (b"a", [("Content-Type", "text/css; charset=utf-16")], None, "its charset is not a superset of ASCII"),
        (b"a", [("Content-Type", "text/css"), ("Content-Encoding", "gzip")], None, "it has a Content-Encoding"),
        (b"a", [], None, "it has no Content-Type"),
        (b"\xff", [("Content-Type", "text/css")], None, "its bytes are not valid UTF-8"),
        (b"\xff", [("Content-Type", "text/css; charset=latin-1")], None, "its bytes are not valid ASCII"),
    ],
)
def test_the_rule_that_decides_is_named(
    body: bytes, headers: list[tuple[str, str]], text_types: list[str] | None, rule: str
) -> None:
    settings = Settings({"text_types": text_types} if text_types else {}, environ={})
    rules: list[str] = []
    encode(body, Response(200, headers, body).fields(), settings.is_text, rules.append)
    assert rules == [rule]


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "'utf-8'", " utf8 ", "us-ascii", "ascii", ""])
def test_utf_8_and_ascii_are_text(charset: str) -> None:
    assert is_base64(f"text/plain; charset={charset}", TEXT) is False
    assert is_base64(f"text/plain; format=flowed; Charset={charset}; x=y", TEXT) is False


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "latin-1", "windows-1252", "koi8-r", "shift_jis", "gb18030", "utf-8-sig"]
)
def test_a_superset_of_ascii_is_text_if_the_body_is_ascii(charset: str) -> None:
    assert is_base64(f"text/plain; charset={charset}", b"letters") is False
    assert is_base64(f"text/plain; charset={charset}", b"gr\xf6\xdfer") is True
    assert is_base64(f"text/plain; charset={charset}", "größer".encode()) is True


@pytest.mark.parametrize(
    "charset", ["utf-16", "UTF-16LE", "utf-16-be", "utf-32", "utf-7", "iso-2022-jp", "hz-gb-2312", "cp037", "ebcdic-us"]
)
def test_a_charset_that_is_no_superset_of_ascii_is_base64(charset: str) -> None:
    assert is_base64(f"text/plain; charset={charset}", b"letters") is True


def test_text_types_are_text_too() -> None:
    assert is_base64("Application/X-TeX; version=1", text_types=["application/x-tex"]) is False
    assert is_base64("application/x-other", text_types=["application/x-tex"]) is True
    assert is_base64("text/plain", text_types=["application/x-tex"]) is False


def test_a_function_decides_about_other_types_by_the_whole_content_type() -> None:
    content_types: list[str] = []

    def is_text(content_type: str) -> bool:
        content_types.append(content_type)
        return "tex" in content_type

    assert is_base64("Application/X-TeX; charset=utf-8; tex", text_types=is_text) is False
    assert is_base64("application/pdf", text_types=is_text) is True
    assert is_base64("text/plain", text_types=is_text) is False
    assert content_types == ["Application/X-TeX; charset=utf-8; tex", "application/pdf"]


@pytest.mark.parametrize("text_types", [["*/*"], ["application/x-tex"], lambda content_type: True])
def test_text_types_do_not_make_text_of_other_bytes(text_types: list[str] | Callable[[str], bool]) -> None:
    assert is_base64("application/x-tex", BINARY, text_types=text_types) is True
    assert is_base64("application/x-tex; charset=utf-16", text_types=text_types) is True
    headers = [("Content-Type", "application/x-tex"), ("Content-Encoding", "gzip")]
    assert encoded(b"packed", *headers, text_types=text_types)[1] is True


@pytest.mark.parametrize(
    ("content_type", "media"),
    [(" Text/HTML ; charset=utf-8", "text/html"), ("Text/HTML;charset=x", "text/html"), ("", ""), (";a=b", "")],
)
def test_a_media_type_is_in_lower_case_without_parameters(content_type: str, media: str) -> None:
    assert media_type(content_type) == media


# Size


def payload_of(body: bytes, content_type: str) -> dict[str, Any]:
    return {"body": encoded(body, ("Content-Type", content_type))[0]}


def body_size(payload: dict[str, Any]) -> int:
    """The length of the body in JSON, without its quotes."""
    return len(json.dumps(payload["body"])) - 2


content_types = st.sampled_from(["text/plain", "image/png"])


@given(bodies, content_types, st.integers(-2, 2))
def test_only_a_payload_over_the_limit_has_an_excess(body: bytes, content_type: str, distance: int) -> None:
    payload = payload_of(body, content_type)
    size = json_size(payload)
    assert excess(payload, body, 0, size + distance) == (size if distance < 0 else 0)


@given(bodies, content_types)
def test_a_body_never_fits_into_less_room_than_it_takes(body: bytes, content_type: str) -> None:
    payload = payload_of(body, content_type)
    assert not _body_fits(body, payload, body_size(payload) - 1)


@pytest.mark.parametrize("body", [b"", b"plain", b'{"a": "b"}\n', b"\\", b"\x00\x7f", ASCII])
@pytest.mark.parametrize("content_type", ["text/plain", "image/png"])
def test_ascii_and_base64_fit_into_exactly_the_room_that_they_take(body: bytes, content_type: str) -> None:
    payload = payload_of(body, content_type)
    assert _body_fits(body, payload, body_size(payload))


@pytest.mark.parametrize("letter", ["é", "漢", "😀"])
def test_other_characters_fit_into_twice_the_room_that_they_take(letter: str) -> None:
    body = letter.encode() * 100
    payload = payload_of(body, "text/plain")
    assert _body_fits(body, payload, 2 * body_size(payload))


def test_no_body_fits_into_no_room() -> None:
    assert _body_fits(b"", {"status": "204"}, 0)
    assert not _body_fits(b"", {"status": "204"}, -1)


@pytest.mark.parametrize("start", [0, 65_535, 65_536, 131_000])
def test_control_characters_count_anywhere_in_a_large_body(start: int) -> None:
    body = bytearray(b"x" * 131_080)
    body[start : start + 80] = b"\x1f" * 80
    payload = payload_of(bytes(body), "text/plain")
    assert _body_fits(bytes(body), payload, body_size(payload))
    assert not _body_fits(bytes(body), payload, body_size(payload) - 1)


@pytest.mark.parametrize(
    ("runtime", "size"), [("AWS_Lambda_python3.11", 18), ("AWS_Lambda_python3.12", 14), ("", 18), ("mine", 18)]
)
def test_the_size_is_that_of_the_json_that_the_runtime_writes(
    runtime: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", runtime)
    assert json_size({"body": "é"}) == size


@pytest.mark.parametrize(("content_type", "copies"), [("text/html", 1.1), ("image/png", 2.8)])
def test_a_large_response_is_copied_once_as_text_and_twice_as_base64(content_type: str, copies: float) -> None:
    """A copy in base64 has 4/3 of the size; there is one of bytes and one of text."""
    body = b"<p>Leave it with the neighbours on the third floor.</p>\n" * 40_000

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", content_type)])
        return [body]

    handler = bridge.wsgi_handler(app)
    event = compose(Request("GET", "/page"), "http-api")
    handler(event)
    tracemalloc.start()
    try:
        payload = handler(event)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert payload["statusCode"] == 200
    assert peak / len(body) < copies
