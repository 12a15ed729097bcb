"""What API Gateway does for pages of other origins."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.gateway import Answer, Request
from bridge.dev.gateway.cors import Cors, FunctionUrlCors, add, mock, preflight
from bridge.dev.gateway.gateway import Gateway
from bridge.dev.gateway.routes import FunctionRoute
from tests.dev.gateway.test_gateway import ask

RULES = Cors(
    ("https://shop.example.com", "https://*.example.org"),
    ("GET", "POST"),
    ("Content-Type",),
    ("x-colour",),
    credentials=True,
    max_age=600,
)
OURS = "https://shop.example.com"


def request(method: str = "OPTIONS", origin: str = OURS, *, asks: bool = True) -> Request:
    headers = [("Origin", origin)] if origin else []
    return Request(method, headers=headers + ([("Access-Control-Request-Method", "POST")] if asks else []))


def cors_of(answer: Answer | None) -> dict[str, str]:
    assert answer is not None
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in answer.headers if name.startswith(prefix)}


def test_an_http_api_answers_a_preflight_with_what_it_was_told() -> None:
    answer = preflight(RULES, request())
    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")
    assert cors_of(answer) == {
        "allow-origin": OURS,
        "allow-credentials": "true",
        "allow-methods": "GET,POST",
        "allow-headers": "Content-Type",
        "max-age": "600",
    }


def test_any_origin_is_a_star_and_what_is_not_said_is_not_sent() -> None:
    assert cors_of(preflight(Cors(), request())) == {"allow-origin": "*"}


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://a.example.org", True),
        ("http://a.example.org", False),
        ("https://shop.example.com.evil.example", False),
        ("https://shopxexample.com", False),
    ],
)
def test_other_origins_get_no_headers(origin: str, is_allowed: bool) -> None:
    for answer in (preflight(RULES, request(origin=origin)), add(RULES, request("GET", origin), Answer(200))):
        assert cors_of(answer).get("allow-origin") == (origin if is_allowed else None)
        assert bool(cors_of(answer)) == is_allowed


@pytest.mark.parametrize(
    "other", [request("GET"), request(origin=""), request(asks=False)], ids=["method", "origin", "request-method"]
)
def test_what_is_no_preflight_is_a_request_as_any_other(other: Request) -> None:
    assert preflight(RULES, other) is None


def test_an_http_api_ignores_what_the_function_says_of_cors() -> None:
    said = Answer(201, [("access-control-allow-origin", "null"), ("x-colour", "red")], b"tea")
    answer = add(RULES, request("GET", asks=False), said)
    assert (answer.status, answer.body, answer.header("x-colour")) == (201, b"tea", "red")
    assert cors_of(answer) == {"allow-origin": OURS, "allow-credentials": "true", "expose-headers": "x-colour"}
    assert cors_of(add(RULES, request("GET", origin=""), said)) == {}


def test_a_rest_api_answers_a_preflight_from_a_mock_integration() -> None:
    answer = mock(RULES, request())
    assert (answer.status, answer.body) == (200, b"")
    assert cors_of(answer) == {
        "allow-origin": OURS,
        "allow-credentials": "true",
        "allow-methods": "GET,POST",
        "allow-headers": "Content-Type",
        "max-age": "600",
    }
    assert cors_of(mock(RULES, request(origin="https://b.example.org")))["allow-origin"] == "https://b.example.org"
    assert cors_of(mock(RULES, request(origin="https://evil.example")))["allow-origin"] == OURS
    assert cors_of(mock(RULES, request(origin="")))["allow-origin"] == OURS
    assert cors_of(mock(Cors(), request()))["allow-origin"] == "*"


def answers(event: Any, context: Any) -> Any:
    headers = {"access-control-allow-origin": "https://of-the-function.example"}
    return {"statusCode": 200, "headers": headers, "body": "the function's"}


ASKED = [(b"origin", OURS.encode()), (b"access-control-request-method", b"GET")]


async def test_behind_an_http_api_a_preflight_goes_to_a_route_that_takes_it() -> None:
    routes = [FunctionRoute("GET", "/dogs", "bridge"), FunctionRoute("ANY", "/cats", "bridge")]
    gateway = Gateway({"bridge": answers}, routes=routes, cors=RULES)
    for path, status, body in (("/dogs", 204, b""), ("/nowhere", 204, b""), ("/cats", 200, b"the function's")):
        got = await ask(gateway, path, "OPTIONS", headers=ASKED)
        assert (got.status, got.body) == (status, body)
        assert got.values("access-control-allow-origin") == [OURS.encode()]
        assert got.values("access-control-allow-methods") == [b"GET,POST"]
    got = await ask(gateway, "/nowhere", "OPTIONS")
    assert (got.status, got.values("access-control-allow-origin")) == (404, [])
    got = await ask(gateway, "/dogs", headers=ASKED[:1])
    assert got.values("access-control-allow-origin") == [OURS.encode()]


async def test_behind_a_rest_api_a_preflight_goes_to_its_own_route_and_the_function_sends_its_own_headers() -> None:
    routes = [FunctionRoute("ANY", "/dogs", "bridge"), FunctionRoute("OPTIONS", "/dogs", "bridge", RULES)]
    gateway = Gateway({"bridge": answers}, "rest-api", routes=routes)
    got = await ask(gateway, "/dogs", "OPTIONS", headers=ASKED)
    assert (got.status, got.body, got.values("content-length")) == (200, b"", [b"0"])
    assert got.values("access-control-allow-origin") == [OURS.encode()]
    got = await ask(gateway, "/dogs", headers=ASKED)
    assert got.values("access-control-allow-origin") == [b"https://of-the-function.example"]


URL_RULES = FunctionUrlCors((OURS,), ("GET", "POST"), ("Content-Type",), ("x-colour",), credentials=True, max_age=600)


def test_a_function_url_answers_a_preflight_with_what_it_was_told() -> None:
    answer = mock(URL_RULES, request())
    assert (answer.status, answer.body) == (200, b"")
    assert cors_of(answer) == {
        "allow-origin": OURS,
        "allow-credentials": "true",
        "allow-methods": "GET,POST",
        "allow-headers": "Content-Type",
        "max-age": "600",
    }
    assert cors_of(mock(URL_RULES, request(origin="https://evil.example"))) == {}


def test_a_function_url_that_allows_any_origin_sends_the_one_that_asks() -> None:
    answer = add(FunctionUrlCors(("*",)), request("GET"), Answer(200))
    assert cors_of(answer) == {"allow-origin": OURS}
    assert answer.note == ""


def test_a_function_url_knows_whole_origins_only() -> None:
    assert (
        cors_of(add(FunctionUrlCors(("https://*.example.org",)), request("GET", "https://a.example.org"), Answer(200)))
        == {}
    )


def test_a_function_url_adds_to_what_the_function_says_of_cors_which_is_told() -> None:
    said = Answer(201, [("access-control-allow-origin", "*"), ("x-colour", "red")], b"tea")
    answer = add(URL_RULES, request("GET"), said)
    assert (answer.status, answer.body, answer.header("x-colour")) == (201, b"tea", "red")
    assert [value for name, value in answer.headers if name == "access-control-allow-origin"] == ["*", OURS]
    assert cors_of(answer)["expose-headers"] == "x-colour"
    assert "second access-control-allow-origin" in answer.note
    assert add(URL_RULES, request("GET", origin=""), said).headers == said.headers


async def test_a_gateway_answers_a_function_url_s_preflight_and_hands_other_options_on() -> None:
    gateway = Gateway(
        lambda event, context: {"statusCode": 203}, "function-url", cors=FunctionUrlCors(("*",), ("GET",))
    )
    preflight = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"GET")]
    answered = await ask(gateway, "/", "OPTIONS", headers=preflight)
    assert (answered.status, answered.values("access-control-allow-methods")) == (200, [b"GET"])
    assert (await ask(gateway, "/", "OPTIONS")).status == 203
