"""Percent-encoding, query strings, bodies and header pairs, held against the standard library."""

from __future__ import annotations

from base64 import b64encode, encodebytes
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.errors import EventError
from bridge.sources.text import as_text, body_of, native, pairs_of, pairs_of_many, query_of, quote, tidy, unquote

any_text = st.text(st.characters(codec="utf-8"), max_size=40)
escapes = st.text(st.sampled_from("%%%0123456789abcdefABCDEFgG/ +?é€\x00"), max_size=30)
names = st.text(st.sampled_from("abcXYZ-_é\u212a"), min_size=1, max_size=8) | st.sampled_from(
    ["cookie", "Cookie", "COOKIE", "host", "x-tag"]
)
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
untidy = st.none() | values | st.integers() | st.booleans()


# Percent-encoding


@given(any_text | escapes)
@example("%")
@example("%4")
@example("%zz%41")
@example("%%41%2541")
@example("%C3%A9é")
@example("%e9%FF%00")
def test_unquote_decodes_as_the_standard_library_does_and_keeps_every_byte(text: str) -> None:
    assert unquote(text).encode("latin-1") == unquote_to_bytes(text)


@given(st.binary(max_size=40))
def test_any_bytes_survive_being_encoded_and_decoded_once(data: bytes) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in data)
    assert unquote(encoded).encode("latin-1") == data


def test_unquote_decodes_once() -> None:
    assert unquote("/a%252Fb%2525") == "/a%2Fb%25"
    assert unquote("a+b") == "a+b"


@given(any_text)
def test_quote_encodes_as_the_standard_library_does(text: str) -> None:
    assert quote(text) == quote_plus(text)


@given(any_text)
def test_native_text_is_the_utf_8_bytes(text: str) -> None:
    assert native(text).encode("latin-1") == text.encode()


def test_half_a_surrogate_pair_from_json_is_no_reason_to_fail() -> None:
    half = "\ud83d"
    assert native(half) == unquote(half) == "\xed\xa0\xbd"
    assert quote(half) == "%ED%A0%BD"
    assert body_of(half, is_base64=False) == b"\xed\xa0\xbd"


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (None, ""), (True, "true"), (False, "false"), (7, "7"), (1.5, "1.5")]
)
def test_a_field_that_should_be_text_reads_as_json_writes_it(value: Any, text: str) -> None:
    assert as_text(value) == text


# Query strings


@given(st.dictionaries(any_text, st.lists(any_text, min_size=1, max_size=3), max_size=4))
def test_a_query_made_of_decoded_parameters_decodes_to_them(parameters: dict[str, list[str]]) -> None:
    pairs = [(name, value) for name, several in parameters.items() for value in several]
    assert parse_qsl(query_of(parameters), keep_blank_values=True, strict_parsing=bool(pairs)) == pairs


@given(st.dictionaries(any_text, any_text, max_size=4))
def test_single_values_and_lists_of_one_make_the_same_query(parameters: dict[str, str]) -> None:
    assert query_of(parameters) == query_of({name: [value] for name, value in parameters.items()})


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        (None, ""),
        ({}, ""),
        ({"a": ""}, "a="),
        ({"a": None}, "a="),
        ({"a": [None, "1"]}, "a=&a=1"),
        ({"a": True}, "a"),
        ({"a": [True, "1", True]}, "a&a=1&a"),
        ({"a": False, "n": 7}, "a=false&n=7"),
        ({"a b": "+&=?#/%é€"}, "a+b=%2B%26%3D%3F%23%2F%25%C3%A9%E2%82%AC"),
        ({"ids[]": ["1", "2"]}, "ids%5B%5D=1&ids%5B%5D=2"),
        ({"a": []}, ""),
    ],
)
def test_odd_parameters(parameters: Any, query: str) -> None:
    assert query_of(parameters) == query


@pytest.mark.parametrize("text", ["a+b", "a%20b", "%2B", "%", "a%26b%3Dc", "%E9", "é", "a/b?c", "'*~!"])
def test_encoded_parameters_stay_as_they_are(text: str) -> None:
    assert query_of({text: [text, ""]}, encoded=True) == f"{native(text)}={native(text)}&{native(text)}="


# Bodies


