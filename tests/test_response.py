"""Response headers, grouped by name, with values as JSON carries them."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import InterfaceError
from bridge.response import Fields, Response


def fields_of(*headers: tuple[str, str], **arguments: Any) -> Fields:
    return Response(200, [*headers], b"").fields(**arguments)


def test_headers_are_grouped_by_name_in_the_order_and_spelling_of_the_first() -> None:
    fields = fields_of(("X-B", "1"), ("Set-Cookie", "a=1"), ("x-b", "2"), ("set-cookie", "b=2"), ("X-A", ""))
    assert (fields.single, fields.repeated) == ({"X-A": ""}, {"X-B": ["1", "2"]})
    assert (fields.cookie_name, fields.cookies) == ("Set-Cookie", ["a=1", "b=2"])
    assert fields.joined() == {"X-A": "", "X-B": "1, 2"}
    assert fields.lists() == {"X-A": [""], "X-B": ["1", "2"], "Set-Cookie": ["a=1", "b=2"]}


def test_headers_that_occur_once_keep_their_order() -> None:
    for _ in range(2):  # the second time, the names are in a cache
        fields = fields_of(("X-C", "1"), ("set-COOKIE", "a=1"), ("Content-TYPE", "text/css"))
        assert [*fields.joined().items()] == [("X-C", "1"), ("Content-TYPE", "text/css")]
        assert (fields.cookie_name, fields.cookies) == ("set-COOKIE", ["a=1"])
        assert (fields.content_type, fields.is_encoded, fields.repeated) == ("text/css", False, None)


def test_grouping_does_not_change_the_response() -> None:
    headers = [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("X-A", "1")]
    response = Response(200, headers, b"")
    fields = response.fields()
    fields.single["X-B"] = "2"
    assert fields.cookies is not None
    fields.cookies.append("c=3")
    assert headers == [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("X-A", "1")]
    assert response.fields().lists() == {"X-A": ["1"], "Set-Cookie": ["a=1", "b=2"]}


def test_excluded_headers_are_left_out() -> None:
    headers = [("Server", "a"), ("X-A", "1"), ("SERVER", "b"), ("server", "c"), ("Set-Cookie", "a=1")]
    assert fields_of(*headers, excluded={"server", "set-cookie"}).lists() == {"X-A": ["1"]}


def test_the_content_type_is_the_last_one() -> None:
    assert fields_of(("Content-Type", "text/plain"), ("content-type", "image/png")).content_type == "image/png"
    assert fields_of().content_type == ""


@pytest.mark.parametrize(("coding", "is_encoded"), [("gzip", True), ("GZIP", True), ("identity", False)])
@pytest.mark.parametrize("name", ["Content-Encoding", "content-encoding", "CONTENT-ENCODING"])
def test_a_body_is_encoded_if_the_content_encoding_is_not_identity(name: str, coding: str, is_encoded: bool) -> None:
    assert fields_of(("Content-Type", "text/plain"), (name, coding)).is_encoded is is_encoded


@pytest.mark.parametrize(
    ("native", "text"),
    [
        ("plain; q=0.5", "plain; q=0.5"),
        ("with a\ttab", "with a\ttab"),
        (" a=1; Path=/ ", "a=1; Path=/"),
        ("größer", "größer"),  # ISO-8859-1, because it is not valid UTF-8
        ("größer 🎈".encode().decode("latin-1"), "größer 🎈"),
        ("\xff\xfe", "ÿþ"),
        ("日本", "日本"),  # not a native string
    ],
)
@pytest.mark.parametrize("name", ["X-A", "Set-Cookie"])
def test_a_value_is_decoded_and_stripped(name: str, native: str, text: str) -> None:
    assert fields_of((name, native)).lists() == {name: [text]}
    assert fields_of(("X-B", "1"), (name, native), (name, "2")).lists()[name] == [text, "2"]


@pytest.mark.parametrize("mark", ["\r\n", "\n", "\r", "\x00"])
def test_a_line_break_in_a_value_is_an_error_that_names_the_header(mark: str) -> None:
    with pytest.raises(InterfaceError, match="'X-A' has a line break or NUL"):
        fields_of(("X-B", "1"), ("X-A", f"a{mark}Set-Cookie: stolen=1"))


@pytest.mark.parametrize("name", ["X-One\r\nX-Two", "X One", "", "X:Y", "Ä"])
def test_a_name_that_is_no_token_is_an_error(name: str) -> None:
    for _ in range(2):
        with pytest.raises(InterfaceError, match="header name"):
            fields_of((name, "v"))


def test_the_header_size_is_the_number_of_characters_in_names_and_values() -> None:
    headers = [("X-A", "123"), ("X-Long", "x" * 100)]
    for response in (Response(200, headers, b""), Response(200, [*headers, ("x-a", "")], b"")):
        response.fields()
        size = sum(len(name) + len(value) for name, value in response.headers)
        assert size <= response.header_size <= size + len(headers)


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
def test_a_status_line_has_a_reason_phrase(status: int, reason: str, line: str) -> None:
    assert Response(status, [], b"", reason).status_line() == line


def test_a_plain_response_is_text_with_its_length() -> None:
    response = Response.plain(413, "zu groß")
    assert (response.status, response.body) == (413, "zu groß".encode())
    assert response.headers == [("content-type", "text/plain; charset=utf-8"), ("content-length", "8")]
