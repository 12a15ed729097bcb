"""Paths: percent-decoding, and prefixes on whole segments."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.sources.parse import prefix_before_route, split_path, starts_with, unquote

any_text = st.text(st.characters(codec="utf-8"), max_size=40)
escapes = st.text(st.sampled_from("%%%0123456789abcdefABCDEFgG/ +?é€\x00"), max_size=30)
paths = st.lists(st.text(st.sampled_from("abp%2Fé.+ "), max_size=3), max_size=5).map(
    lambda segments: "/" + "/".join(segments)
)
prefixes = st.lists(st.text("abp", min_size=1, max_size=2), min_size=1, max_size=2).map(
    lambda segments: "/" + "/".join(segments)
)


def split(root: str, path: str, base_path: str = "") -> tuple[str, str]:
    """The decoded root path and path."""
    return split_path(root, path, base_path)[1:]


@given(any_text | escapes)
@example("%")
@example("%4")
@example("%zz%41")
@example("%%41%2541")
@example("%C3%A9é")
@example("%e9%FF%00")
def test_unquote_decodes_escapes_and_keeps_every_other_byte(text: str) -> None:
    assert unquote(text).encode("latin-1") == unquote_to_bytes(text)


@given(st.binary(max_size=40))
def test_unquote_decodes_any_bytes(data: bytes) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in data)
    assert unquote(encoded).encode("latin-1") == data


def test_unquote_decodes_once() -> None:
    assert unquote("/a%252Fb%2525") == "/a%2Fb%25"
    assert unquote("a+b") == "a+b"
    assert unquote("\ud83d") == "\xed\xa0\xbd"  # half a surrogate pair


@given(paths, prefixes)
@example("/production", "/prod")
@example("/prod", "/prod")
@example("/prod%2Fx", "/prod")
def test_a_prefix_has_whole_segments(path: str, prefix: str) -> None:
    segments = prefix.split("/")
    assert starts_with(path, prefix) == (path.split("/")[: len(segments)] == segments)


@given(prefixes | st.just(""), paths, prefixes | st.just(""))
def test_root_path_and_path_are_the_whole_path_decoded_once(root: str, path: str, base_path: str) -> None:
    raw_path, root_path, rest = split_path(root, path, base_path)

    whole = unquote_to_bytes(raw_path.encode("latin-1"))
    assert (root_path + rest).encode("latin-1") in (whole, whole + b"/")
    assert unquote_to_bytes(root + path) == whole
    assert rest.startswith("/")
    assert root_path == "" or root_path.startswith("/")


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/shop", "/shop", "/"),
        ("/shop/", "/shop", "/"),
        ("/shop//", "/shop", "//"),
        ("/shop/a", "/shop", "/a"),
        ("/shop/shop", "/shop", "/shop"),
        ("/shop/a%2Fb", "/shop", "/a/b"),
        ("/sh%6Fp/a", "/shop", "/a"),  # RFC 3986, 6.2.2.2: the same
        ("/shopping", "", "/shopping"),
        ("/shop%2Fa", "", "/shop/a"),
        ("/shop.html", "", "/shop.html"),
        ("/Shop/a", "", "/Shop/a"),
        ("//shop/a", "", "//shop/a"),
        ("/a/shop", "", "/a/shop"),
        ("/", "", "/"),
        ("", "", "/"),
    ],
)
def test_the_base_path_is_removed_on_whole_segments(path: str, root: str, rest: str) -> None:
    assert split("", path, "/shop") == (root, rest)


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/caf%C3%A9/men%C3%BC/a", "/café/menü", "/a"),
        ("/caf%c3%a9/menü", "/café/menü", "/"),
        ("/café/menü/a", "/café/menü", "/a"),
        ("/caf%C3%A9%2Fmen%C3%BC/a", "", "/café/menü/a"),
        ("/caf%C3%A9%2Fmen%C3%BC", "", "/café/menü"),
        ("/caf%C3%A9", "", "/café"),
        ("/caf%C3%A9s/menü", "", "/cafés/menü"),
    ],
)
def test_a_base_path_that_is_not_ascii_is_found_in_encoded_paths(path: str, root: str, rest: str) -> None:
    decoded = [text.encode("latin-1").decode() for text in split("", path, "/café/menü")]
    assert decoded == [root, rest]


@pytest.mark.parametrize(
    ("root", "path", "base", "expected"),
    [
        ("/prod", "/shop/a", "/shop", ("/prod/shop", "/a")),
        ("/prod", "/shop/a", "/prod/shop", ("/prod/shop", "/a")),
        ("/prod", "/shopping", "/shop", ("/prod", "/shopping")),
        ("/shop", "/a", "/shop", ("/shop", "/a")),
        ("/prod", "", "/shop", ("/prod", "/")),
        ("/prod", "/", "/prod", ("/prod", "/")),
        ("", "items", "", ("", "/items")),
        ("", "shop/a", "/shop", ("/shop", "/a")),
    ],
)
def test_the_base_path_may_include_the_root_of_the_source_or_follow_it(
    root: str, path: str, base: str, expected: tuple[str, str]
) -> None:
    assert split(root, path, base) == expected


@pytest.mark.parametrize(
    ("path", "template", "parameters", "root"),
    [
        # no prefix
        ("/", "/", None, ""),
        ("/pets", "/pets", None, ""),
        ("/pets/", "/pets", None, ""),
        ("/pets/7", "/pets/{id}", {"id": "7"}, ""),
        ("/a/b/c", "/{proxy+}", {"proxy": "a/b/c"}, ""),
        # a trailing slash is kept in the path, but not in the variable
        ("/shop/a/b/", "/{proxy+}", {"proxy": "a/b"}, "/shop"),
        ("/shop", "/", None, "/shop"),
        ("/shop/", "/", None, "/shop"),
        ("/shop/v1/pets/7", "/pets/{id}", {"id": "7"}, "/shop/v1"),
        # the base path is also a segment of the route, or of a value
        ("/pets/pets", "/pets", None, "/pets"),
        ("/pets/pets/7", "/pets/{id}", {"id": "7"}, "/pets"),
        ("/a/a/a", "/{proxy+}", {"proxy": "a/a"}, "/a"),
        # double slashes
        ("//a", "/{proxy+}", {"proxy": "a"}, ""),
        ("/shop//a//b", "/{proxy+}", {"proxy": "/a//b"}, "/shop"),
        # both are encoded, or one of them
        ("/shop/a%2Fb", "/{proxy+}", {"proxy": "a%2Fb"}, "/shop"),
        ("/shop/a b/ü", "/{proxy+}", {"proxy": "a%20b/%C3%BC"}, "/shop"),
        ("/shop/a%20b", "/{proxy+}", {"proxy": "a b"}, "/shop"),
        ("/shop/100%25", "/{proxy+}", {"proxy": "100%"}, "/shop"),
        # not on whole segments
        ("/shop%2Forders", "/orders", None, None),
        ("/workshop", "/shop", None, None),
        # the route does not fit the path
        ("/shop/x", "/pets", None, None),
        ("/shop/x", "/{proxy+}", {}, None),
        ("/shop/x", "/{proxy+}", None, None),
        ("/shop/x", "/{proxy+}", {"proxy": None}, None),
        ("/shop/x", "$default", None, None),
        ("/shop/x", "", None, None),
    ],
)
def test_the_prefix_before_a_route(path: str, template: str, parameters: Any, root: str | None) -> None:
    assert prefix_before_route(path, template, parameters) == root


@given(prefixes | st.just(""), st.lists(st.text("ab%20é", min_size=1), min_size=1, max_size=4), st.booleans())
def test_a_prefix_is_found_before_any_greedy_variable(base: str, segments: list[str], slash: bool) -> None:
    value = "/".join(segments)
    path = f"{base}/{value}" + ("/" if slash else "")
    assert prefix_before_route(path, "/{proxy+}", {"proxy": value}) == base
