"""Requests from every front door to functions of every kind, behind AWS's runtime client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.gateway import FRONT_DOORS, Request, compose, interpret

if TYPE_CHECKING:
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

EVERY_BYTE = bytes(range(256))
each_source = pytest.mark.parametrize("source", FRONT_DOORS)


def echo(function: Emulator) -> dict[str, Any]:
    answer = function.request(Request(path="/echo"))
    assert answer.status == 200
    details: dict[str, Any] = json.loads(answer.body)
    return details


@each_source
def test_the_application_receives_the_request(function: Emulator, source: str) -> None:
    request = Request(
        method="POST",
        path="/echo",
        query="a=1&b=%C3%A9&a=2",
        headers=[("host", "example.com"), ("cookie", "c=3; d=4"), ("content-type", "text/plain")],
        body="Grüße".encode(),
        client="203.0.113.7",
    )

    answer = function.request(request, source)

    assert answer.status == 200
    details = json.loads(answer.body)
    assert details["method"] == "POST"
    assert details["path"] == "/echo"
    assert sorted(details["query"].split("&")) == (
        ["a=2", "b=%C3%A9"] if source == "alb" else ["a=1", "a=2", "b=%C3%A9"]
    )
    assert details["cookies"] == {"c": "3", "d": "4"}
    assert bytes.fromhex(details["body"]).decode() == "Grüße"
    assert details["client"] == "203.0.113.7"


@each_source
def test_every_byte_passes_in_both_directions(function: Emulator, source: str) -> None:
    headers = [("host", "example.com"), ("content-type", "application/octet-stream")]

    answer = function.request(
        Request(method="POST", path="/reverse", headers=headers, body=EVERY_BYTE), source, binary_media_types=("*/*",)
    )

    assert answer.status == 200
    assert answer.body == EVERY_BYTE[::-1]


@each_source
def test_every_cookie_is_sent(function: Emulator, source: str) -> None:
    answer = function.request(Request(path="/cookies", headers=[("host", "example.com")]), source)

    cookies = sorted(value.partition(";")[0] for name, value in answer.headers if name.lower() == "set-cookie")
    assert cookies == ["a=1", "b=2"]


def test_one_process_answers_all_requests(function: Emulator) -> None:
    first, second = echo(function), echo(function)

    assert second["process"] == first["process"]
    assert second["requests"] == first["requests"] + 1


def test_the_application_receives_the_context_of_its_invocation(function: Emulator) -> None:
    first, second = echo(function), echo(function)

    assert first["request_id"] != second["request_id"]
    assert f"START RequestId: {second['request_id']} " in function.log


@pytest.mark.parametrize(
    ("source", "authorizer"),
    [
        ("rest-api", {"principalId": "ada", "plan": "free"}),
        ("rest-api", {"claims": {"sub": "ada", "email": "ada@example.com"}}),
        ("http-api", {"jwt": {"claims": {"sub": "ada"}, "scopes": None}}),
        ("function-url", {"iam": {"userId": "ada", "accountId": "123456789012"}}),
    ],
    ids=["Lambda authorizer", "Cognito", "JWT", "IAM"],
)
def test_the_user_is_the_authorizers_principal(function: Emulator, source: str, authorizer: dict[str, Any]) -> None:
    request = Request(path="/echo", headers=[("host", "example.com")])
    event = compose(request, source)
    event["requestContext"]["authorizer"] = authorizer

    answer = interpret(function.invoke(event), source, request)

    assert json.loads(answer.body)["user"] == "ada"


def test_there_is_no_user_without_an_authorizer(function: Emulator) -> None:
    assert echo(function)["user"] is None


def test_a_warm_up_event_is_answered_without_the_application(function: Emulator) -> None:
    before = echo(function)

    assert function.invoke({"source": "serverless-plugin-warmup"}) == {}

    assert echo(function)["requests"] == before["requests"] + 1
    assert "arm-up event from serverless-plugin-warmup" in function.log


def test_an_exception_is_a_500_with_a_logged_traceback_and_the_process_continues(function: Emulator) -> None:
    before = echo(function)

    answer = function.request(Request(path="/fail"))

    assert answer.status == 500
    assert b"failed on purpose" not in answer.body
    assert "RuntimeError: failed on purpose" in function.log
    assert echo(function)["process"] == before["process"]


@pytest.mark.parametrize("function", ["asgi_handler", "BRIDGE_APP of ASGI"], indirect=True)
def test_one_lifespan_serves_all_requests(function: Emulator) -> None:
    echo(function)

    second = echo(function)

    assert second["starts"] == 1
    assert second["state"] == "from the lifespan"
    assert function.log.count("lifespan: started up") == 1
    assert "lifespan: shut down" not in function.log


@pytest.mark.parametrize("function", [".serverless-wsgi of WSGI", ".serverless-wsgi of ASGI"], indirect=True)
def test_text_types_in_the_serverless_wsgi_file_are_sent_as_text(function: Emulator) -> None:
    payload = function.invoke(compose(Request(path="/tex")))

    assert (payload["body"], payload["isBase64Encoded"]) == ("\\TeX", False)


@pytest.mark.parametrize("function", ["wsgi_handler", "asgi_handler"], indirect=True)
def test_unknown_types_are_sent_as_base64(function: Emulator) -> None:
    assert function.invoke(compose(Request(path="/tex")))["isBase64Encoded"] is True
