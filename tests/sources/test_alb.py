"""Application Load Balancers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.response import Response
from tests.events import load_event
from tests.sources.payload_checks import CHECKS, values_of
from tests.sources.received import asgi_request, environ_of, payload_of, scope_of, written_payload


def test_there_is_no_stage() -> None:
    assert load_event("alb")["headers"]["host"].endswith(".elb.amazonaws.com")
    assert environ_of(load_event("alb"))["SCRIPT_NAME"] == ""


encoded = st.text(st.sampled_from("ab+%20%2B%26%3D%E9[]/?"), max_size=8)


@given(st.dictionaries(encoded, st.lists(encoded, min_size=1, max_size=3), min_size=1, max_size=4))
def test_query_parameters_are_not_encoded_again(parameters: dict[str, list[str]]) -> None:
    multi = load_event("alb_multi")
    multi["multiValueQueryStringParameters"] = parameters
    assert scope_of(multi).query == "&".join(f"{key}={value}" for key, values in parameters.items() for value in values)

    single = load_event("alb")
    single["queryStringParameters"] = {key: values[-1] for key, values in parameters.items()}
    assert scope_of(single).query == "&".join(f"{key}={values[-1]}" for key, values in parameters.items())


@pytest.mark.parametrize("host", ["[2001:db8::7]:8443", "[2001:db8::7]"])
def test_an_ipv6_host_has_brackets_in_wsgi_and_none_in_asgi(host: str) -> None:
    event = load_event("alb")
    event["headers"]["host"] = host
    del event["headers"]["x-forwarded-port"]
    port = "8443" if host.endswith("8443") else "80"

    environ = environ_of(event)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["HTTP_HOST"]) == ("[2001:db8::7]", port, host)
    assert asgi_request(event).scope["server"] == ("2001:db8::7", int(port))


def test_the_payload_has_headers_in_the_form_of_the_event() -> None:
    headers = [("Content-Type", "text/plain"), ("Vary", "Accept"), ("Vary", "Cookie")]
    assert payload_of(load_event("alb"), "404 Not Found", headers, b"no") == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "headers": {"Content-Type": "text/plain", "Vary": "Accept, Cookie"},
        "body": "no",
        "isBase64Encoded": False,
    }
    assert payload_of(load_event("alb_multi"), "404 Not Found", headers, b"no") == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "multiValueHeaders": {"Content-Type": ["text/plain"], "Vary": ["Accept", "Cookie"]},
        "body": "no",
        "isBase64Encoded": False,
    }


def test_single_value_headers_carry_512_cookies_in_different_spellings() -> None:
    for spelling in ("Set-Cookie", "set-cookie", "SET-COOKIE"):
        cookies = [f"c{number}=v" for number in range(512)]
        payload = written_payload("alb", Response(200, [(spelling, cookie) for cookie in cookies], b""))
        assert values_of(payload, "set-cookie") == [cookie.strip(" ") for cookie in cookies]
        assert next(iter(payload["headers"])) == spelling


@pytest.mark.parametrize("name", ["alb", "alb_multi"])
def test_the_limit_applies_to_the_encoded_body(name: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = [("Content-Type", "image/png")]
    assert payload_of(load_event(name), "200 OK", headers, b"\xff" * 780_000)["statusCode"] == 200
    payload = payload_of(load_event(name), "200 OK", headers, b"\xff" * 790_000)
    assert payload["statusCode"] == 500
    CHECKS[scope_of(load_event(name)).source](payload)
    assert "1048576" in caplog.text


@pytest.mark.parametrize("name", ["alb", "alb_multi"])
def test_headers_that_the_load_balancer_answers_with_502_are_logged(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert payload_of(load_event(name), "200 OK", [("X-Large", "x" * 32_000)], b"")["statusCode"] == 200
    assert not caplog.records
    assert payload_of(load_event(name), "200 OK", [("X-Large", "x" * 33_000)], b"")["statusCode"] == 200
    (message,) = set(caplog.messages)  # the same for both interfaces
    assert "has 33007 characters of headers. A load balancer takes 32 KB and answers 502 for more" in message


@pytest.mark.parametrize("name", ["alb", "alb_multi"])
def test_of_several_cookies_of_one_name_path_and_domain_the_last_is_sent(name: str) -> None:
    cookies = [
        "s=old; Path=/; HttpOnly",
        "other=1",
        "s=; path=/; Max-Age=0",
        "s=3; Path=/shop",
        "s=4; Domain=.A.example; Path=/",
        "s=5; Path=/; domain=a.example",
        "S=6; Path=/",
        "s=new; Secure; PATH=/",
        "a==;",
    ]
    payload = written_payload(name, Response(200, [("Set-Cookie", cookie) for cookie in cookies], b""))
    assert values_of(payload, "set-cookie") == [
        "other=1", "s=3; Path=/shop", "s=5; Path=/; domain=a.example", "S=6; Path=/", "s=new; Secure; PATH=/", "a==;",
    ]  # fmt: skip
