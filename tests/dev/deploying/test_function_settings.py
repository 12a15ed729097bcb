"""The name of a deployment."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dev.deploying.function_settings import check_name, default_name


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
