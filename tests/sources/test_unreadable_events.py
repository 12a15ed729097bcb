"""Messages about events that no source can read: the likely sender, or the field that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import wsgi_handler
from bridge.errors import EventError
from bridge.sources import recognise
from tests.events import load_event


def message_of(event: Any) -> str:
    def app(environ: Any, start_response: Any) -> Any:
        raise AssertionError("the application was called")

    with pytest.raises(EventError) as raised:
        wsgi_handler(app, warm_up=False)(event, None)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("sqs", "aws:sqs"),
        ("s3", "aws:s3"),
        ("event_bridge", "EventBridge (com.example.shop: OrderPlaced)"),
        ("scheduled_event", "EventBridge (aws.events: Scheduled Event)"),
        ("appsync", "AppSync"),
        ("bedrock_agent", "a Bedrock agent"),
        ("authorizer_token", "API Gateway, for a Lambda authorizer"),
        ("authorizer_request_v2", "API Gateway, for a Lambda authorizer"),
        ("websocket_connect", "an API Gateway WebSocket API"),
        ("edge_origin_response", "CloudFront, with the event type 'origin-response'; only viewer-request and"),
    ],
)
def test_the_sender_of_a_recorded_event_is_named(name: str, sender: str) -> None:
    assert f"is not an HTTP request from a supported source; it seems to come from {sender}" in message_of(
        load_event(name)
    )


@pytest.mark.parametrize(
    ("event", "sender"),
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
def test_the_sender_is_recognised_by_keys_of_the_event(event: Any, sender: str) -> None:
    assert f"from a supported source; it seems to come from {sender}. If the function" in message_of(event)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"httpMethod": "GET"}, "a REST API or a load balancer, but path is missing"),
        (
            {"rawPath": "/", "requestContext": {}},
            "an HTTP API or a Function URL, but requestContext.http is missing",
        ),
        (
            {"rawPath": "/", "requestContext": "GET"},
            "an HTTP API or a Function URL, but requestContext.http is missing",
        ),
        ({"routeKey": "$default"}, "an HTTP API, but requestContext.http is missing"),
        ({"raw_path": "/"}, "VPC Lattice, but method is missing"),
    ],
)
def test_the_missing_field_of_an_incomplete_request_is_named(event: Any, problem: str) -> None:
    assert f"; it looks like a request from {problem}. If the function" in message_of(event)


@pytest.mark.parametrize("event", [{}, {"odd": 1}, {"Records": None}, {"Records": [None]}, {"Records": "cf"}, [], "x"])
def test_an_unknown_event_has_no_likely_sender(event: Any) -> None:
    assert "is not an HTTP request from a supported source. If the function" in message_of(event)


REST = {"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": {}}

HTTP = {"version": "2.0", "rawPath": "/", "headers": {}, "requestContext": {"http": {"method": "GET"}}}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({**REST, "headers": "Host: x"}, "a REST API sends it: headers is a JSON string; it must be an object."),
        ({**REST, "headers": [1]}, "a REST API sends it: headers is a JSON array; it must be an object."),
        ({**REST, "requestContext": 7}, "a REST API sends it: requestContext is a JSON number; it must be an object."),
        (
            {**REST, "requestContext": {"identity": "me"}},
            "a REST API sends it: requestContext.identity is a JSON string; it must be an object.",
        ),
        (
            {**HTTP, "requestContext": {"http": "GET"}},
            "an HTTP API or a Function URL sends it: requestContext.http is a JSON string; it must be an object.",
        ),
        ({**HTTP, "rawPath": 7}, "an HTTP API or a Function URL sends it: rawPath is a JSON number; it must be text."),
        ({**HTTP, "cookies": 7}, "Function URL sends it: cookies is a JSON number; it must be an array."),
        ({**HTTP, "headers": {"a": "b"}, "cookies": True}, "cookies is a JSON boolean; it must be an array."),
        (
            {"Records": [{"cf": {"config": {"eventType": "viewer-request"}, "request": "GET"}}]},
            "CloudFront sends it: Records.0.cf.request is a JSON string; it must be an object.",
        ),
        (
            {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/", "headers": 7},
            "a load balancer sends it: headers is a JSON number; it must be an object.",
        ),
    ],
)
def test_the_field_of_a_wrong_type_is_named(event: Any, problem: str) -> None:
    assert recognise(event) is not None
    message = message_of(event)
    assert message.startswith("The event does not have the form in which ")
    assert message.endswith(problem)
