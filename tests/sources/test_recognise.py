"""Sources are recognised by fields that only their events have."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

import pytest

from bridge import wsgi_handler
from bridge.errors import EventError
from bridge.sources import recognise
from tests.events import NAMES, load_event
from tests.sources.received import scope_of

MODULES = {
    "rest-api": "rest_api",
    "http-api-v1": "rest_api",
    "non-proxy": "rest_api_non_proxy",
    "http-api": "http_api",
    "function-url": "http_api",
    "alb": "alb",
    "alb-multi": "alb",
    "lattice": "vpc_lattice",
    "lattice-v1": "vpc_lattice",
    "edge": "lambda_edge",
}

SOURCES: dict[str, str | None] = {
    "rest_api": "rest-api",
    "rest_api_authorizer": "rest-api",
    "rest_api_cognito": "rest-api",
    "rest_api_custom_domain": "rest-api",
    "rest_api_custom_domain_route": "rest-api",
    "rest_api_edge_optimised": "rest-api",
    "rest_api_multi_value": "rest-api",
    "rest_api_nulls": "rest-api",
    "rest_api_test_invoke": "rest-api",
    "rest_lambda_integration": "non-proxy",
    "rest_lambda_integration_form": "non-proxy",
    "http_api_v1": "http-api-v1",
    "http_api_v1_default_stage": "http-api-v1",
    "http_api": "http-api",
    "http_api_custom_domain": "http-api",
    "http_api_custom_domain_stage": "http-api",
    "http_api_iam": "http-api",
    "http_api_jwt": "http-api",
    "http_api_lambda_authorizer": "http-api",
    "http_api_nulls": "http-api",
    "http_api_stage": "http-api",
    "function_url": "function-url",
    "function_url_iam": "function-url",
    "alb": "alb",
    "alb_health_check": "alb",
    "alb_multi": "alb-multi",
    "alb_multi_health_check": "alb-multi",
    "lattice_v1": "lattice-v1",
    "lattice_v2": "lattice",
    "edge_viewer_request": "edge",
    "edge_origin_request": "edge",
    "edge_origin_request_truncated": "edge",
    "serverless_offline_http": "rest-api",
    "serverless_offline_http_api": "http-api",
    "kong": "rest-api",
    "kong_without_context": "rest-api",
    "scaleway": "rest-api",
    "express_gateway": "rest-api",
    # not HTTP requests
    "appsync": None,
    "authorizer_request_http_api_v1": None,
    "authorizer_request_v1": None,
    "authorizer_request_v2": None,
    "authorizer_token": None,
    "bedrock_agent": None,
    "edge_origin_response": None,
    "event_bridge": None,
    "rest_lambda_integration_without_path": None,
    "s3": None,
    "scheduled_event": None,
    "scheduler": None,
    "serverless_plugin_warmup": None,
    "sqs": None,
    "websocket_connect": None,
    "websocket_message": None,
}

HTTP_EVENTS = [name for name, source in SOURCES.items() if source is not None]


def never_called(environ: Any, start_response: Any) -> Any:
    raise AssertionError("the application was called")


def test_the_table_has_every_recorded_event() -> None:
    assert sorted(SOURCES) == NAMES


@pytest.mark.parametrize(("name", "source"), SOURCES.items())
def test_the_source_of_an_event_is_recognised(name: str, source: str | None) -> None:
    event = load_event(name)

    assert recognise(event) == (MODULES[source] if source else None)
    if source:
        assert scope_of(event).source == source


@pytest.mark.parametrize(
    "event",
    [
        None,
        "text",
        b"bytes",
        7,
        True,
        [],
        [{"httpMethod": "GET", "path": "/"}],
        {},
        {"Records": None},
        {"Records": []},
        {"Records": {}},
        {"Records": "cf"},
        {"Records": [None]},
        {"Records": [{"cf": None}]},
        {"Records": [{"cf": {"config": None}}]},
        {"Records": [{"cf": {"config": {"eventType": ["viewer-request"]}}}]},
        {"requestContext": None},
        {"requestContext": []},
        {"requestContext": "http"},
        {"version": "2.0"},
        {"path": "/"},
        {"headers": {}},
        {"headers": {}, "path": {"id": "17"}},
    ],
    ids=repr,
)
def test_other_values_are_not_recognised(event: Any) -> None:
    assert recognise(event) is None


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_the_order_of_the_keys_and_the_type_of_the_mapping_do_not_matter(name: str) -> None:
    def reversed_(value: Any) -> Any:
        if isinstance(value, dict):
            return OrderedDict((key, reversed_(item)) for key, item in reversed(value.items()))
        return [reversed_(item) for item in value] if isinstance(value, list) else value

    event = load_event(name)
    assert recognise(reversed_(event)) == recognise(event)


@pytest.mark.parametrize("name", ["scheduled_event", "scheduler", "serverless_plugin_warmup"])
def test_a_warm_up_event_is_answered_without_the_application(name: str) -> None:
    assert wsgi_handler(never_called)(load_event(name), None) == {}


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source is None])
def test_another_event_goes_to_the_callback_or_is_an_error_that_names_its_keys(name: str) -> None:
    event = load_event(name)
    handler = wsgi_handler(never_called, warm_up=False)
    with pytest.raises(EventError, match=re.escape(", ".join(event))):
        handler(event, None)

    handler = wsgi_handler(never_called, warm_up=False, other_events=lambda event, context: [event, context])
    assert handler(event, "context") == [event, "context"]


def test_lattice_and_an_http_api_are_told_apart_although_both_have_version_2_0() -> None:
    assert load_event("lattice_v2")["version"] == load_event("http_api")["version"] == "2.0"
    assert recognise(load_event("lattice_v2")) == "vpc_lattice"


@pytest.mark.parametrize("name", ["websocket_connect", "websocket_message"])
def test_a_websocket_event_with_a_path_and_a_method_is_no_request(name: str) -> None:
    event = load_event(name) | {"path": "/", "httpMethod": "GET"}
    assert event["requestContext"]["eventType"]
    assert recognise(event) is None


@pytest.mark.parametrize("key", ["methodArn", "routeArn"])
@pytest.mark.parametrize("name", ["http_api", "http_api_v1", "rest_api", "kong_without_context"])
def test_an_authorizer_s_event_with_the_fields_of_a_request_is_no_request(name: str, key: str) -> None:
    assert recognise(load_event(name) | {key: "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/"}) is None


@pytest.mark.parametrize("config", [{"distributionId": "EXAMPLE"}, None])
def test_a_cloudfront_event_without_type_is_a_request_if_it_has_no_response(config: Any) -> None:
    event = load_event("edge_viewer_request")
    cloudfront = event["Records"][0]["cf"]
    cloudfront["config"] = config
    if config is None:
        del cloudfront["config"]
    assert recognise(event) == "lambda_edge"
    assert scope_of(event).path == scope_of(load_event("edge_viewer_request")).path

    cloudfront["response"] = {"status": "200"}
    assert recognise(event) is None