@given(st.binary(max_size=60))
def test_a_base64_body_is_decoded(data: bytes) -> None:
    assert body_of(b64encode(data).decode(), is_base64=True) == data
    assert body_of(encodebytes(data).decode(), is_base64=True) == data


@given(any_text)
def test_a_text_body_is_its_utf_8_bytes(text: str) -> None:
    assert body_of(text, is_base64=False) == body_of(text, is_base64=None) == text.encode()


@pytest.mark.parametrize("is_base64", [True, False, None])
def test_no_body_is_an_empty_one(is_base64: bool | None) -> None:
    assert body_of(None, is_base64) == body_of("", is_base64) == b""


@pytest.mark.parametrize(
    "body", ['{"a": 1}', "hello world", "grüße", "YQ", "YQ=", "YQ==YQ==", "=", "-_-_", "YWJj!YWJj", "a", "\x00"]
)
def test_a_body_that_is_said_to_be_base64_and_is_not_is_refused_not_guessed(body: str) -> None:
    with pytest.raises(EventError, match="isBase64Encoded, but its body is not base64"):
        body_of(body, is_base64=True)


@pytest.mark.parametrize(("body", "kind"), [({"a": 1}, "dict"), ([1], "list"), (7, "int"), (True, "bool")])
def test_a_body_that_is_no_text_is_refused_with_advice(body: Any, kind: str) -> None:
    with pytest.raises(EventError, match=f"body is a JSON {kind}.*write the body as a string"):
        body_of(body, is_base64=False)


# Header pairs


def is_cookie(name: str) -> bool:
    return native(name).lower() == "cookie"


@given(st.lists(st.tuples(names, untidy), max_size=8))
def test_tidy_pairs_are_native_in_order_without_nulls_and_with_one_cookie(pairs: list[tuple[str, Any]]) -> None:
    tidied = list(tidy(pairs))

    given_ = [(name, native(as_text(value))) for name, value in pairs if value is not None]
    assert [pair for pair in tidied if not is_cookie(pair[0])] == [pair for pair in given_ if not is_cookie(pair[0])]
    cookies = [pair for pair in given_ if is_cookie(pair[0])]
    assert [value for name, value in tidied if is_cookie(name)] == (
        ["; ".join(value for _, value in cookies)] if cookies else []
    )
    if cookies:  # it stands where the first one stood
        first = given_.index(cookies[0])
        assert tidied[first][0] == cookies[0][0]
    for _, value in tidied:
        value.encode("latin-1")


@given(st.dictionaries(names, untidy, max_size=6))
def test_the_short_way_for_single_headers_gives_what_the_long_way_gives(headers: dict[str, Any]) -> None:
    assert list(pairs_of(headers)) == list(tidy(headers.items()))


@given(st.dictionaries(names, st.none() | untidy | st.lists(untidy, max_size=3), max_size=6))
def test_the_short_way_for_lists_of_headers_gives_what_the_long_way_gives(headers: dict[str, Any]) -> None:
    long_way = [(n, v) for n, several in headers.items() for v in (several if type(several) is list else [several])]
    assert list(pairs_of_many(headers)) == list(tidy(long_way))


@pytest.mark.parametrize("headers", [None, {}])
def test_no_headers_are_no_pairs(headers: Any) -> None:
    assert list(pairs_of(headers)) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "a=1", "cookie": "b=2"},
        {"x": "é", "cookie": "a=1", "COOKIE": "b=2"},
    ],
)
def test_cookies_under_differently_spelled_names_are_one(headers: dict[str, str]) -> None:
    pairs = [pair for pair in pairs_of(headers) if is_cookie(pair[0])]
    assert [value for _, value in pairs] == ["a=1; b=2"]
    pairs = [pair for pair in pairs_of_many({name: [v] for name, v in headers.items()}) if is_cookie(pair[0])]
    assert [value for _, value in pairs] == ["a=1; b=2"]


def test_a_text_where_a_list_should_be_is_one_value() -> None:
    assert list(pairs_of_many({"host": "example.com", "x": ["1"]})) == [("host", "example.com"), ("x", "1")]
    assert list(pairs_of_many({"x": ["1"], "n": None, "m": [None, "2"]})) == [("x", "1"), ("m", "2")]
