"""The request that applications of both interfaces receive from each recorded event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from tests.events import load_event
from tests.sources.received import CONTEXT, asgi_request, environ_of
from tests.sources.test_recognise import HTTP_EVENTS

EXECUTE_API = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"

LAMBDA_URL = "x2y3z4a5b6c7d8e9f0g1h2i3j4k5l6m7.lambda-url.eu-west-1.on.aws"

LATTICE = "pets-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"


@dataclass
class Request:
    """The request that the client sent, as far as the event has it."""

    method: str = "GET"
    root: str = ""
    path: str = "/"
    raw: str | None = None
    query: str = ""
    cookie: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = "203.0.113.7"
    scheme: str = "https"
    server: tuple[str, int] = (EXECUTE_API, 443)
    user: str | None = None


REQUESTS = {
    "rest_api": Request(
        root="/prod",
        path="/pets/café/bar",
        raw="/prod/pets/caf%C3%A9%2Fbar",
        query="q=a+b%26c%3Dd&tag=1&tag=2&empty=",
        cookie="theme=dark; session=9f86d081",
        headers={"accept-language": "fr-CH, fr;q=0.9"},
    ),
    "rest_api_authorizer": Request(
        root="/prod",
        path="/me",
        raw="/prod/me",
        headers={"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        user="user|42",
    ),
    "rest_api_cognito": Request(root="/prod", path="/me", raw="/prod/me", user="2f6d1c1e-90a1-70c4-4c1f-0d2f5b1a7e11"),
    "rest_api_custom_domain": Request(
        method="POST",
        root="/shop/v1",
        path="/orders/",
        raw="/shop/v1/orders/",
        body='{"sku": "ÅÄÖ-1"}'.encode(),
        server=("api.example.com", 443),
        headers={"content-type": "application/json"},
    ),
    "rest_api_custom_domain_route": Request(
        root="/shop", path="/orders/17", raw="/shop/orders/17", server=("api.example.com", 443)
    ),
    "rest_api_edge_optimised": Request(
        root="/prod",
        path="/",
        raw="/prod",
        client="198.51.100.23",
        headers={"authorization": "Basic dXNlcjpwYXNz", "x-forwarded-for": "198.51.100.23, 15.158.4.71"},
    ),
    "rest_api_multi_value": Request(
        method="PUT",
        root="/dev",
        path="/upload",
        raw="/dev/upload",
        query="ids%5B%5D=1&ids%5B%5D=2&ids%5B%5D=3&sort=-date",
        cookie="a=1; b=2; c=3",
        headers={"accept": "text/html,application/json", "x-tag": "one,two"},
        body=bytes(range(256)),
    ),
    "rest_api_nulls": Request(root="/prod", path="/", raw="/prod/"),
    "rest_api_test_invoke": Request(
        method="POST",
        path="/hash",
        raw="/hash",
        client="test-invoke-source-ip",
        server=("testPrefix.testDomainName", 443),
        body=b'{"text": "abc"}',
        user="AIDAEXAMPLEEXAMPLE123",
    ),
    "rest_lambda_integration": Request(
        method="POST",
        root="/dev",
        path="/pets/dogs/a/b c",
        raw="/dev/pets/dogs/a/b%20c",
        query="q=a+b&page=2",
        headers={"authorization": "Bearer t", "content-type": "application/json"},
        body=b'{"name": "Rex", "tags": ["good", "boy"]}',
        user="user|42",
    ),
    "rest_lambda_integration_form": Request(
        method="POST",
        root="/dev",
        path="/pets",
        raw="/dev/pets",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=b"name=Rex+M%C3%BCller&note=a%26b%3Dc",
    ),
    "http_api_v1": Request(root="/dev", path="/pets/a b", query="x=1&x=2", cookie="a=1; b=2"),
    "http_api_v1_default_stage": Request(path="/100% sure", cookie="a=1; b=2"),
    "http_api": Request(
        path="/pets/café/bar",
        query="q=a+b%26c%3Dd&tag=1&tag=2&empty=&flag",
        cookie="theme=dark; session=9f86d081",
        headers={"accept": "text/html,application/json", "x-tag": "one,two"},
    ),
    "http_api_custom_domain": Request(root="/shop/v1", path="/orders/17/", server=("api.example.com", 443)),
    "http_api_custom_domain_stage": Request(root="/shop", path="/orders/17", server=("api.example.com", 443)),
    "http_api_iam": Request(path="/me", user="AIDAEXAMPLEEXAMPLE123"),
    "http_api_jwt": Request(path="/me", user="auth0|42", headers={"authorization": "Bearer eyJraWQiOiJrIn0.e30."}),
    "http_api_lambda_authorizer": Request(path="/me"),
    "http_api_nulls": Request(),
    "http_api_stage": Request(
        method="POST",
        root="/dev",
        path="/pets/100%",
        body=b"name=Rex&kind=dog",
        headers={"content-type": "application/x-www-form-urlencoded"},
    ),
    "function_url": Request(
        method="POST",
        path="/pets/café/bar",
        raw="/pets/caf%C3%A9%2Fbar",
        query="q=a+b%26c%3Dd&tag=1&tag=2",
        cookie="theme=dark; session=9f86d081",
        body="grüße".encode(),
        server=(LAMBDA_URL, 443),
    ),
    "function_url_iam": Request(
        path="/me", raw="/me", user="AIDAEXAMPLEEXAMPLE123", client="2001:db8::7", server=(LAMBDA_URL, 443)
    ),
    "alb": Request(
        path="/pets/café/bar",
        raw="/pets/caf%C3%A9%2Fbar",
        query="q=a+b%26c%3Dd&ids%5B%5D=3&flag=",
        cookie="theme=dark; session=9f86d081",
        scheme="http",
        server=("pets-846800462.eu-west-1.elb.amazonaws.com", 80),
    ),
    "alb_health_check": Request(
        raw="/", client="", scheme="http", server=("lambda", 80), headers={"user-agent": "ELB-HealthChecker/2.0"}
    ),
    "alb_multi": Request(
        method="POST",
        path="/upload",
        raw="/upload",
        query="tag=1&tag=2&q=a+b%26c",
        cookie="a=1; b=2; c=3",
        headers={"accept": "text/html,application/json", "content-type": "image/png"},
        body=b"\x89PNG",
        client="2001:db8::7",
        server=("pets.example.com", 8443),
    ),
    "alb_multi_health_check": Request(raw="/", client="", scheme="http", server=("lambda", 80)),
    "lattice_v1": Request(
        method="POST",
        path="/pets/café",
        raw="/pets/caf%C3%A9",
        query="q=a+b&tag=1&tag=2&flag",
        cookie="a=1",
        body=b'{"name": "Rex"}',
        client="10.0.7.42",
        server=(LATTICE, 443),
    ),
    "lattice_v2": Request(
        method="PUT",
        path="/pets/café",
        raw="/pets/caf%C3%A9",
        query="q=a+b&tag=1&tag=2&flag",
        cookie="a=1; b=2",
        headers={"accept": "text/html,application/json"},
        body=b"\x00\xff\x80",
        client="10.0.7.42",
        server=(LATTICE, 443),
        user="arn:aws:sts::123456789012:assumed-role/Orders/i-1",
    ),
    "edge_viewer_request": Request(
        path="/pets/café/bar",
        raw="/pets/caf%C3%A9%2Fbar",
        query="q=a+b%26c%3Dd&tag=1&tag=2&flag",
        cookie="a=1; b=2",
        headers={"x-tag": "one,two"},
        client="203.0.113.178",
        server=("d111111abcdef8.cloudfront.net", 443),
    ),
    "edge_origin_request": Request(
        method="POST",
        path="/pets",
        raw="/pets",
        headers={"content-type": "application/json"},
        body=b'{"name": "Rex"}',
        client="2001:db8::7",
        scheme="http",
        server=("example.org", 80),
    ),
    "serverless_offline_http": Request(
        method="POST",
        path="/pets/a b",
        raw="/pets/a%20b",
        query="tag=1&tag=2",
        cookie="a=1",
        body=b'{"name": "Rex"}',
        client="127.0.0.1",
        server=("localhost", 3000),
        user="offlineContext_authorizer_principalId",
    ),
    "serverless_offline_http_api": Request(
        path="/pets/a b/c", query="tag=1&tag=2", cookie="a=1", client="127.0.0.1", server=("localhost", 3000)
    ),
    "kong": Request(
        method="POST",
        path="/pets/5",
        raw="/pets/5",
        query="flag&q=a+b&q=c",
        headers={"x-tag": "one,two"},
        body=b'{"name": "Rex"}',
        server=("kong.example.com", 443),
    ),
    "kong_without_context": Request(
        path="/pets", raw="/pets", query="flag&q=a+b&q=c", client="", server=("kong.example.com", 443)
    ),
    "scaleway": Request(
        path="/pets",
        raw="/pets",
        query="page=2",
        client="",
        server=("petsjx0s1m2n-pets.functions.fnc.fr-par.scw.cloud", 443),
    ),
    "express_gateway": Request(
        method="POST",
        path="/pets/a b",
        raw="/pets/a%20b",
        query="tag=1&x=9&tag=2&flag",
        body=b"hi",
        client="",
        server=("localhost", 8080),
    ),
}


# Answered by the bridge itself.
REFUSED = {"edge_origin_request_truncated"}


def native(text: str) -> str:
    return text.encode().decode("latin-1")


def authorizer_of(event: Any) -> Any:
    if "enhancedAuthContext" in event:
        return event["enhancedAuthContext"]
    return (event.get("requestContext") or {}).get("authorizer")


def test_the_table_has_every_event_that_reaches_an_application() -> None:
    assert set(REQUESTS) | REFUSED == set(HTTP_EVENTS)


@pytest.mark.parametrize(("name", "request_"), REQUESTS.items())
def test_a_wsgi_application_receives_the_request(name: str, request_: Request) -> None:
    event = load_event(name)
    environ = environ_of(event)

    assert environ["REQUEST_METHOD"] == request_.method
    assert environ["SCRIPT_NAME"] == native(request_.root)
    assert environ["PATH_INFO"] == native(request_.path)
    assert environ["QUERY_STRING"] == request_.query
    assert environ.get("HTTP_COOKIE") == request_.cookie
    assert environ["body"] == request_.body
    assert environ["CONTENT_LENGTH"] == str(len(request_.body))
    assert environ["REMOTE_ADDR"] == request_.client
    assert environ.get("REMOTE_USER") == request_.user
    assert environ["wsgi.url_scheme"] == request_.scheme
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (request_.server[0], str(request_.server[1]))
    uri = request_.raw + (f"?{request_.query}" if request_.query else "") if request_.raw is not None else None
    assert environ.get("RAW_URI") == environ.get("REQUEST_URI") == uri
    for header, value in request_.headers.items():
        key = header.upper().replace("-", "_")
        assert environ[key if header == "content-type" else f"HTTP_{key}"] == value
    assert environ["serverless.event"] is event
    assert environ["serverless.context"] is CONTEXT
    assert environ["serverless.authorizer"] == authorizer_of(event)


@pytest.mark.parametrize(("name", "request_"), REQUESTS.items())
def test_an_asgi_application_receives_the_request(name: str, request_: Request) -> None:
    event = load_event(name)
    request = asgi_request(event)

    assert request.scope["method"] == request_.method
    assert request.scope["root_path"] == request_.root
    assert request.scope["path"] == request_.root + request_.path
    raw_path = quote(request_.root + request_.path, safe="/:@!$&'()*+,;=~") if request_.raw is None else request_.raw
    assert request.scope["raw_path"] == raw_path.encode()
    assert request.scope["query_string"] == request_.query.encode()
    assert request.values("cookie") == ([] if request_.cookie is None else [request_.cookie.encode()])
    assert request.body == request_.body
    assert request.scope["client"] == ((request_.client, 0) if request_.client else None)
    assert request.scope["scheme"] == request_.scheme
    assert request.scope["server"] == request_.server
    for header, value in request_.headers.items():
        assert b",".join(request.values(header)) == value.encode()
    if request_.body:
        assert request.values("content-length") == [str(len(request_.body)).encode()]
    assert request.scope["aws.event"] is event
    assert request.scope["aws.context"] is CONTEXT


@pytest.mark.parametrize("name", REQUESTS)
def test_reading_an_event_does_not_change_it(name: str) -> None:
    event = load_event(name)
    environ_of(event)
    asgi_request(event)

    assert event == load_event(name)
