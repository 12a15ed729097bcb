"""Stage, base path and option come off a path on whole segments only, and end in the root path."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.request import Scope
from bridge.settings import Settings
from bridge.sources.prefix import before_route, starts_with
from tests.events import load_event
from tests.sources.seen import asgi_of, environ_of, scope_of

segment = st.text(st.sampled_from("abp%2Fé.+ "), max_size=3)
paths = st.lists(segment, max_size=5).map(lambda segments: "/" + "/".join(segments))
prefixes = st.lists(st.text("abp", min_size=1, max_size=2), min_size=1, max_size=2).map(
    lambda segments: "/" + "/".join(segments)
)


def placed(root: str, path: str, base_path: str = "", *, raw: bool = True) -> tuple[str, str, str | None]:
    scope = Scope("alb", {}, None, 0)
    scope.set_path(root, path, Settings({"base_path": base_path or None}, environ={}), raw=raw)
    return scope.root_path, scope.path, scope.raw_path


@given(paths, prefixes)
@example("/production", "/prod")
@example("/prod", "/prod")
@example("/prod%2Fx", "/prod")
def test_a_prefix_is_a_number_of_whole_segments(path: str, prefix: str) -> None:
    segments = prefix.split("/")
    assert starts_with(path, prefix) == (path.split("/")[: len(segments)] == segments)


@given(prefixes | st.just(""), paths, prefixes | st.just(""))
def test_root_path_and_path_together_are_the_whole_path_decoded_once(root: str, path: str, base: str) -> None:
    root_path, rest, raw_path = placed(root, path, base)

    assert raw_path is not None
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
def test_the_option_base_path_comes_off_whole_segments(path: str, root: str, rest: str) -> None:
    assert placed("", path, "/shop")[:2] == (root, rest)


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
def test_a_base_path_with_letters_that_urls_encode_is_found_in_encoded_paths(path: str, root: str, rest: str) -> None:
    found_root, found_rest, _ = placed("", path, "/café/menü")
    assert (found_root.encode("latin-1").decode(), found_rest.encode("latin-1").decode()) == (root, rest)


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
    ],
)
def test_the_option_goes_with_what_the_source_itself_put_before_the_path(
    root: str, path: str, base: str, expected: tuple[str, str]
) -> None:
    assert placed(root, path, base)[:2] == expected


def test_a_decoded_path_has_no_raw_path() -> None:
    assert placed("/dev", "/a b", raw=False) == ("/dev", "/a b", None)


@pytest.mark.parametrize(
    "name", ["alb", "alb_multi", "lattice_v2", "function_url", "edge_viewer_request", "scaleway", "http_api"]
)
def test_every_source_honours_the_base_path(name: str) -> None:
    event = load_event(name)
    base = "/upload" if name == "alb_multi" else "/pets"
    before = scope_of(event)
    environ = environ_of(event, base_path=base)
    seen = asgi_of(event, base_path=base)

    assert environ["SCRIPT_NAME"] == base
    assert base + environ["PATH_INFO"] in (before.path, before.path + "/")
    assert seen.scope["root_path"] == base
    assert seen.scope["path"].encode() in (before.path.encode("latin-1"), before.path.encode("latin-1") + b"/")
    assert environ.get("RAW_URI", "").partition("?")[0] == (before.raw_path or "")


@pytest.mark.parametrize(
    ("path", "template", "parameters", "root"),
    [
        # without anything before the route
        ("/", "/", None, ""),
        ("/pets", "/pets", None, ""),
        ("/pets/", "/pets", None, ""),
        ("/pets/7", "/pets/{id}", {"id": "7"}, ""),
        ("/a/b/c", "/{proxy+}", {"proxy": "a/b/c"}, ""),
        # trailing slash: kept in the path, not in the variable
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
        # encoded on both sides, or on one
        ("/shop/a%2Fb", "/{proxy+}", {"proxy": "a%2Fb"}, "/shop"),
        ("/shop/a b/ü", "/{proxy+}", {"proxy": "a%20b/%C3%BC"}, "/shop"),
        ("/shop/a%20b", "/{proxy+}", {"proxy": "a b"}, "/shop"),
        ("/shop/100%25", "/{proxy+}", {"proxy": "100%"}, "/shop"),
        # not on whole segments
        ("/shop%2Forders", "/orders", None, None),
        ("/workshop", "/shop", None, None),
        # what explains nothing
        ("/shop/x", "/pets", None, None),
        ("/shop/x", "/{proxy+}", {}, None),
        ("/shop/x", "/{proxy+}", None, None),
        ("/shop/x", "/{proxy+}", {"proxy": None}, None),
        ("/shop/x", "$default", None, None),
        ("/shop/x", "", None, None),
    ],
)
def test_what_lies_before_a_route(path: str, template: str, parameters: Any, root: str | None) -> None:
    assert before_route(path, template, parameters) == root


@given(prefixes | st.just(""), st.lists(st.text("ab%20é", min_size=1), min_size=1, max_size=4), st.booleans())
def test_a_base_path_is_found_before_any_greedy_value(base: str, segments: list[str], slash: bool) -> None:
    value = "/".join(segments)
    path = f"{base}/{value}" + ("/" if slash else "")
    assert before_route(path, "/{proxy+}", {"proxy": value}) == base
