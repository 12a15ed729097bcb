"""Reports of errors to the Runtime API."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from bridge.errors import ApplicationNotFoundError
from bridge.runtime.api_messages import ErrorReport

if TYPE_CHECKING:
    from pathlib import Path


def _fail(depth: int, message: str) -> None:
    if depth:
        _fail(depth - 1, message)
        return
    raise ValueError(message)  # here


def report_of(depth: int, message: str) -> ErrorReport:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the exception itself is tested
        _fail(depth, message)
    return ErrorReport.of(caught.value)


def test_a_report_has_type_message_and_stack() -> None:
    report = json.loads(report_of(1, "wrong").to_json())

    assert (report["errorType"], report["errorMessage"]) == ("ValueError", "wrong")
    assert "raise ValueError(message)  # here" in report["stackTrace"][-1]
    assert len(report["stackTrace"]) == 3


@pytest.mark.parametrize("message", ["wrong", "x" * 9_000, "\N{GRINNING FACE}" * 9_000, "\x01" * 9_000])
def test_a_report_fits_in_its_size_and_keeps_the_last_frame(message: str) -> None:
    text = report_of(50, message).to_json(2_800)

    report = json.loads(text)
    assert len(text) <= 2_800
    assert message.startswith(report["errorMessage"])
    assert len(report["errorMessage"]) >= min(len(message), 100)
    assert "raise ValueError(message)  # here" in report["stackTrace"][-1]


def test_a_report_with_a_long_type_fits_in_its_size() -> None:
    assert len(ErrorReport("\N{GRINNING FACE}" * 5_000, "wrong").to_json(2_800)) <= 2_800


def test_x_ray_gets_no_cause_that_is_too_long_for_a_header() -> None:
    assert json.loads(report_of(1, "wrong").to_xray())["exceptions"][0]["message"] == "wrong"
    assert report_of(1, "x" * 20_000).to_xray() == ""


@pytest.mark.parametrize("kind", [OSError, asyncio.CancelledError])
def test_a_report_needs_no_message_and_no_working_directory(
    kind: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise kind("no message")

    folder = tmp_path / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    report = ErrorReport.of(SilentError())

    assert json.loads(report.to_json())["errorMessage"] == "<SilentError.__str__() failed>"
    assert json.loads(report.to_xray())["exceptions"][0]["type"] == "SilentError"


def _not_found(cause: Exception | None) -> ApplicationNotFoundError:
    error = ApplicationNotFoundError("no application")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModuleNotFoundError("no module"), "Runtime.ImportModuleError"),
        (_not_found(ModuleNotFoundError("no module")), "Runtime.ImportModuleError"),
        (_not_found(AttributeError("no attribute")), "Runtime.HandlerNotFound"),
        (_not_found(None), "Runtime.HandlerNotFound"),
        (SyntaxError("invalid"), "Runtime.UserCodeSyntaxError"),
        (SystemExit(3), "SystemExit"),
    ],
)
def test_errors_of_the_init_phase_have_the_types_of_aws_s_client(error: BaseException, kind: str) -> None:
    assert ErrorReport.of_init(error).kind == kind
