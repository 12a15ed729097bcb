"""Sending a command to a function: one request, and a clear message for every failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from bridge.dev.cli.remote_client import CommandResult, RemoteError, invoke, make_client
from bridge.remote.commands import command_event
from tests.remote.fake_lambda import CREDENTIALS, NO_AWS_CONFIG, FakeLambda

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_AWS_CONFIG.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def fake_lambda(credentials: None) -> Iterator[FakeLambda]:
    fake = FakeLambda()
    yield fake
    fake.close()


def send(url: str | None, *, profile: str | None = None, region: str | None = None) -> CommandResult:
    client = make_client(endpoint_url=url, profile=profile, region=region)
    try:
        return invoke(client, "shop", command_event("exec", "1"))
    finally:
        client.close()


def error_message(url: str | None, **options: Any) -> str:
    with pytest.raises(RemoteError) as caught:
        send(url, **options)
    return str(caught.value)


@pytest.mark.parametrize("payload", [[0, ""], [5, "whole\n☕"], [255, "x" * 1_000_000]])
def test_the_result_is_the_commands_status_and_output(fake_lambda: FakeLambda, payload: list[Any]) -> None:
    fake_lambda.respond(payload)
    assert send(fake_lambda.url) == tuple(payload)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"errorMessage": "KeyError", "errorType": "KeyError"}, "shop failed: KeyError: KeyError"),
        ({"errorMessage": "'headers'", "errorType": "KeyError"}, "It does not support remote commands."),
        ({"errorMessage": "2026-11-20 Task timed out after 3.00 seconds"}, "ends with the function's timeout"),
        ({"statusCode": 404}, 'shop does not support remote commands: it returned {"statusCode": 404}.'),
        ([0, 1], "shop does not support remote commands: it returned [0, 1]."),
        (["0", ""], "shop does not support remote commands"),
        (None, "shop does not support remote commands: it returned null."),
        ("x" * 1000, f'it returned "{"x" * 199} …'),
    ],
)
def test_a_payload_that_is_no_commands_result_is_explained(fake_lambda: FakeLambda, payload: Any, message: str) -> None:
    fake_lambda.respond(payload, error=True)
    assert message in error_message(fake_lambda.url)


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (404, "ResourceNotFoundException", "Check --function"),
        (429, "TooManyRequestsException", "The command was not run"),
        (403, "AccessDeniedException", "lambda:InvokeFunction"),
        (403, "UnrecognizedClientException", "The credentials are invalid"),
        (403, "ExpiredTokenException", "The credentials have expired"),
        (413, "RequestTooLargeException", "at most 6 MB"),
        (500, "ServiceException", "shop: the reason (ServiceException)."),
    ],
)
def test_an_error_of_the_lambda_api_is_explained_and_not_retried(
    fake_lambda: FakeLambda, status: int, code: str, hint: str
) -> None:
    fake_lambda.refuse(status, code, "the reason.")
    message = error_message(fake_lambda.url)
    assert message.startswith(f"shop: the reason ({code}).")
    assert hint in message
    assert len(fake_lambda.requests) == 1


def test_a_response_in_plain_text_is_the_functions_error(fake_lambda: FakeLambda) -> None:
    fake_lambda.body = b"Task timed out after 3.00 seconds"
    assert error_message(fake_lambda.url) == "shop failed: Task timed out after 3.00 seconds"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "You must specify a region. Set it with --region or AWS_REGION."),
        ({"region": "eu-west-1"}, "shop: Unable to locate credentials. To set credentials, run `aws configure`"),
        ({"profile": "nobody"}, "The config profile (nobody) could not be found."),
    ],
)
def test_missing_configuration_is_named(options: dict[str, str], message: str) -> None:
    assert error_message(None, **options).startswith(message)


def test_an_emulator_needs_no_configuration(fake_lambda: FakeLambda, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    assert send(fake_lambda.url) == (0, "done\n")


@pytest.mark.parametrize(
    ("url", "message"),
    [("http://127.0.0.1:1", "Check the network connection"), ("nowhere", "Invalid endpoint: nowhere.")],
)
def test_an_unreachable_endpoint_is_named(credentials: None, url: str, message: str) -> None:
    assert message in error_message(url)


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_may_come_from_either_variable(
    fake_lambda: FakeLambda, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(variable, "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert send(fake_lambda.url) == (0, "done\n")


def test_a_request_that_times_out_is_not_retried(fake_lambda: FakeLambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.dev.cli.remote_client._READ_SECONDS", 0.05)
    fake_lambda.is_silent = True
    assert "The function's log shows whether the command has ended." in error_message(fake_lambda.url)
    assert len(fake_lambda.requests) == 1
