"""Who asks a function for a command: one request, and a clear end whatever comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from bridge.dev.cli.lambda_client import RemoteError, client, invoke
from bridge.remote import event_of
from tests.remote.lambdas import CREDENTIALS, NOTHING, Lambda

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in NOTHING.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def lambdas(credentials: None) -> Iterator[Lambda]:
    made = Lambda()
    yield made
    made.close()


def ask(url: str, *, profile: str | None = None, region: str | None = None) -> tuple[int, str]:
    made = client(endpoint_url=url, profile=profile, region=region)
    try:
        return invoke(made, "shop", event_of("exec", "1"))
    finally:
        made.close()


def refused(url: str, **options: Any) -> str:
    with pytest.raises(RemoteError) as caught:
        ask(url, **options)
    return str(caught.value)


@pytest.mark.parametrize("answer", [[0, ""], [5, "whole\n☕"], [255, "x" * 1_000_000]])
def test_a_commands_answer_is_its_status_and_output(lambdas: Lambda, answer: list[Any]) -> None:
    lambdas.answer(answer)
    assert ask(lambdas.url) == tuple(answer)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"errorMessage": "KeyError", "errorType": "KeyError"}, "shop failed: KeyError: KeyError"),
        ({"errorMessage": "'headers'", "errorType": "KeyError"}, "It does not know commands."),
        ({"errorMessage": "2026-11-20 Task timed out after 3.00 seconds"}, "the time of the function's own timeout"),
        ({"statusCode": 404}, 'shop does not know commands; it answered {"statusCode": 404}.'),
        ([0, 1], "shop does not know commands; it answered [0, 1]."),
        (["0", ""], "shop does not know commands"),
        (None, "shop does not know commands; it answered null."),
        ("x" * 1000, f'it answered "{"x" * 199} …'),
    ],
)
def test_an_answer_that_is_no_commands_is_explained(lambdas: Lambda, payload: Any, says: str) -> None:
    lambdas.answer(payload, error=True)
    assert says in refused(lambdas.url)


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (404, "ResourceNotFoundException", "Is --function right"),
        (429, "TooManyRequestsException", "The command was not run"),
        (403, "AccessDeniedException", "lambda:InvokeFunction"),
        (403, "UnrecognizedClientException", "These credentials are not valid"),
        (403, "ExpiredTokenException", "These credentials have expired"),
        (413, "RequestTooLargeException", "At most 6 MB"),
        (500, "ServiceException", "shop: it is so (ServiceException)."),
    ],
)
def test_a_refusal_of_lambdas_is_one_message_and_one_request(lambdas: Lambda, code: int, kind: str, says: str) -> None:
    lambdas.refuse(code, kind, "it is so.")
    message = refused(lambdas.url)
    assert message.startswith(f"shop: it is so ({kind}).")
    assert says in message
    assert len(lambdas.asked) == 1


def test_plain_text_is_the_functions_error(lambdas: Lambda) -> None:
    lambdas.body = b"Task timed out after 3.00 seconds"
    assert refused(lambdas.url) == "shop failed: Task timed out after 3.00 seconds"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "You must specify a region. Name it by --region or AWS_REGION."),
        ({"region": "eu-west-1"}, "shop: Unable to locate credentials. To have some, run `aws configure`"),
        ({"profile": "nobody"}, "The config profile (nobody) could not be found."),
    ],
)
def test_what_is_missing_to_ask_a_function_is_named(options: dict[str, str], says: str) -> None:
    assert refused("http://127.0.0.1:1", **options).startswith(says)


@pytest.mark.parametrize(
    ("url", "says"), [("http://127.0.0.1:1", "Is the network there"), ("nowhere", "Invalid endpoint: nowhere.")]
)
def test_an_endpoint_that_is_not_there_is_named(credentials: None, url: str, says: str) -> None:
    assert says in refused(url)


def test_no_region_of_the_environment_is_left_out(lambdas: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv("AWS_REGION", raising=False)
        monkeypatch.setenv(name, "eu-west-1")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        assert ask(lambdas.url) == (0, "done\n")


def test_an_answer_that_does_not_come_is_not_asked_for_again(lambdas: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.dev.cli.lambda_client._READ_SECONDS", 0.05)
    lambdas.is_silent = True
    assert "Whether the command has come to its end is in the function's log." in refused(lambdas.url)
    assert len(lambdas.asked) == 1
