"""The context object that a function gets on this machine."""

from __future__ import annotations

from bridge.dev.gateway.context import LocalContext


def test_it_describes_the_function() -> None:
    context = LocalContext(10, "shop")
    assert context.function_name == "shop"
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:shop"
    assert context.log_group_name == "/aws/lambda/shop"
    assert context.function_version == "$LATEST"
    assert int(context.memory_limit_in_mb) > 0


def test_each_invocation_has_its_own_request_id() -> None:
    assert LocalContext(1).aws_request_id != LocalContext(1).aws_request_id


def test_the_remaining_time_counts_down_to_zero() -> None:
    context = LocalContext(10)
    remaining = context.get_remaining_time_in_millis()
    assert 0 < remaining <= 10_000
    assert context.get_remaining_time_in_millis() <= remaining
    assert LocalContext(-5).get_remaining_time_in_millis() == 0
