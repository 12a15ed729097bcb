"""Who asked, for which host: only what a front door wrote is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.request import Scope
from bridge.sources.address import header, last_hop, principal, set_server

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

addresses = st.ip_addresses()
anything = st.text(st.characters(codec="utf-8"), max_size=20)


def server_of(host: str = "", scheme: str = "https", **headers: Any) -> tuple[str, str, str]:
    scope = Scope("alb", {}, None, 0)
    set_server(scope, {name.replace("_", "-"): value for name, value in headers.items()}, host, scheme)
    return scope.scheme, scope.server_name, scope.server_port


# The last hop


@given(anything, addresses)
def test_the_last_hop_is_the_client_whatever_stands_before_it(lie: str, address: IPv4Address | IPv6Address) -> None:
    assert last_hop(f"{lie}, {address}") == last_hop(f"{lie},{address}") == last_hop(str(address)) == str(address)


@given(addresses, st.integers(1, 65535))
def test_the_port_that_a_balancer_may_add_comes_off(address: IPv4Address | IPv6Address, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    assert last_hop(f"{host}:{port}") == str(address)
    assert last_hop(f"192.0.2.66, {host}:{port}") == str(address)


@given(anything)
def test_what_is_no_address_is_none(text: str) -> None:
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
def test_a_hop_that_names_nobody_does_not_fall_back_on_the_client_s_own_word(value: str) -> None:
    assert last_hop(value) == ""


# Headers


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
def test_a_header_is_found_in_any_spelling_and_its_last_value_counts(headers: Any, value: str) -> None:
    assert header(headers, "x-a", "X-A") == value


# Scheme, server name and port


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
        ("example.com:0", "example.com", "443"),
        ("example.com:65536", "example.com", "443"),
        ("example.com:99999999999999999999", "example.com", "443"),
        ("example.com:-1", "example.com", "443"),
        ("example.com:+80", "example.com", "443"),
        ("example.com:8a", "example.com", "443"),
        ("example.com: 80", "example.com", "443"),
        ("example.com:\u0668\u0660", "example.com", "443"),  # Arabic digits
        ("example.com:\xb2", "example.com", "443"),
        ("example.com:0443", "example.com", "443"),
        ("[::1", "::1", "443"),
        ("[::1]junk", "::1", "443"),
        (":8000", "lambda", "8000"),
        ("", "lambda", "443"),
        (":", "lambda", "443"),
        ("münchen.example", "mÃ¼nchen.example", "443"),
    ],
)
def test_a_host_is_a_name_and_maybe_a_port(host: str, name: str, port: str) -> None:
    assert server_of(Host=host) == ("https", name, port)


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
def test_the_scheme_is_http_or_https_and_nothing_else(proto: str, scheme: str, port: str) -> None:
    assert server_of(Host="example.com", X_Forwarded_Proto=proto) == (scheme, "example.com", port)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "999999999", "80x", "8 0", "٨٠", "0080", "", ",", "http"])
def test_a_forwarded_port_that_is_none_is_passed_over(port: str) -> None:
    assert server_of(Host="example.com:8443", X_Forwarded_Port=port)[2] == "8443"
    assert server_of(Host="example.com", X_Forwarded_Port=port)[2] == "443"


@pytest.mark.parametrize("port", ["1", "80", "65535", " 8080 ", "1, 8080", "x,8080"])
def test_of_several_forwarded_ports_the_last_is_the_front_door_s(port: str) -> None:
    assert server_of(Host="example.com:9", X_Forwarded_Port=port)[2] == port.rpartition(",")[2].strip()


@given(anything, anything, anything)
def test_whatever_a_client_writes_there_is_a_scheme_a_name_and_a_port(host: str, proto: str, port: str) -> None:
    scheme, name, found = server_of(Host=host, X_Forwarded_Proto=proto, X_Forwarded_Port=port)
    assert scheme in ("http", "https")
    assert name
    assert 0 < int(found) < 65536
    assert found == str(int(found))
    name.encode("latin-1")


def test_the_front_door_s_own_name_and_scheme_stand_in_for_missing_headers() -> None:
    assert server_of("abc.execute-api.eu-west-1.amazonaws.com") == (
        "https",
        "abc.execute-api.eu-west-1.amazonaws.com",
        "443",
    )
    assert server_of("", "http") == ("http", "lambda", "80")


# The principal


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
def test_whom_an_authorizer_names(authorizer: Any, user: str) -> None:
    assert principal(authorizer) == user


@pytest.mark.parametrize(
    "host", ["shop.example", "shop.example:8443", "[2001:db8::1]:8443", "[abc]", "[10.0.0.1]8080", ""]
)
@pytest.mark.parametrize("port", ["443", "9", "odd"])
def test_what_is_remembered_of_a_host_changes_nothing(host: str, port: str, nothing_remembered: None) -> None:
    first = server_of(Host=host, X_Forwarded_Proto="https", X_Forwarded_Port=port)
    assert [server_of(Host=host, X_Forwarded_Proto="https", X_Forwarded_Port=port) for _ in range(2)] == [first] * 2
    server_of(Host=host, X_Forwarded_Proto="https", X_Forwarded_Port="443")
    assert server_of(Host=host, X_Forwarded_Proto="https", X_Forwarded_Port=port) == first
