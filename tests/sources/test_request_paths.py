"""Paths in events of every source: decoded exactly once by the source's rule, with every byte kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.events import load_event
from tests.sources.received import asgi_request, environ_of, scope_of

# Paths as clients send them: the characters of RFC 3986, with any byte percent-encoded.
plain = st.text("abzAZ09-._~!$&'()*+,;=:@", max_size=4)
escaped = st.binary(max_size=3).map(lambda data: "".join(f"%{byte:02x}" for byte in data))
utf8_escaped = st.text(st.characters(codec="utf-8"), max_size=2).map(
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode())
)
wire_paths = st.lists(plain | escaped, max_size=5).map(lambda segments: "/" + "/".join(segments))
utf8_wire_paths = st.lists(plain | utf8_escaped, max_size=5).map(lambda segments: "/" + "/".join(segments))


def decoded_by_http_api(path: str) -> str:
    """The path as an HTTP API passes it: decoded, but for ``%25``."""
    return b"%25".join(unquote_to_bytes(part) for part in path.split("%25")).decode()


def with_path(name: str, path: str) -> Any:
    """The event of a request for *path*, as its front door writes it."""
    event = load_event(name)
    match name:
        case "rest_api":
            event["path"] = "/" + path.lstrip("/")
            event["pathParameters"] = {"proxy": path.strip("/")}
            event["requestContext"]["path"] = "/prod" + path
        case "http_api":
            event["rawPath"] = event["requestContext"]["http"]["path"] = decoded_by_http_api(path)
        case "function_url":
            event["rawPath"] = path
            event["requestContext"]["http"]["path"] = unquote_to_bytes(path).decode("utf-8", "replace")
        case "alb" | "alb_multi":
            event["path"] = path
        case "lattice_v1":
            event["raw_path"] = path + "?a=1"
        case "lattice_v2":
            event["path"] = path + "?a=1"
        case "edge_viewer_request":
            event["Records"][0]["cf"]["request"]["uri"] = path
    return event


# Events that have the path as the client spelled it.
ENCODED = ["rest_api", "function_url", "alb", "alb_multi", "lattice_v1", "lattice_v2", "edge_viewer_request"]

PATHS = [
    "/", "/a", "/a/", "/a//b", "/a//", "//a", "///", "/a%2Fb", "/a%2fb", "/a%252Fb", "/a%2525b", "/100%25", "/%25",
    "/%2541", "/caf%C3%A9", "/a%20b+c", "/a;v=1/b,c", "/.", "/../etc", "/a/./b/../c", "/%2e%2e/", "/a%3Fb%23c", "/%00",
    "/a:b@c",
]  # fmt: skip

NOT_UTF8 = ["/caf%E9", "/%ff%FE", "/%C3", "/%C3%A9%E9"]


@pytest.mark.parametrize("name", ENCODED)
def test_a_path_is_decoded_once_and_kept_as_the_client_spelled_it(name: str) -> None:
    root = "/prod" if name == "rest_api" else ""
    for path in PATHS + NOT_UTF8:
        environ = environ_of(with_path(name, path))
        assert environ["SCRIPT_NAME"] == root
        assert environ["PATH_INFO"].encode("latin-1") == unquote_to_bytes(path)
        assert environ["RAW_URI"].partition("?")[0] == root + path

        scope = asgi_request(with_path(name, path)).scope
        assert scope["path"] == root + unquote_to_bytes(path).decode("utf-8", "replace")
        assert scope["raw_path"] == (root + path).encode()


@pytest.mark.parametrize("path", [path for path in PATHS if "%3F" not in path])
def test_the_path_of_an_http_api_is_decoded_once_in_all(path: str) -> None:
    environ = environ_of(with_path("http_api", path))
    assert environ["PATH_INFO"].encode("latin-1") == unquote_to_bytes(path)
    assert "RAW_URI" not in environ

    scope = asgi_request(with_path("http_api", path)).scope
    assert scope["path"] == unquote_to_bytes(path).decode()
    assert unquote_to_bytes(scope["raw_path"]) == unquote_to_bytes(path)


@given(wire_paths)
@example("/%25%32%35")
def test_every_byte_of_an_encoded_path_is_kept(path: str) -> None:
    for name in ENCODED:
        scope = scope_of(with_path(name, path))
        assert scope.path.encode("latin-1") == unquote_to_bytes(path)
        assert scope.raw_path == scope.root_path + path


@given(utf8_wire_paths)
def test_every_byte_of_a_path_of_an_http_api_is_kept(path: str) -> None:
    scope = scope_of(with_path("http_api", path))
    assert scope.path.encode("latin-1") == unquote_to_bytes(path)


@pytest.mark.parametrize("path", ["/café", "/a b", "/日本", "/\x7f"])
@pytest.mark.parametrize("name", [*ENCODED, "http_api"])
def test_characters_that_the_client_did_not_encode_are_kept(name: str, path: str) -> None:
    environ = environ_of(with_path(name, path))
    assert environ["PATH_INFO"].encode("latin-1") == path.encode()


def test_a_percent_sign_without_two_hex_digits_is_kept() -> None:
    path = "/100%/%zz/%4"
    for name in ENCODED:
        assert environ_of(with_path(name, path))["PATH_INFO"] == path
    assert environ_of(load_event("http_api") | {"rawPath": path})["PATH_INFO"] == path


@pytest.mark.parametrize(
    "name", ["alb", "alb_multi", "lattice_v2", "function_url", "edge_viewer_request", "scaleway", "http_api"]
)
def test_the_base_path_is_the_root_path(name: str) -> None:
    event = load_event(name)
    base = "/upload" if name == "alb_multi" else "/pets"
    before = scope_of(event)
    environ = environ_of(event, base_path=base)
    request = asgi_request(event, base_path=base)

    assert environ["SCRIPT_NAME"] == base
    assert base + environ["PATH_INFO"] in (before.path, before.path + "/")
    assert request.scope["root_path"] == base
    assert request.scope["path"].encode() in (before.path.encode("latin-1"), before.path.encode("latin-1") + b"/")
    assert environ.get("RAW_URI", "").partition("?")[0] == (before.raw_path or "")


@pytest.mark.parametrize("name", ["http_api", "http_api_v1_default_stage", "function_url"])
def test_the_stage_default_is_not_in_the_root_path(name: str) -> None:
    assert load_event(name)["requestContext"]["stage"] == "$default"
    assert environ_of(load_event(name))["SCRIPT_NAME"] == ""


@pytest.mark.parametrize("name", ["rest_api", "http_api_stage", "http_api_v1", "rest_lambda_integration"])
def test_strip_stage_leaves_the_stage_out_of_the_root_path(name: str) -> None:
    default = environ_of(load_event(name))
    stripped = environ_of(load_event(name), strip_stage=True)

    assert default["SCRIPT_NAME"] in ("/prod", "/dev")
    assert stripped["SCRIPT_NAME"] == ""
    assert stripped["PATH_INFO"] == default["PATH_INFO"]
    if "RAW_URI" in default:
        assert default["RAW_URI"] == default["SCRIPT_NAME"] + stripped["RAW_URI"]
