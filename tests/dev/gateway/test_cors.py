"""CORS preflights and headers of HTTP APIs, REST APIs and function URLs."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway import Answer, Request
from bridge.dev.gateway.cors import Cors, FunctionUrlCors, add_headers, options_answer, preflight_answer
from bridge.dev.gateway.gateway import Gateway
from bridge.dev.gateway.routes import FunctionRoute
from tests.dev.gateway.asgi_client import send_request

SHOP = "https://shop.example.com"
CORS = Cors(
    (SHOP, "https://*.example.org"),
    ("GET", "POST"),
    ("Content-Type",),
    ("x-colour",),
    credentials=True,
    max_age=600,
)
URL_CORS = FunctionUrlCors((SHOP,), ("GET", "POST"), ("Content-Type",), ("x-colour",), credentials=True, max_age=600)
PREFLIGHT_HEADERS = {
    "allow-origin": SHOP,
    "allow-credentials": "true",
    "allow-methods": "GET,POST",
    "allow-headers": "Content-Type",
    "max-age": "600",
}


def request_from(origin: str, method: str = "GET") -> Request:
    return Request(method, headers=[("Origin", origin)] if origin else [])


def preflight_from(origin: str = SHOP) -> Request:
    return Request("OPTIONS", headers=[("Origin", origin), ("Access-Control-Request-Method", "POST")])


def cors_headers(answer: Answer | None) -> dict[str, str]:
    assert answer is not None
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in answer.headers if name.startswith(prefix)}


def test_an_http_api_answers_a_preflight_with_its_configuration() -> None:
    answer = preflight_answer(CORS, preflight_from())
    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")
    assert cors_headers(answer) == PREFLIGHT_HEADERS


def test_any_origin_is_a_star_and_an_empty_configuration_sends_nothing_else() -> None:
    assert cors_headers(preflight_answer(Cors(), preflight_from())) == {"allow-origin": "*"}


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://a.example.org", True),
        ("http://a.example.org", False),
        ("https://shop.example.com.evil.example", False),
        ("https://shopxexample.com", False),
    ],
)
def test_an_origin_must_match_as_a_whole(origin: str, is_allowed: bool) -> None:
    for answer in (
        preflight_answer(CORS, preflight_from(origin)),
        add_headers(CORS, request_from(origin), Answer(200)),
    ):
        assert cors_headers(answer).get("allow-origin") == (origin if is_allowed else None)
        assert bool(cors_headers(answer)) == is_allowed


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", headers=[("Origin", SHOP), ("Access-Control-Request-Method", "POST")]),
        Request("OPTIONS", headers=[("Access-Control-Request-Method", "POST")]),
        Request("OPTIONS", headers=[("Origin", SHOP)]),
    ],
    ids=["another method", "no origin", "no requested method"],
)
def test_a_request_that_is_not_a_preflight_gets_no_preflight_answer(request_: Request) -> None:
    assert preflight_answer(CORS, request_) is None


def test_an_http_api_replaces_the_functions_cors_headers() -> None:
    function_answer = Answer(201, [("access-control-allow-origin", "null"), ("x-colour", "red")], b"tea")
    answer = add_headers(CORS, request_from(SHOP), function_answer)
    assert (answer.status, answer.body, answer.header("x-colour")) == (201, b"tea", "red")
    assert cors_headers(answer) == {"allow-origin": SHOP, "allow-credentials": "true", "expose-headers": "x-colour"}
    assert cors_headers(add_headers(CORS, request_from(""), function_answer)) == {}


def test_a_rest_api_answers_options_from_a_mock_integration() -> None:
    answer = options_answer(CORS, preflight_from())
    assert (answer.status, answer.body) == (200, b"")
    assert cors_headers(answer) == PREFLIGHT_HEADERS


@pytest.mark.parametrize(
    ("cors", "origin", "allowed"),
    [
        (CORS, "https://b.example.org", "https://b.example.org"),
        (CORS, "https://evil.example", SHOP),
        (CORS, "", SHOP),
        (Cors(), SHOP, "*"),
    ],
)
def test_a_mock_integration_allows_its_first_origin_unless_another_one_matches(
    cors: Cors, origin: str, allowed: str
) -> None:
    assert cors_headers(options_answer(cors, request_from(origin, "OPTIONS")))["allow-origin"] == allowed


def handler(event: Any, context: Any) -> Any:
    headers = {"access-control-allow-origin": "https://of-the-function.example"}
    return {"statusCode": 200, "headers": headers, "body": "the function's"}


ASGI_PREFLIGHT = [(b"origin", SHOP.encode()), (b"access-control-request-method", b"GET")]


async def test_behind_an_http_api_a_route_for_the_method_takes_a_preflight() -> None:
    routes = [FunctionRoute("GET", "/dogs", "bridge"), FunctionRoute("ANY", "/cats", "bridge")]
    gateway = Gateway({"bridge": handler}, routes=routes, cors=CORS)
    for path, status, body in (("/dogs", 204, b""), ("/nowhere", 204, b""), ("/cats", 200, b"the function's")):
        response = await send_request(gateway, path, "OPTIONS", headers=ASGI_PREFLIGHT)
        assert (response.status, response.body) == (status, body)
        assert response.values("access-control-allow-origin") == [SHOP.encode()]
        assert response.values("access-control-allow-methods") == [b"GET,POST"]
    response = await send_request(gateway, "/nowhere", "OPTIONS")
    assert (response.status, response.values("access-control-allow-origin")) == (404, [])
    response = await send_request(gateway, "/dogs", headers=ASGI_PREFLIGHT[:1])
    assert response.values("access-control-allow-origin") == [SHOP.encode()]


async def test_behind_a_rest_api_the_function_sends_the_cors_headers_of_other_answers() -> None:
    routes = [FunctionRoute("ANY", "/dogs", "bridge"), FunctionRoute("OPTIONS", "/dogs", "bridge", CORS)]
    gateway = Gateway({"bridge": handler}, "rest-api", routes=routes)
    response = await send_request(gateway, "/dogs", "OPTIONS", headers=ASGI_PREFLIGHT)
    assert (response.status, response.body, response.values("content-length")) == (200, b"", [b"0"])
    assert response.values("access-control-allow-origin") == [SHOP.encode()]
    response = await send_request(gateway, "/dogs", headers=ASGI_PREFLIGHT)
    assert response.values("access-control-allow-origin") == [b"https://of-the-function.example"]


def test_a_function_url_answers_a_preflight_with_its_configuration() -> None:
    answer = options_answer(URL_CORS, preflight_from())
    assert (answer.status, answer.body) == (200, b"")
    assert cors_headers(answer) == PREFLIGHT_HEADERS
    assert cors_headers(options_answer(URL_CORS, preflight_from("https://evil.example"))) == {}


def test_a_function_url_that_allows_any_origin_sends_that_of_the_request() -> None:
    answer = add_headers(FunctionUrlCors(("*",)), request_from(SHOP), Answer(200))
    assert cors_headers(answer) == {"allow-origin": SHOP}
    assert answer.note == ""


def test_a_function_url_has_no_wildcards_within_origins() -> None:
    cors = FunctionUrlCors(("https://*.example.org",))
    assert cors_headers(add_headers(cors, request_from("https://a.example.org"), Answer(200))) == {}


def test_a_function_url_adds_its_headers_to_the_functions_own_and_notes_a_second_origin() -> None:
    function_answer = Answer(201, [("access-control-allow-origin", "*"), ("x-colour", "red")], b"tea")
    answer = add_headers(URL_CORS, request_from(SHOP), function_answer)
    assert (answer.status, answer.body, answer.header("x-colour")) == (201, b"tea", "red")
    assert [value for name, value in answer.headers if name == "access-control-allow-origin"] == ["*", SHOP]
    assert cors_headers(answer)["expose-headers"] == "x-colour"
    assert "second access-control-allow-origin" in answer.note
    assert add_headers(URL_CORS, request_from(""), function_answer).headers == function_answer.headers


async def test_behind_a_function_url_other_options_requests_reach_the_function() -> None:
    cors = FunctionUrlCors(("*",), ("GET",))
    gateway = Gateway(lambda event, context: {"statusCode": 203}, "function-url", cors=cors)
    response = await send_request(gateway, "/", "OPTIONS", headers=ASGI_PREFLIGHT)
    assert (response.status, response.values("access-control-allow-methods")) == (200, [b"GET"])
    assert (await send_request(gateway, "/", "OPTIONS")).status == 203
