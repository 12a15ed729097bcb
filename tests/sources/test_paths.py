"""Paths: decoded exactly once by each source's own rule, their bytes kept, the stage and base path apart."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.events import load_event
from tests.sources.seen import asgi_of, environ_of, scope_of

# A path on the wire: RFC 3986's characters, any byte percent-encoded.
plain = st.text("abzAZ09-._~!$&'()*+,;=:@", max_size=4)
escaped = st.binary(max_size=3).map(lambda data: "".join(f"%{byte:02x}" for byte in data))
utf8_escaped = st.text(st.characters(codec="utf-8"), max_size=2).map(
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode())
)
wire_paths = st.lists(plain | escaped, max_size=5).map(lambda segments: "/" + "/".join(segments))
utf8_wire_paths = st.lists(plain | utf8_escaped, max_size=5).map(lambda segments: "/" + "/".join(segments))


def decoded_by_http_api(path: str) -> str:
    """What an HTTP API makes of a path: all is decoded but ``%25``."""
    return b"%25".join(unquote_to_bytes(part) for part in path.split("%25")).decode()


def asking(name: str, path: str) -> Any:
    """The event, had its client asked for *path*, written as its front door writes it."""
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


KEEPING = ["rest_api", "function_url", "alb", "alb_multi", "lattice_v1", "lattice_v2", "edge_viewer_request"]
PATHS = [
    "/",
    "/a",
    "/a/",
    "/a//b",
    "/a//",
    "//a",
    "///",
    "/a%2Fb",
    "/a%2fb",
    "/a%252Fb",
    "/a%2525b",
    "/100%25",
    "/%25",
    "/%2541",
    "/caf%C3%A9",
    "/a%20b+c",
    "/a;v=1/b,c",
    "/.",
    "/../etc",
    "/a/./b/../c",
    "/%2e%2e/",
    "/a%3Fb%23c",
    "/%00",
    "/a:b@c",
]
LATIN = ["/caf%E9", "/%ff%FE", "/%C3", "/%C3%A9%E9"]


@pytest.mark.parametrize("name", KEEPING)
def test_a_path_is_decoded_once_and_its_own_spelling_kept(name: str) -> None:
    root = "/prod" if name == "rest_api" else ""
    for path in PATHS + LATIN:
        environ = environ_of(asking(name, path))
        assert environ["SCRIPT_NAME"] == root
        assert environ["PATH_INFO"].encode("latin-1") == unquote_to_bytes(path)
        assert environ["RAW_URI"].partition("?")[0] == root + path

        scope = asgi_of(asking(name, path)).scope
        assert scope["path"] == root + unquote_to_bytes(path).decode("utf-8", "replace")
        assert scope["raw_path"] == (root + path).encode()


@pytest.mark.parametrize("path", [path for path in PATHS if "%3F" not in path])
def test_an_http_api_s_decoded_path_is_still_decoded_once(path: str) -> None:
    environ = environ_of(asking("http_api", path))
    assert environ["PATH_INFO"].encode("latin-1") == unquote_to_bytes(path)
    assert "RAW_URI" not in environ

    scope = asgi_of(asking("http_api", path)).scope
    assert scope["path"] == unquote_to_bytes(path).decode()
    assert scope["raw_path"] is None


@given(wire_paths)
@example("/%25%32%35")
def test_any_path_keeps_its_bytes_where_it_arrives_encoded(path: str) -> None:
    for name in KEEPING:
        scope = scope_of(asking(name, path))
        assert scope.path.encode("latin-1") == unquote_to_bytes(path)
        assert scope.raw_path == scope.root_path + path


@given(utf8_wire_paths)
def test_any_path_keeps_its_bytes_on_an_http_api(path: str) -> None:
    scope = scope_of(asking("http_api", path))
    assert scope.path.encode("latin-1") == unquote_to_bytes(path)


@pytest.mark.parametrize("path", ["/café", "/a b", "/日本", "/\x7f"])
@pytest.mark.parametrize("name", [*KEEPING, "http_api"])
def test_what_a_client_left_unencoded_arrives_too(name: str, path: str) -> None:
    environ = environ_of(asking(name, path))
    assert environ["PATH_INFO"].encode("latin-1") == path.encode()


def test_a_percent_sign_that_starts_no_escape_stays() -> None:
    for name in [*KEEPING, "http_api"]:
        event = asking(name, "/a")
        text = "/100%/%zz/%4"
        if name == "http_api":
            event["rawPath"] = text
        else:
            event = asking(name, text)
        assert environ_of(event)["PATH_INFO"] == text


def test_a_function_url_s_decoded_path_is_not_used() -> None:
    """Where ``http.path`` has lost a trailing slash or an encoded slash, ``rawPath`` has it."""
    event = load_event("function_url")
    event["rawPath"] = "/a%2Fb/"
    event["requestContext"]["http"]["path"] = "/a/b"
    assert environ_of(event)["RAW_URI"].startswith("/a%2Fb/?")

    event = load_event("http_api")
    event["rawPath"] = "/items/"
    event["requestContext"]["http"]["path"] = "/items"
    assert environ_of(event)["PATH_INFO"] == "/items/"


# Stages


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/dev", "/dev", "/"),
        ("/dev/", "/dev", "/"),
        ("/dev/items", "/dev", "/items"),
        ("/dev/dev/items", "/dev", "/dev/items"),
        ("/dev//items", "/dev", "//items"),
        ("/devices", "", "/devices"),
        ("/items", "", "/items"),
        ("/items/dev", "", "/items/dev"),
    ],
)
def test_an_http_api_s_stage_is_stripped_on_whole_segments_only(path: str, root: str, rest: str) -> None:
    event = load_event("http_api")
    event["requestContext"]["stage"] = "dev"
    event["rawPath"] = path
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (root, rest)

    scope = asgi_of(event).scope
    assert (scope["root_path"], scope["path"]) == (root, root + rest)


@pytest.mark.parametrize("name", ["http_api", "http_api_v1_default_stage", "function_url"])
def test_the_stage_default_is_in_no_url(name: str) -> None:
    assert load_event(name)["requestContext"]["stage"] == "$default"
    assert environ_of(load_event(name))["SCRIPT_NAME"] == ""


@pytest.mark.parametrize("name", ["rest_api", "http_api_stage", "http_api_v1", "rest_lambda_integration"])
def test_the_option_strip_stage_leaves_the_stage_out_of_the_root_path(name: str) -> None:
    shown = environ_of(load_event(name))
    hidden = environ_of(load_event(name), strip_stage=True)

    assert shown["SCRIPT_NAME"] in ("/prod", "/dev")
    assert hidden["SCRIPT_NAME"] == ""
    assert hidden["PATH_INFO"] == shown["PATH_INFO"]
    if "RAW_URI" in shown:
        assert shown["RAW_URI"] == shown["SCRIPT_NAME"] + hidden["RAW_URI"]


@pytest.mark.parametrize(
    ("path", "asked", "raw"),
    [
        ("/", "/prod", "/prod"),
        ("/", "/prod/", "/prod/"),
        ("/x", "/prod//x", "/prod//x"),
        ("/x/", "/prod/x/", "/prod/x/"),
        ("/prod/x", "/prod/prod/x", "/prod/prod/x"),
    ],
)
def test_a_rest_api_s_path_is_what_the_client_asked_for(path: str, asked: str, raw: str) -> None:
    event = load_event("rest_api")
    event["path"], event["requestContext"]["path"] = path, asked
    event["pathParameters"] = {"proxy": path.strip("/")} if path.strip("/") else None
    scope = scope_of(event)
    assert (scope.root_path, scope.path, scope.raw_path) == ("/prod", raw.removeprefix("/prod") or "/", raw)


# How a REST API behind a custom domain writes `path` and `requestContext.path`, for each kind of mapping.
@pytest.mark.parametrize(
    ("path", "resource", "parameters", "root", "rest"),
    [
        # mapped to a stage, with and without base path
        ("/items/7", "/items/{id}", {"id": "7"}, "", "/items/7"),
        ("/v1/items/7", "/items/{id}", {"id": "7"}, "/v1", "/items/7"),
        ("/v1/nested/items/7/", "/{proxy+}", {"proxy": "items/7"}, "/v1/nested", "/items/7/"),
        ("/v1", "/", None, "/v1", "/"),
        ("/v1/", "/", None, "/v1", "/"),
        # mapped to no stage: the client names it
        ("/prod/items/7", "/items/{id}", {"id": "7"}, "/prod", "/items/7"),
        ("/v1/prod/items/7", "/items/{id}", {"id": "7"}, "/v1/prod", "/items/7"),
        # what looks like a stage and is the application's own
        ("/prod/items", "/prod/items", None, "", "/prod/items"),
        ("/prod/items", "/{proxy+}", {"proxy": "prod/items"}, "", "/prod/items"),
        ("/production", "/{proxy+}", {"proxy": "production"}, "", "/production"),
        # encoded, and with double slashes
        ("/v1/a%2Fb", "/{proxy+}", {"proxy": "a%2Fb"}, "/v1", "/a/b"),
        ("/v1/a//b", "/{proxy+}", {"proxy": "a//b"}, "/v1", "/a//b"),
    ],
)
def test_a_custom_domain_s_base_path_is_the_root_path(
    path: str, resource: str, parameters: Any, root: str, rest: str
) -> None:
    event = load_event("rest_api_custom_domain")
    event.update(path=path, resource=resource, pathParameters=parameters)
    event["requestContext"].update(path=path, resourcePath=resource)
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["RAW_URI"]) == (root, rest, path)


def test_a_custom_domain_keeps_several_leading_slashes() -> None:
    event = load_event("rest_api_custom_domain")
    event.update(path="/x", pathParameters={"proxy": "x"})
    event["requestContext"]["path"] = "//x"
    assert environ_of(event)["PATH_INFO"] == "//x"


@pytest.mark.parametrize(
    ("path", "route", "parameters", "root", "rest"),
    [
        ("/shop/v1/items", "ANY /{proxy+}", {"proxy": "items"}, "/shop/v1", "/items"),
        ("/shop/items/7", "GET /items/{id}", {"id": "7"}, "/shop", "/items/7"),
        ("/shop/100%25", "GET /{proxy+}", {"proxy": "100%25"}, "/shop", "/100%"),
        ("/shop/100%25", "GET /{proxy+}", {"proxy": "100%"}, "/shop", "/100%"),
        ("/shop/ä b", "GET /{proxy+}", {"proxy": "%C3%A4%20b"}, "/shop", "/ä b"),
        ("/items", "GET /items", None, "", "/items"),
        ("/anything", "$default", None, "", "/anything"),
    ],
)
def test_an_http_api_s_mapping_is_the_root_path(path: str, route: str, parameters: Any, root: str, rest: str) -> None:
    event = load_event("http_api_custom_domain")
    event.update(rawPath=path, routeKey=route, pathParameters=parameters)
    environ = environ_of(event)
    assert environ["SCRIPT_NAME"] == root
    assert environ["PATH_INFO"].encode("latin-1").decode() == rest


@pytest.mark.parametrize(
    ("path", "asked", "resource", "root", "rest"),
    [
        ("/dev/a b", "/dev/a b", "/{proxy+}", "/dev", "/a b"),
        ("/dev/a b", "/dev/a b", "$default", "/dev", "/a b"),
        ("/dev/a b", "/a b", "$default", "/dev", "/a b"),
        ("/dev/a b", None, "$default", "/dev", "/a b"),
        ("/dev", "/dev", "$default", "/dev", "/"),
        ("/devices", "/devices", "$default", "", "/devices"),
    ],
)
def test_payload_1_0_has_the_stage_in_its_path(path: str, asked: str, resource: str, root: str, rest: str) -> None:
    event = load_event("http_api_v1")
    event.update(path=path, resource=resource, pathParameters={"proxy": "a b"} if resource[0] == "/" else None)
    event["requestContext"]["path"] = asked
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (root, rest)
    assert "RAW_URI" not in environ


@pytest.mark.parametrize("asked", [None, "", "/{proxy+}", "/prod/other"])
def test_without_a_useful_asked_path_only_aws_s_own_domain_shows_the_stage(asked: Any) -> None:
    event = load_event("rest_api")
    event["requestContext"]["path"] = asked
    assert environ_of(event)["SCRIPT_NAME"] == "/prod"
    assert environ_of(event, strip_stage=True)["SCRIPT_NAME"] == ""

    event["headers"]["Host"] = event["requestContext"]["domainName"] = "api.example.com"
    assert environ_of(event)["SCRIPT_NAME"] == ""


def test_a_balancer_s_amazon_name_has_no_stage() -> None:
    assert load_event("alb")["headers"]["host"].endswith(".elb.amazonaws.com")
    assert environ_of(load_event("alb"))["SCRIPT_NAME"] == ""


# Imitators


@pytest.mark.parametrize(("path", "resource"), [("/pets/5", "/"), ("/api/api", "/api"), ("/api", "/api")])
def test_kong_s_resource_says_nothing_of_a_base_path(path: str, resource: str) -> None:
    event = load_event("kong")
    event.update(path=path, resource=resource)
    event["requestContext"].update(path=path, resourcePath=path)
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", path)


def test_serverless_offline_has_its_stage_in_the_url_only() -> None:
    event = load_event("serverless_offline_http")
    assert event["requestContext"]["stage"] == "dev"
    assert environ_of(event)["PATH_INFO"] == "/pets/a b"


# The non-proxy integration


@pytest.mark.parametrize(
    ("route", "values", "path"),
    [
        ("/", {}, "/"),
        ("/pets/{id}", {"id": "7"}, "/pets/7"),
        ("/{a}/{b}", {"a": "{b}", "b": "x"}, "/{b}/x"),
        ("/{a}/{b}", {"b": "{a}", "a": "x"}, "/x/{a}"),
        ("/files/{path+}", {"path": "a/b%20c"}, "/files/a/b c"),
        ("/{id}", {"id": 7}, "/7"),
        ("/{id}", {}, "/{id}"),
        ("/{id}", None, "/{id}"),
        ("/caf%C3%A9", {}, "/café"),
    ],
)
def test_a_route_s_variables_are_filled_in_once(route: str, values: Any, path: str) -> None:
    event = load_event("rest_lambda_integration")
    event.update(requestPath=route, path=values)
    assert environ_of(event)["PATH_INFO"].encode("latin-1").decode() == path
