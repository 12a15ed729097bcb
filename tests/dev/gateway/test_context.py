"""Lambda's context object on this machine."""

from __future__ import annotations

import os
import warnings

from bridge.dev.gateway.context import LocalContext


def test_it_names_the_function() -> None:
    context = LocalContext.starting(10, "shop")
    assert context.function_name == "shop"
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:shop"
    assert context.log_group_name == "/aws/lambda/shop"
    assert context.function_version == "$LATEST"
    assert int(context.memory_limit_in_mb) > 0


def test_each_invocation_has_an_id_of_its_own() -> None:
    assert LocalContext.starting(1).aws_request_id != LocalContext.starting(1).aws_request_id


def test_processes_that_are_forked_have_ids_of_their_own() -> None:
    reader, writer = os.pipe()
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
    child = os.fork()
    if not child:
        os.write(writer, LocalContext.starting(1).aws_request_id.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 64).decode() != LocalContext.starting(1).aws_request_id
    os.close(reader)
    os.close(writer)


def test_the_time_left_counts_down_to_nothing_and_not_below() -> None:
    context = LocalContext.starting(10)
    first = context.get_remaining_time_in_millis()
    assert 0 < first <= 10_000
    assert context.get_remaining_time_in_millis() <= first
    assert LocalContext.starting(-5).get_remaining_time_in_millis() == 0
