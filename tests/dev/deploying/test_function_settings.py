"""The settings of a function, and its name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dev.deploying.function_settings import FunctionSettings, check_name, default_name
from bridge.dev.errors import UsageError


@pytest.mark.parametrize(
    ("folder", "name"),
    [("shop", "shop"), ("My Shop_2", "my-shop-2"), ("2024-shop", "shop"), ("café", "cafe"), ("店", "app"), ("", "app"),
     ("--a--b--", "a-b"), ("x" * 50, "x" * 32), ("a" * 31 + "-b", "a" * 31), ("Ünï.côdé", "uni-code"), ("42", "app")],
)  # fmt: skip
def test_a_folders_name_becomes_one_that_every_tool_takes(folder: str, name: str) -> None:
    assert default_name(folder) == name


@given(st.text(max_size=60))
def test_the_default_name_of_any_folder_is_valid(folder: str) -> None:
    name = default_name(folder)
    assert check_name(name) == name
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ({"memory": 64}, "--memory 64: Lambda takes 128 to 10240 MB."),
        ({"memory": 20_000}, "--memory 20000: Lambda takes 128 to 10240 MB."),
        ({"timeout": 901}, "--timeout 901: Lambda takes 1 to 900 seconds."),
        ({"snap_start": True, "python": "3.11"}, "--snap-start: Lambda takes snapshots from Python 3.12 on"),
        ({"subnets": ["subnet-1"]}, "--vpc: the id of a security group"),
        ({"security_groups": ["sg-1"]}, "--vpc: the id of a subnet"),
        ({"environment": {"AWS_REGION": "x"}}, "AWS_REGION cannot be set: Lambda sets it itself."),
        ({"environment": {"1A": "x"}}, "1A cannot be set: a name has two or more letters,"),
        ({"environment": {"KEY": "x"}, "secrets": {"KEY": "y"}}, "KEY is set twice"),
        ({"environment": {"TEA": "x" * 5000}}, "have 5003 bytes: Lambda takes 4096."),
    ],
)
def test_what_lambda_refuses_is_an_error(function: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        FunctionSettings(**{"python": "3.13", "arch": "x86_64", **function}).check()
    assert message in str(error.value)
