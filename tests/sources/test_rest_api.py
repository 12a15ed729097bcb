"""REST APIs, HTTP APIs with payload 1.0, and their imitators."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events import load_event
from tests.sources.received import asgi_request, environ_of, payload_of, scope_of


@pytest.mark.parametrize(
    ("path", "requested", "raw"),
    [
        ("/", "/prod", "/prod"),
        ("/", "/prod/", "/prod/"),
        ("/x", "/prod//x", "/prod//x"),
        ("/x/", "/prod/x/", "/prod/x/"),
        ("/prod/x", "/prod/prod/x", "/prod/prod/x"),
    ],
)
def test_the_raw_path_is_that_of_the_request_context(path: str, requested: str, raw: str) -> None:
    event = load_event("rest_api")
    event["path"], event["requestContext"]["path"] = path, requested
    event["pathParameters"] = {"proxy": path.strip("/")} if path.strip("/") else None
    scope = scope_of(event)
    assert (scope.root_path, scope.path, scope.raw_path) == ("/prod", raw.removeprefix("/prod") or "/", raw)


# `path` and `requestContext.path` are the same for a custom domain, whatever the mapping.
@pytest.mark.parametrize(
    ("path", "resource", "parameters", "root", "rest"),
    [
        # mapped to a stage, with and without base path
        ("/items/7", "/items/{id}", {"id": "7"}, "", "/items/7"),
        ("/v1/items/7", "/items/{id}", {"id": "7"}, "/v1", "/items/7"),
        ("/v1/nested/items/7/", "/{proxy+}", {"proxy": "items/7"}, "/v1/nested", "/items/7/"),
        ("/v1", "/", None, "/v1", "/"),
        ("/v1/", "/", None, "/v1", "/"),
        # mapped to no stage, which is then in the URL
        ("/prod/items/7", "/items/{id}", {"id": "7"}, "/prod", "/items/7"),
        ("/v1/prod/items/7", "/items/{id}", {"id": "7"}, "/v1/prod", "/items/7"),
        # a segment of the application that is spelled like the stage
        ("/prod/items", "/prod/items", None, "", "/prod/items"),
        ("/prod/items", "/{proxy+}", {"proxy": "prod/items"}, "", "/prod/items"),
        ("/production", "/{proxy+}", {"proxy": "production"}, "", "/production"),
        # encoded characters, double slashes
        ("/v1/a%2Fb", "/{proxy+}", {"proxy": "a%2Fb"}, "/v1", "/a/b"),
        ("/v1/a//b", "/{proxy+}", {"proxy": "a//b"}, "/v1", "/a//b"),
    ],
)
def test_the_base_path_of_a_custom_domain_is_the_root_path(
    path: str, resource: str, parameters: Any, root: str, rest: str
) -> None:
    event = load_event("rest_api_custom_domain")
    event.update(path=path, resource=resource, pathParameters=parameters)
    event["requestContext"].update(path=path, resourcePath=resource)
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["RAW_URI"]) == (root, rest, path)


def test_several_leading_slashes_are_kept_behind_a_custom_domain() -> None:
    event = load_event("rest_api_custom_domain")
    event.update(path="/x", pathParameters={"proxy": "x"})
    event["requestContext"]["path"] = "//x"
    assert environ_of(event)["PATH_INFO"] == "//x"


@pytest.mark.parametrize(
    ("path", "requested", "resource", "root", "rest"),
    [
        ("/dev/a b", "/dev/a b", "/{proxy+}", "/dev", "/a b"),
        ("/dev/a b", "/dev/a b", "$default", "/dev", "/a b"),
        ("/dev/a b", "/a b", "$default", "/dev", "/a b"),
        ("/dev/a b", None, "$default", "/dev", "/a b"),
        ("/dev", "/dev", "$default", "/dev", "/"),
        ("/devices", "/devices", "$default", "", "/devices"),
    ],
)
def test_the_path_of_payload_1_0_contains_the_stage(
    path: str, requested: str, resource: str, root: str, rest: str
) -> None:
    event = load_event("http_api_v1")
    event.update(path=path, resource=resource, pathParameters={"proxy": "a b"} if resource[0] == "/" else None)
    event["requestContext"]["path"] = requested
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (root, rest)
    assert "RAW_URI" not in environ


@pytest.mark.parametrize("requested", [None, "", "/{proxy+}", "/prod/other"])
def test_without_the_requested_path_the_stage_is_the_root_path_behind_aws_s_own_domain_only(requested: Any) -> None:
    event = load_event("rest_api")
    event["requestContext"]["path"] = requested
    assert environ_of(event)["SCRIPT_NAME"] == "/prod"
    assert environ_of(event, strip_stage=True)["SCRIPT_NAME"] == ""

    event["headers"]["Host"] = event["requestContext"]["domainName"] = "api.example.com"
    event["multiValueHeaders"]["Host"] = ["api.example.com"]
    assert environ_of(event)["SCRIPT_NAME"] == ""


def test_lists_of_header_values_precede_single_values() -> None:
    event = load_event("rest_api_multi_value")
    assert event["headers"]["X-Forwarded-For"] == event["multiValueHeaders"]["X-Forwarded-For"][-1]
    event["multiValueHeaders"]["X-Forwarded-For"] = ["192.0.2.66", "203.0.113.7"]
    assert environ_of(event)["HTTP_X_FORWARDED_FOR"] == "192.0.2.66,203.0.113.7"


@pytest.mark.parametrize("multi", [None, {}])
def test_single_header_values_are_read_if_there_are_no_lists(multi: Any) -> None:
    event = load_event("rest_api")
    event["multiValueHeaders"] = multi
    assert environ_of(event)["HTTP_ACCEPT_LANGUAGE"] == "fr-CH, fr;q=0.9"


@pytest.mark.parametrize("single", [None, {}])
def test_host_and_scheme_are_read_from_lists_if_there_are_no_single_values(single: Any) -> None:
    event = load_event("rest_api")
    event["headers"] = single
    event["requestContext"]["domainName"] = None
    event["multiValueHeaders"].update({"Host": ["example.com:8443"], "X-Forwarded-Proto": ["http"]})
    del event["multiValueHeaders"]["X-Forwarded-Port"]
    environ = environ_of(event)
    assert [environ[key] for key in ("wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT")] == [
        "http",
        "example.com",
        "8443",
    ]


def test_lists_of_query_values_precede_single_values() -> None:
    event = load_event("rest_api")
    event["queryStringParameters"] = {"tag": "2"}
    event["multiValueQueryStringParameters"] = {"tag": ["1", "2"]}
    assert environ_of(event)["QUERY_STRING"] == "tag=1&tag=2"


def test_all_headers_of_the_payload_are_in_lists_if_the_event_had_lists() -> None:
    headers = [("content-type", "application/json"), ("Location", "/a")]
    assert payload_of(load_event("rest_api"), "201 Created", headers, b"{}") == {
        "statusCode": 201,
        "multiValueHeaders": {"content-type": ["application/json"], "Location": ["/a"]},
        "body": "{}",
        "isBase64Encoded": False,
    }


def test_only_repeated_headers_of_the_payload_are_in_lists_if_the_event_had_none() -> None:
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert payload_of(load_event("rest_api_test_invoke"), "200 OK", headers, b"ok") == {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "ok",
        "isBase64Encoded": False,
    }
    assert payload_of(load_event("scaleway"), "200 OK", headers[:2], b"ok") == {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain", "Set-Cookie": "a=1"},
        "body": "ok",
        "isBase64Encoded": False,
    }


# Imitators


@pytest.mark.parametrize(("path", "resource"), [("/pets/5", "/"), ("/api/api", "/api"), ("/api", "/api")])
def test_the_resource_of_kong_does_not_determine_a_base_path(path: str, resource: str) -> None:
    event = load_event("kong")
    event.update(path=path, resource=resource)
    event["requestContext"].update(path=path, resourcePath=path)
    environ = environ_of(event)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", path)


def test_query_names_without_value_from_kong_have_no_equals_sign() -> None:
    event = load_event("kong")
    event["multiValueQueryStringParameters"] = {"a": [True], "b": [True, "", "x"]}
    event["queryStringParameters"] = None
    assert environ_of(event)["QUERY_STRING"] == "a&b&b=&b=x"


def test_serverless_offline_has_the_stage_in_the_url_only() -> None:
    event = load_event("serverless_offline_http")
    assert event["requestContext"]["stage"] == "dev"
    assert environ_of(event)["PATH_INFO"] == "/pets/a b"


def test_cookie_headers_of_serverless_offline_in_several_spellings_are_joined() -> None:
    event = load_event("serverless_offline_http")
    event["headers"]["cookie"] = "b=2"
    event["multiValueHeaders"]["cookie"] = ["b=2"]
    assert environ_of(event)["HTTP_COOKIE"] == "a=1; b=2"
    assert asgi_request(event).values("cookie") == [b"a=1; b=2"]


def test_the_body_of_scaleway_is_text_without_a_mark() -> None:
    event = load_event("scaleway")
    assert "isBase64Encoded" not in event
    event["body"] = "AP+A"
    assert environ_of(event)["body"] == b"AP+A"


def test_the_query_of_express_gateway_is_read_from_fields_if_it_is_not_in_the_path() -> None:
    event = load_event("express_gateway")
    event["path"] = "/"
    assert environ_of(event)["QUERY_STRING"] == "tag=1&tag=2&x=9&flag="

    event["query"] = event.pop("queryStringParameters")
    assert environ_of(event)["QUERY_STRING"] == "tag=1&tag=2&x=9&flag="


# Events made by hand


@pytest.mark.parametrize("name", ["rest_api_multi_value", "http_api_v1", "alb_multi"])
def test_headers_and_parameters_that_are_in_one_of_the_two_maps_arrive(name: str) -> None:
    event = load_event(name)
    lists = event["multiValueHeaders"]
    event["headers"] = {**(event.get("headers") or {}), "X-Single": "one", next(iter(lists)).swapcase(): "other case"}
    lists["X-Multi"] = ["two", "three"]
    event["queryStringParameters"] = {"single": "1"}
    event["multiValueQueryStringParameters"] = {"multi": ["2", "3"]}

    environ = environ_of(event)
    assert (environ["HTTP_X_SINGLE"], environ["HTTP_X_MULTI"]) == ("one", "two,three")
    assert sorted(environ["QUERY_STRING"].split("&")) == ["multi=2", "multi=3", "single=1"]
    assert "other case" not in environ.values()
    assert asgi_request(event).values("x-single") == [b"one"]


@pytest.mark.parametrize("single", ["other.example", None])
def test_the_server_s_name_is_read_where_the_host_header_is(single: str | None) -> None:
    event = load_event("rest_api")
    if single is None:
        del event["multiValueHeaders"]["Host"]
        event["headers"]["Host"] = "single.example"
    else:
        event["headers"]["Host"] = single
        event["multiValueHeaders"]["Host"] = ["lists.example"]
    environ = environ_of(event)
    assert environ["SERVER_NAME"] == environ["HTTP_HOST"] == ("single.example" if single is None else "lists.example")
    assert asgi_request(event).scope["server"][0] == environ["HTTP_HOST"]


@pytest.mark.parametrize(
    ("name", "identity", "user"),
    [
        ("rest_api", {"user": "AIDAEXAMPLE", "userArn": "arn:aws:iam::123456789012:user/ada"}, "AIDAEXAMPLE"),
        ("rest_api", {"user": None, "userArn": "arn:aws:iam::123456789012:user/ada"},
         "arn:aws:iam::123456789012:user/ada"),
        ("http_api_v1", {"user": "AIDAEXAMPLE"}, "AIDAEXAMPLE"),
        ("rest_api_authorizer", {"user": "AIDAEXAMPLE"}, "user|42"),
        ("rest_lambda_integration_form", {"user": "AIDAEXAMPLE"}, "AIDAEXAMPLE"),
        ("lattice_v2", {"principal": "arn:aws:iam::123456789012:role/ada"}, "arn:aws:iam::123456789012:role/ada"),
        ("rest_api", {"user": 7, "userArn": ["x"]}, None),
    ],
)  # fmt: skip
def test_the_user_is_the_iam_caller_unless_an_authorizer_names_one(name: str, identity: Any, user: str | None) -> None:
    event = load_event(name)
    (event.get("identity") or event["requestContext"]["identity"]).update(identity)
    assert environ_of(event).get("REMOTE_USER") == user
