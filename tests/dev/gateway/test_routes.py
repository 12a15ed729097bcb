"""Matching requests to the routes of REST and HTTP APIs."""

from __future__ import annotations

import pytest

from bridge.dev.gateway.routes import FunctionRoute, invalid_template_reason, match

# From https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html, and some more.
PETS = (
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "POST /pets",
    "ANY /{proxy+}",
    "$default",
)
BOTH = pytest.mark.parametrize("rest", [False, True], ids=["http-api", "rest-api"])


def matched(routes: tuple[str, ...], request: str, *, rest: bool = False) -> tuple[str, dict[str, str] | None] | None:
    """The route of a request such as ``"GET /path"``, and its variables, which are None for ``$default``."""
    method, _, path = request.partition(" ")
    result = match([route_from(text) for text in routes], method, path, rest=rest)
    if result is None:
        return None
    route, variables = result
    name = route.template if variables is None else f"{route.method} {route.template}"
    assert route.function == f"function of {name}"
    return name, None if variables is None else dict(variables.parameters)


def route_from(text: str) -> FunctionRoute:
    method, _, template = text.rpartition(" ")
    return FunctionRoute(method or "ANY", template, f"function of {text}")


@BOTH
@pytest.mark.parametrize(
    ("request_", "route", "variables"),
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
def test_fixed_segments_precede_variables_which_precede_greedy_ones(
    request_: str, route: str, variables: dict[str, str], rest: bool
) -> None:
    assert matched(PETS, request_, rest=rest) == (route, variables)


@pytest.mark.parametrize("request_", ["GET /pets", "PUT /pets/dog/1"])
def test_an_http_api_falls_through_to_a_route_with_the_method(request_: str) -> None:
    result = matched(PETS, request_)
    assert result is not None
    assert result[0] == "ANY /{proxy+}"
    assert matched(PETS, request_, rest=True) is None


def test_a_rest_api_selects_the_resource_before_the_method() -> None:
    routes = ("GET /pets", "ANY /{proxy+}", "$default")
    assert matched(routes, "POST /pets", rest=True) is None
    assert matched(routes, "POST /pets") == ("ANY /{proxy+}", {"proxy": "pets"})


def test_an_http_api_matches_a_full_route_before_a_more_specific_greedy_one() -> None:
    routes = ("GET /pets/{proxy+}", "GET /{kind}/list")
    assert matched(routes, "GET /pets/list") == ("GET /{kind}/list", {"kind": "pets"})
    assert matched(routes, "GET /pets/list", rest=True) == ("GET /pets/{proxy+}", {"proxy": "list"})


@BOTH
def test_the_method_precedes_any(rest: bool) -> None:
    routes = ("ANY /pets", "GET /pets")
    assert matched(routes, "GET /pets", rest=rest) == ("GET /pets", {})
    assert matched(routes, "PUT /pets", rest=rest) == ("ANY /pets", {})


def test_a_more_specific_path_with_any_precedes_the_method() -> None:
    assert matched(("GET /{proxy+}", "ANY /pets"), "GET /pets") == ("ANY /pets", {})


@BOTH
@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{proxy+}", "/"),
        ("/pets/{proxy+}", "/pets"),
        ("/pets/{proxy+}", "/pets/"),
        ("/pets/{id}", "/pets/"),
        ("/pets/{id}/name", "/pets//name"),
    ],
)
def test_a_variable_does_not_match_an_empty_segment(template: str, path: str, rest: bool) -> None:
    assert matched((f"GET {template}",), f"GET {path}", rest=rest) is None


@BOTH
@pytest.mark.parametrize(
    ("template", "path"),
    [("/pets", "/pets/1"), ("/pets/{id}", "/pets"), ("/pets/{id}", "/pets/1/2"), ("/pets", "/petsitters"), ("/", "/a")],
)
def test_a_route_matches_all_segments(template: str, path: str, rest: bool) -> None:
    assert matched((f"GET {template}",), f"GET {path}", rest=rest) is None


def test_the_root_is_not_matched_by_a_greedy_route() -> None:
    assert matched(("ANY /{proxy+}", "GET /"), "GET /") == ("GET /", {})


def test_the_default_route_of_an_http_api_takes_all_other_requests() -> None:
    assert matched(PETS, "GET /") == ("$default", None)
    assert matched(("GET /pets",), "GET /") is None


def test_a_route_may_have_several_variables() -> None:
    assert matched(("GET /{a}/x/{b}",), "GET /1/x/2") == ("GET /{a}/x/{b}", {"a": "1", "b": "2"})


@pytest.mark.parametrize(
    ("template", "segment"),
    [("/{b+}/c", "{b+}"), ("/a/{b+}/c", "{b+}"), ("/x/{y}.png", "{y}.png"), ("/e{id}", "e{id}"), ("/{a}{b}", "{a}{b}"),
     ("/{}", "{}"), ("/{a", "{a"), ("/a}", "a}"), ("/{a+b}", "{a+b}"), ("/{+}", "{+}")],
)  # fmt: skip
def test_templates_that_api_gateway_refuses_have_a_reason(template: str, segment: str) -> None:
    assert repr(segment) in str(invalid_template_reason(template))


@pytest.mark.parametrize(
    "template", ["/", "/a", "/{a}", "/{a}/b", "/a/{proxy+}", "/{a}/{b}", "/a.b-c_d/{x-y.z}", "/a:b"]
)
def test_templates_that_api_gateway_creates_have_none(template: str) -> None:
    assert invalid_template_reason(template) is None
