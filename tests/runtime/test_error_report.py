"""Errors as the Runtime API takes them."""

from __future__ import annotations

import json

import pytest

from bridge.runtime.error_report import Fault


def _fail(depth: int, message: str) -> None:
    if depth:
        _fail(depth - 1, message)
        return
    raise ValueError(message)  # here


def fault_of(depth: int, message: str) -> Fault:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what is raised is what is looked at
        _fail(depth, message)
    return Fault.of(caught.value)


def test_a_fault_has_type_and_message_and_stack() -> None:
    told = json.loads(fault_of(1, "wrong").to_json())

    assert (told["errorType"], told["errorMessage"]) == ("ValueError", "wrong")
    assert "raise ValueError(message)  # here" in told["stackTrace"][-1]
    assert len(told["stackTrace"]) == 3


@pytest.mark.parametrize("message", ["wrong", "x" * 9_000, "\N{GRINNING FACE}" * 9_000, "\x01" * 9_000])
def test_a_fault_is_no_longer_than_there_is_room_and_its_last_frame_stays(message: str) -> None:
    text = fault_of(50, message).to_json(2_800)

    told = json.loads(text)
    assert len(text) <= 2_800
    assert message.startswith(told["errorMessage"])
    assert len(told["errorMessage"]) >= min(len(message), 100)
    assert "raise ValueError(message)  # here" in told["stackTrace"][-1]


def test_a_fault_whose_type_is_long_fits_as_well() -> None:
    assert len(Fault("\N{GRINNING FACE}" * 5_000, "wrong").to_json(2_800)) <= 2_800
