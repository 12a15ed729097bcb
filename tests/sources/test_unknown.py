"""What is told of an event that no source reads: what it seems to be, or which of its fields is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import wsgi_handler
from bridge.errors import EventError
from bridge.sources import recognise
from tests.events import load_event


def told(event: Any) -> str:
    """The message of the error that *event* is."""

    def app(environ: Any, start_response: Any) -> Any:
        raise AssertionError("the application was called")

    with pytest.raises(EventError) as caught:
        wsgi_handler(app, warm_up=False)(event, None)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "seems"),
    [
        ("sqs", "aws:sqs"),
        ("s3", "aws:s3"),
        ("event_bridge", "EventBridge (com.example.shop: OrderPlaced)"),
        ("scheduled_event", "EventBridge (aws.events: Scheduled Event)"),
        ("appsync", "AppSync"),
        ("bedrock_agent", "a Bedrock agent"),
        ("authorizer_token", "API Gateway, which asks a Lambda authorizer"),
        ("authorizer_request_v2", "API Gateway, which asks a Lambda authorizer"),
        ("websocket_connect", "an API Gateway WebSocket API"),
        ("edge_origin_response", "CloudFront, but is of the type 'origin-response'; only viewer-request and"),
    ],
)
def test_a_stored_event_that_is_no_request_is_told_by_its_sender(name: str, seems: str) -> None:
    assert f"is no HTTP request from a known source; it seems to come from {seems}" in told(load_event(name))


@pytest.mark.parametrize(
    ("event", "seems"),
    [
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "aws:sns"),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "aws:dynamodb"),
        ({"eventSource": "aws:kafka", "records": {}}, "aws:kafka"),
        ({"awslogs": {"data": ""}}, "CloudWatch Logs"),
        ({"invocationId": "1", "deliveryStreamArn": "arn", "records": []}, "Amazon Data Firehose"),
        ({"triggerSource": "PreSignUp_SignUp", "userPoolId": "eu"}, "a Cognito user pool"),
        ({"RequestType": "Create", "ResponseURL": "https://"}, "CloudFormation, for a custom resource"),
        ({"Execution": {}, "State": {}, "StateMachine": {}}, "Step Functions"),
        ({"taskToken": "AAAA", "input": {}}, "Step Functions"),
        ({"CodePipeline.job": {}}, "CodePipeline"),
    ],
)
def test_an_event_is_told_by_its_keys(event: Any, seems: str) -> None:
    assert f"from a known source; it seems to come from {seems}. If the function" in told(event)


@pytest.mark.parametrize(
    ("event", "looks"),
    [
        ({"httpMethod": "GET"}, "a REST API's or a load balancer's, but path is missing"),
        (
            {"rawPath": "/", "requestContext": {}},
            "an HTTP API's or a Function URL's, but requestContext.http is missing",
        ),
        ({"rawPath": "/", "requestContext": "GET"}, "Function URL's, but requestContext.http is missing"),
        ({"routeKey": "$default"}, "an HTTP API's, but requestContext.http is missing"),
        ({"raw_path": "/"}, "VPC Lattice's, but method is missing"),
    ],
)
def test_half_a_request_is_told_by_what_it_lacks(event: Any, looks: str) -> None:
    message = told(event)
    assert "; it looks like " in message
    assert looks in message


@pytest.mark.parametrize("event", [{}, {"odd": 1}, {"Records": None}, {"Records": [None]}, {"Records": "cf"}, [], "x"])
def test_of_an_event_like_no_other_nothing_is_guessed(event: Any) -> None:
    assert "is no HTTP request from a known source. If the function" in told(event)


REST = {"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": {}}
HTTP = {"version": "2.0", "rawPath": "/", "headers": {}, "requestContext": {"http": {"method": "GET"}}}


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ({**REST, "headers": "Host: x"}, "a REST API writes it: headers is a JSON string; it must be an object."),
        ({**REST, "headers": [1]}, "a REST API writes it: headers is a JSON array; it must be an object."),
        ({**REST, "requestContext": 7}, "a REST API writes it: requestContext is a JSON number; it must be an object."),
        (
            {**REST, "requestContext": {"identity": "me"}},
            "a REST API writes it: requestContext.identity is a JSON string; it must be an object.",
        ),
        (
            {**HTTP, "requestContext": {"http": "GET"}},
            "an HTTP API or a Function URL writes it: requestContext.http is a JSON string; it must be an object.",
        ),
        ({**HTTP, "rawPath": 7}, "an HTTP API or a Function URL writes it: rawPath is a JSON number; it must be text."),
        ({**HTTP, "cookies": 7}, "Function URL writes it: cookies is a JSON number; it must be an array."),
        ({**HTTP, "headers": {"a": "b"}, "cookies": True}, "cookies is a JSON boolean; it must be an array."),
        (
            {"Records": [{"cf": {"config": {"eventType": "viewer-request"}, "request": "GET"}}]},
            "CloudFront writes it: Records.0.cf.request is a JSON string; it must be an object.",
        ),
        (
            {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/", "headers": 7},
            "a load balancer writes it: headers is a JSON number; it must be an object.",
        ),
    ],
)
def test_a_malformed_request_is_told_by_the_field_that_is_wrong(event: Any, wrong: str) -> None:
    assert recognise(event) is not None
    message = told(event)
    assert message.startswith("The event is not as ")
    assert wrong in message
