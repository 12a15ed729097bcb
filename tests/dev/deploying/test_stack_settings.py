"""The options of a stack that fit together, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.dev.deploying.function_settings import FunctionSettings
from bridge.dev.deploying.stack_settings import StackSettings, check_stage, split_vpc
from bridge.dev.errors import UsageError

LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/tea/50dc6c495c0c9188/f2f7dc8efc522ab2"


def stack(function: dict[str, Any] | None = None, **options: Any) -> StackSettings:
    defaults: dict[str, Any] = {"python": "3.13", "arch": "x86_64"}
    return StackSettings("shop", "prod", FunctionSettings(**{**defaults, **(function or {})}), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"front_door": "alb"}, "--front-door alb needs the listener of a load balancer."),
        ({"listener": LISTENER}, "--listener applies only to --front-door alb."),
        ({"priority": 3}, "--priority applies only to --front-door alb."),
        ({"front_door": "alb", "listener": "arn:aws:x"}, "this is not the ARN of an application load balancer's"),
        ({"domain": "a.example.com"}, "a Function URL has no domain of its own."),
        ({"front_door": "http-api", "domain": "shop"}, "--domain shop: this is not a host name."),
        ({"certificate": "arn:aws:acm:x"}, "--certificate needs the domain that it is for."),
        ({"retention": 2}, "--log-retention 2: CloudWatch keeps logs for one of 1, 3, 5,"),
        ({"front_door": "http-api", "function": {"streaming": True}}, "--stream: an HTTP API does not stream."),
        (
            {"front_door": "alb", "listener": LISTENER, "function": {"streaming": True}},
            "--stream: a load balancer does not stream.",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        stack(**options).check()
    assert message in str(error.value)


def test_a_timeout_above_the_front_doors_is_a_warning() -> None:
    assert stack({"timeout": 60}).warnings == []
    (warning,) = stack({"timeout": 60}, front_door="http-api").warnings
    assert "An HTTP API waits for 30 seconds, and the function may take 60." in warning
    assert stack({"timeout": 60, "streaming": True}, front_door="rest-api").warnings == []


@pytest.mark.parametrize("stage", ["", "$default", "a_b", "-a", "a" * 17, "a--b"])
def test_a_stage_that_no_stack_can_have_is_an_error(stage: str) -> None:
    with pytest.raises(UsageError, match="a stage has up to 16 letters"):
        check_stage(stage)


def test_the_ids_of_a_vpc_are_told_apart_by_their_prefixes() -> None:
    assert split_vpc("subnet-1, sg-2,subnet-3") == (["subnet-1", "subnet-3"], ["sg-2"])
    assert split_vpc("") == ([], [])
    with pytest.raises(UsageError, match="--vpc: vpc-1 is not the id of a subnet"):
        split_vpc("vpc-1,sg-2")
