"""Texts, queries, headers, bodies and addresses of events."""

from __future__ import annotations

from base64 import b64encode, encodebytes
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import EventError
from bridge.sources.parse import (
    as_text,
    body_of,
    flat,
    header,
    last_hop,
    native,
    pairs_of,
    principal,
    query_of,
    server_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv6Address

any_text = st.text(st.characters(codec="utf-8"), max_size=40)
short_text = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.text(st.sampled_from("abcXYZ-_é\u212a"), min_size=1, max_size=8) | st.sampled_from(
    ["cookie", "Cookie", "COOKIE", "host", "x-tag"]
)
values = (
    st.none()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
    | st.integers()
    | st.booleans()
)
addresses = st.ip_addresses()


# Texts


@given(any_text)
def test_native_returns_the_utf_8_bytes_of_a_text(text: str) -> None:
    assert native(text).encode("latin-1") == text.encode()


def test_half_a_surrogate_pair_passes() -> None:
    half = "\ud83d"  # JSON may contain it
    assert native(half) == "\xed\xa0\xbd"
    assert query_of({half: half}) == "%ED%A0%BD=%ED%A0%BD"
    assert body_of(half, is_base64=False) == b"\xed\xa0\xbd"


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (None, ""), (True, "true"), (False, "false"), (7, "7"), (1.5, "1.5")]
)
def test_a_value_of_another_type_becomes_the_text_that_json_writes(value: Any, text: str) -> None:
    assert as_text(value) == text


# Queries


@given(any_text | st.text(min_size=70, max_size=100))
def test_names_and_values_are_encoded_as_the_standard_library_encodes_forms(text: str) -> None:
    assert query_of({text: text}) == f"{quote_plus(text)}={quote_plus(text)}"


@given(st.dictionaries(any_text, st.lists(any_text, min_size=1, max_size=3), max_size=4))
def test_the_query_of_decoded_parameters_decodes_to_them(parameters: dict[str, list[str]]) -> None:
    pairs = [(name, value) for name, several in parameters.items() for value in several]
    assert parse_qsl(query_of(parameters), keep_blank_values=True, strict_parsing=bool(pairs)) == pairs


@given(st.dictionaries(any_text, any_text, max_size=4))
def test_single_values_and_lists_of_one_value_give_the_same_query(parameters: dict[str, str]) -> None:
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
def test_queries_of_unusual_parameters(parameters: Any, query: str) -> None:
    assert query_of(parameters) == query


@pytest.mark.parametrize("text", ["a+b", "a%20b", "%2B", "%", "a%26b%3Dc", "%E9", "é", "a/b?c", "'*~!"])
def test_encoded_parameters_are_not_encoded_again(text: str) -> None:
    assert query_of({text: [text, ""]}, encoded=True) == f"{native(text)}={native(text)}&{native(text)}="


# Headers


def is_cookie(name: str) -> bool:
    return native(name).lower() == "cookie"


