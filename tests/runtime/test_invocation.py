"""Invocations and Lambda's context object."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from bridge.runtime.invocation import Context, Invocation


def invocation(body: bytes = b"{}", **headers: str) -> Invocation:
    return Invocation({name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_the_attributes_are_those_of_the_headers() -> None:
    deadline = int(time.time() * 1000) + 5000
    found = invocation(
        b'{"a": 1}',
        lambda_runtime_aws_request_id="r-9",
        lambda_runtime_invocation_id="i-7",
        lambda_runtime_trace_id="Root=1-2-3;Sampled=1",
        lambda_runtime_deadline_ms=str(deadline),
        lambda_runtime_invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:shop",
        lambda_runtime_aws_tenant_id="blue",
        lambda_runtime_cognito_identity='{"cognitoIdentityId": "me", "cognitoIdentityPoolId": "pool"}',
        lambda_runtime_client_context=json.dumps(
            {
                "client": {"app_title": "Shop"},
                "custom": {"a": "b"},
                "env": {"locale": "de"},
                "w3c": {"traceparent": "00-1-2-01", "baggage": 3, "other": "x"},
            }
        ),
    )
    context = Context(found)

    assert found.event() == {"a": 1}
    assert (found.request_id, found.invocation_id) == ("r-9", "i-7")
    assert context.aws_request_id == "r-9"
    assert context.trace_id == found.trace_id == "Root=1-2-3;Sampled=1"
    assert context.invoked_function_arn.endswith(":function:shop")
    assert context.tenant_id == "blue"
    assert 4000 < context.get_remaining_time_in_millis() <= 5000
    assert (context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id) == ("me", "pool")
    client_context: Any = context.client_context
    assert (client_context.client.app_title, client_context.client.installation_id) == ("Shop", None)
    assert (client_context.custom, client_context.env) == ({"a": "b"}, {"locale": "de"})
    assert context.w3c() == {"traceparent": "00-1-2-01"}
    assert str(context) == "<Context r-9>"


def test_without_headers_the_context_has_defaults() -> None:
    context = Context(invocation())

    assert (context.aws_request_id, context.invoked_function_arn, context.trace_id) == ("", "", "")
    assert (context.tenant_id, context.client_context, context.identity.cognito_identity_id) == (None, None, None)
    assert context.get_remaining_time_in_millis() == 0
    assert context.w3c() == {}


def test_an_event_of_another_content_type_than_json_is_bytes() -> None:
    assert invocation(b"\xff\x00", content_type="image/png").event() == b"\xff\x00"
    assert invocation(b"[1]", content_type="Application/JSON; charset=utf-8").event() == [1]


@pytest.mark.parametrize(
    ("text", "is_json"), [("{broken", False), ("[" * 100_000, False), ("", False), ("[1]", True), ('"text"', True)]
)
def test_a_client_context_and_identity_that_are_no_json_objects_are_ignored(
    text: str, is_json: bool, caplog: pytest.LogCaptureFixture
) -> None:
    context = Context(invocation(lambda_runtime_client_context=text, lambda_runtime_cognito_identity=text))

    assert (context.client_context, context.identity.cognito_identity_id) == (None, None)
    assert ("is not valid JSON" in caplog.text) == (not is_json)


@pytest.mark.parametrize("deadline", ["²", "9" * 5_000, "-1", "soon"])
def test_without_a_valid_deadline_no_time_is_left(deadline: str) -> None:
    assert Context(invocation(lambda_runtime_deadline_ms=deadline)).get_remaining_time_in_millis() == 0


def test_log_writes_the_message_without_a_line_break(capsys: pytest.CaptureFixture[str]) -> None:
    Context(invocation()).log("a message")

    assert capsys.readouterr().out == "a message"
