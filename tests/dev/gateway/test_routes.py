"""Requests are matched to routes as API Gateway matches them."""

from __future__ import annotations

import pytest

from bridge.dev.gateway.routes import FunctionRoute, match

# The example in API Gateway's developer guide, "Create routes for HTTP APIs", and a few routes more.
PETS = (
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "POST /pets",
    "ANY /{proxy+}",
    "$default",
)


def found(routes: tuple[str, ...], asked: str, *, rest: bool = False) -> tuple[str, dict[str, str] | None] | None:
    """The route that takes ``"GET /path"`` and its variables; None for those of ``$default``."""
    method, _, path = asked.partition(" ")
    taken = match([route_of(text) for text in routes], method, path, rest=rest)
    if taken is None:
        return None
    route, matched = taken
    assert route.function == "function of " + (
        route.template if matched is None else f"{route.method} {route.template}"
    )
    return route.function.removeprefix("function of "), None if matched is None else dict(matched.parameters)


def route_of(text: str) -> FunctionRoute:
    method, _, template = text.rpartition(" ")
    return FunctionRoute(method or "ANY", template, f"function of {text}")


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize(
    ("asked", "route", "variables"),
    [
        ("GET /pets/dog/1", "GET /pets/dog/1", {}),
        ("GET /pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET /pets/dog/a%2Fb", "GET /pets/dog/{id}", {"id": "a%2Fb"}),
        ("GET /pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("GET /pets/dog/1/tail", "GET /pets/{proxy+}", {"proxy": "dog/1/tail"}),
        ("POST /pets", "POST /pets", {}),
        ("POST /pets/", "POST /pets", {}),
        ("DELETE /shop/1/", "ANY /{proxy+}", {"proxy": "shop/1"}),
    ],
)
def test_static_beats_variable_beats_greedy(asked: str, route: str, variables: dict[str, str], rest: bool) -> None:
    assert found(PETS, asked, rest=rest) == (route, variables)


@pytest.mark.parametrize(("asked", "route"), [("GET /pets", "ANY /{proxy+}"), ("PUT /pets/dog/1", "ANY /{proxy+}")])
def test_an_http_api_falls_through_to_a_route_that_has_the_method(asked: str, route: str) -> None:
    taken = found(PETS, asked)
    assert taken is not None
    assert taken[0] == route
    assert found(PETS, asked, rest=True) is None


def test_a_rest_api_picks_the_resource_before_the_method() -> None:
    routes = ("GET /pets", "ANY /{proxy+}", "$default")
    assert found(routes, "POST /pets", rest=True) is None
    assert found(routes, "POST /pets") == ("ANY /{proxy+}", {"proxy": "pets"})


def test_an_http_api_takes_a_full_match_before_a_greedy_one_that_is_closer() -> None:
    routes = ("GET /pets/{proxy+}", "GET /{kind}/list")
    assert found(routes, "GET /pets/list") == ("GET /{kind}/list", {"kind": "pets"})
    assert found(routes, "GET /pets/list", rest=True) == ("GET /pets/{proxy+}", {"proxy": "list"})


def test_the_method_itself_beats_any() -> None:
    routes = ("ANY /pets", "GET /pets")
    for rest in (False, True):
        assert found(routes, "GET /pets", rest=rest) == ("GET /pets", {})
        assert found(routes, "PUT /pets", rest=rest) == ("ANY /pets", {})


def test_a_closer_path_with_any_beats_the_method_itself() -> None:
    assert found(("GET /{proxy+}", "ANY /pets"), "GET /pets") == ("ANY /pets", {})


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("/{proxy+}", "/"),
        ("/pets/{proxy+}", "/pets"),
        ("/pets/{proxy+}", "/pets/"),
        ("/pets/{id}", "/pets/"),
        ("/pets/{id}/name", "/pets//name"),
    ],
)
def test_a_variable_never_matches_nothing(template: str, asked: str, rest: bool) -> None:
    assert found((f"GET {template}",), f"GET {asked}", rest=rest) is None


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize(
    ("template", "asked"),
    [("/pets", "/pets/1"), ("/pets/{id}", "/pets"), ("/pets/{id}", "/pets/1/2"), ("/pets", "/petsitters"), ("/", "/a")],
)
def test_a_route_matches_all_segments(template: str, asked: str, rest: bool) -> None:
    assert found((f"GET {template}",), f"GET {asked}", rest=rest) is None


def test_the_root_is_a_route_of_its_own() -> None:
    assert found(("ANY /{proxy+}", "GET /"), "GET /") == ("GET /", {})


def test_the_default_route_takes_the_rest_of_an_http_api() -> None:
    assert found(PETS, "GET /") == ("$default", None)
    assert found(("GET /pets",), "GET /") is None


def test_several_variables() -> None:
    assert found(("GET /{a}/x/{b}",), "GET /1/x/2") == ("GET /{a}/x/{b}", {"a": "1", "b": "2"})