def expected_pairs(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Native strings without nulls, with all cookies in the place of the first one."""
    expected: list[tuple[str, str]] = []
    cookies: list[str] = []
    for name, value in pairs:
        if value is not None and not is_cookie(name):
            expected.append((name, native(as_text(value))))
        elif value is not None:
            if not cookies:
                position = len(expected)
                expected.append((name, ""))
            cookies.append(native(as_text(value)))
            expected[position] = (expected[position][0], "; ".join(cookies))
    return expected


@given(st.dictionaries(names, values, max_size=6))
def test_headers_with_one_value_each_become_native_pairs(headers: dict[str, Any]) -> None:
    assert list(pairs_of(headers)) == expected_pairs(headers.items())


@given(st.dictionaries(names, values | st.lists(values, max_size=3), max_size=6))
def test_headers_with_lists_of_values_become_native_pairs(headers: dict[str, Any]) -> None:
    pairs = [
        (name, v) for name, several in headers.items() for v in (several if isinstance(several, list) else [several])
    ]
    assert list(pairs_of(flat(headers))) == expected_pairs(pairs)


@pytest.mark.parametrize("headers", [{}])
def test_without_headers_there_are_no_pairs(headers: Any) -> None:
    assert list(pairs_of(headers)) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "a=1", "cookie": "b=2"},
        {"Cookie": "a=1", "COOKIE": "b=2"},
        {"x": "é", "cookie": "a=1", "COOKIE": "b=2"},
    ],
)
def test_cookies_under_names_in_several_spellings_are_joined(headers: dict[str, str]) -> None:
    for pairs in (pairs_of(headers), pairs_of(flat({name: [value] for name, value in headers.items()}))):
        assert [value for name, value in pairs if is_cookie(name)] == ["a=1; b=2"]


def test_a_text_in_the_place_of_a_list_is_one_value() -> None:
    assert list(pairs_of(flat({"host": "example.com", "x": ["1"]}))) == [("host", "example.com"), ("x", "1")]
    assert list(pairs_of(flat({"x": ["1"], "n": None, "m": [None, "2"]}))) == [("x", "1"), ("m", "2")]


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({"x-a": "1"}, "1"),
        ({"X-A": "1"}, "1"),
        ({"X-a": "1"}, "1"),
        ({"x-A": ["1", "2"]}, "2"),
        ({"x-a": ["1", "2"]}, "2"),
        ({"x-a": [], "X-A": ["3"]}, "3"),
        ({"x-a": None, "X-A": "3"}, "3"),
        ({"x-a": None}, ""),
        ({"x-a": []}, ""),
        ({"x-a": [None]}, ""),
        ({"x-a": 7}, ""),
        ({"x_a": "1"}, ""),
        ({}, ""),
    ],
)
def test_a_header_is_found_in_any_spelling_and_has_its_last_value(headers: Any, value: str) -> None:
    assert header(headers, "x-a", "X-A") == value


# Bodies


@given(st.binary(max_size=60))
def test_a_base64_body_is_decoded(data: bytes) -> None:
    assert body_of(b64encode(data).decode(), is_base64=True) == data
    assert body_of(encodebytes(data).decode(), is_base64=True) == data


@given(any_text)
def test_a_text_body_becomes_its_utf_8_bytes(text: str) -> None:
    assert body_of(text, is_base64=False) == body_of(text, is_base64=None) == text.encode()


@pytest.mark.parametrize("is_base64", [True, False, None])
def test_a_missing_body_is_empty(is_base64: bool | None) -> None:
    assert body_of(None, is_base64) == body_of("", is_base64) == b""


@pytest.mark.parametrize(
    "body", ['{"a": 1}', "hello world", "grüße", "YQ", "YQ=", "YQ==YQ==", "=", "-_-_", "YWJj!YWJj", "a", "\x00"]
)
def test_a_body_that_is_marked_as_base64_and_is_not_is_an_error(body: str) -> None:
    with pytest.raises(EventError, match="isBase64Encoded set, but its body is not base64"):
        body_of(body, is_base64=True)


@pytest.mark.parametrize(("body", "kind"), [({"a": 1}, "dict"), ([1], "list"), (7, "int"), (True, "bool")])
def test_a_body_of_another_type_than_text_is_an_error_with_advice(body: Any, kind: str) -> None:
    with pytest.raises(EventError, match=f"body has the type {kind};.*write the body as a string"):
        body_of(body, is_base64=False)


# Addresses


@given(short_text, addresses)
def test_the_last_hop_is_the_client_whatever_precedes_it(before: str, address: IPv4Address | IPv6Address) -> None:
    assert last_hop(f"{before}, {address}") == last_hop(f"{before},{address}") == last_hop(str(address)) == str(address)


@given(addresses, st.integers(1, 65535))
def test_the_port_of_the_last_hop_is_removed(address: IPv4Address | IPv6Address, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    assert last_hop(f"{host}:{port}") == str(address)
    assert last_hop(f"192.0.2.66, {host}:{port}") == str(address)


@given(short_text)
def test_a_hop_has_only_characters_of_addresses(text: str) -> None:
    hop = last_hop(text)
    assert hop == "" or (hop in text and set(hop) <= set("0123456789abcdefABCDEF.:"))


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "203.0.113.7,",
        "203.0.113.7, ",
        "unknown",
        "203.0.113.7, unknown",
        "203.0.113.7, _hidden",
        "203.0.113.7, <script>",
        "203.0.113.7, évil.example",
        "203.0.113.7, 203\uff0e0\uff0e113\uff0e9",  # full-width dots
        "[",
        "[]",
        "[]:80",
        "deadbeef",
        "127",
    ],
)
def test_a_last_hop_that_is_no_address_is_empty(value: str) -> None:
    assert last_hop(value) == ""


def server(host: str = "", **headers: Any) -> tuple[str, str, str]:
    return server_of({"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}})


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("example.com", "example.com", "443"),
        ("example.com:8443", "example.com", "8443"),
        ("[::1]", "::1", "443"),
        ("[::1]:8000", "::1", "8000"),
        ("[2001:db8::7]:80", "2001:db8::7", "80"),
        ("2001:db8::7", "2001:db8::7", "443"),
        ("example.com:", "example.com", "443"),
        ("example.com:0", "lambda", "443"),
        ("example.com:65536", "lambda", "443"),
        ("example.com:99999999999999999999", "lambda", "443"),
        ("example.com:-1", "lambda", "443"),
        ("example.com:+80", "lambda", "443"),
        ("example.com:8a", "lambda", "443"),
        ("example.com: 80", "lambda", "443"),
        ("example.com:\u0668\u0660", "lambda", "443"),  # Arabic digits
        ("example.com:\xb2", "lambda", "443"),
        ("example.com:0443", "lambda", "443"),
        ("[::1", "lambda", "443"),
        ("[::1]junk", "lambda", "443"),
        (":8000", "lambda", "443"),
        ("", "lambda", "443"),
        (":", "lambda", "443"),
        ("münchen.example", "mÃ¼nchen.example", "443"),
    ],
)
def test_name_and_port_are_those_of_the_host_header(host: str, name: str, port: str) -> None:
    assert server(host) == ("https", name, port)


@pytest.mark.parametrize(
    ("proto", "scheme", "port"),
    [
        ("http", "http", "80"),
        ("https", "https", "443"),
        ("HTTP", "http", "80"),
        (" https ", "https", "443"),
        ("https, http", "http", "80"),
        ("http,https", "https", "443"),
        ("ftp", "https", "443"),
        ("javascript:alert(1)", "https", "443"),
        ("http\r\nX: y", "https", "443"),
        ("", "https", "443"),
        ("https,", "https", "443"),
    ],
)
def test_the_scheme_is_that_of_the_last_hop_if_it_is_http_or_https(proto: str, scheme: str, port: str) -> None:
    assert server("example.com", X_Forwarded_Proto=proto) == (scheme, "example.com", port)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "999999999", "80x", "8 0", "٨٠", "0080", "", ",", "http"])
def test_a_forwarded_port_that_is_no_port_is_ignored(port: str) -> None:
    assert server("example.com:8443", X_Forwarded_Port=port)[2] == "8443"
    assert server("example.com", X_Forwarded_Port=port)[2] == "443"


@pytest.mark.parametrize("port", ["1", "80", "65535", " 8080 ", "1, 8080", "x,8080"])
def test_the_last_of_several_forwarded_ports_is_the_front_door_s(port: str) -> None:
    assert server("example.com:9", X_Forwarded_Port=port)[2] == port.rpartition(",")[2].strip()


@given(short_text, short_text, short_text)
def test_any_headers_give_a_scheme_a_name_and_a_port(host: str, proto: str, forwarded_port: str) -> None:
    scheme, name, port = server(host, X_Forwarded_Proto=proto, X_Forwarded_Port=forwarded_port)
    assert scheme in ("http", "https")
    assert name
    assert 0 < int(port) < 65536
    assert port == str(int(port))
    name.encode("latin-1")


def test_the_front_door_s_own_name_and_scheme_replace_missing_headers() -> None:
    assert server_of({}, "abc.execute-api.eu-west-1.amazonaws.com") == (
        "https",
        "abc.execute-api.eu-west-1.amazonaws.com",
        "443",
    )
    assert server_of({}, "", "http") == ("http", "lambda", "80")


@pytest.mark.parametrize(
    ("authorizer", "user"),
    [
        (None, ""),
        ({}, ""),
        ("claims", ""),
        (["principalId"], ""),
        ({"principalId": None}, ""),
        ({"principalId": 7}, ""),
        ({"principalId": {"sub": "x"}}, ""),
        ({"principalId": "ada"}, "ada"),
        ({"principalId": "ada", "claims": {"sub": "other"}}, "ada"),
        ({"principalId": "", "claims": {"sub": "ada"}}, "ada"),
        ({"claims": None, "scopes": None}, ""),
        ({"claims": "sub"}, ""),
        ({"claims": {"sub": ["ada"]}}, ""),
        ({"jwt": None}, ""),
        ({"jwt": {}}, ""),
        ({"jwt": {"claims": None}}, ""),
        ({"jwt": {"claims": {"sub": "ada"}}}, "ada"),
        ({"iam": {"userId": "AIDA"}}, "AIDA"),
        ({"iam": None}, ""),
        ({"lambda": {"tier": "gold"}}, ""),
        ({"principalId": "jürgen"}, "jÃ¼rgen"),
    ],
)
def test_the_user_that_an_authorizer_names(authorizer: Any, user: str) -> None:
    assert principal(authorizer) == user
