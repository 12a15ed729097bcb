"""Messages for the errors of AWS's APIs."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from bridge.dev.deploying.aws import AwsClients, AwsError, AwsTarget, aws_errors, describe_error, make_session
from bridge.dev.deploying.change_set import ResourceChange, url_effect
from tests.remote.fake_lambda import NO_AWS_CONFIG

DENIED = "User: arn:aws:iam::1:user/dev is not authorized to perform: cloudformation:CreateChangeSet on resource: x"


@pytest.mark.parametrize(
    ("code", "message", "operation", "expected"),
    [
        ("AccessDenied", DENIED, "CreateChangeSet", "The permission cloudformation:CreateChangeSet is missing: User: "),
        ("AccessDenied", "Access Denied", "PutObject", "The permission s3:PutObject is missing: Access Denied. "),
        ("403", "Forbidden", "HeadObject", "The permission s3:GetObject is missing: Forbidden. "),
        ("ExpiredToken", "old", "DescribeStacks", "The credentials have expired (ExpiredToken): run `aws configure`"),
        ("InvalidClientTokenId", "bad", "DescribeStacks", "The credentials are invalid (InvalidClientTokenId): run "),
        ("Throttling", "Rate exceeded", "DescribeStacks", "AWS throttles DescribeStacks: Rate exceeded. Try again in "),
        ("ValidationError", "No.", "CreateChangeSet", "CreateChangeSet: No (ValidationError)."),
    ],
)
def test_an_error_of_an_api_names_the_reason_and_what_to_do(
    code: str, message: str, operation: str, expected: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, operation)
    assert describe_error(error).startswith(expected)
    assert ("bridge deploy --print-policy" in describe_error(error)) == ("permission" in expected)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (exceptions.NoCredentialsError(), "Unable to locate credentials. To set credentials, run `aws configure` or "),
        (exceptions.EndpointConnectionError(endpoint_url="http://tea"), "Check the network connection, --region and "),
        (exceptions.ProfileNotFound(profile="tea"), "Name another one with --profile, or add it with `aws configure "),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="old"), "Run `aws sso login`."),
    ],
)
def test_an_error_without_an_answer_has_a_hint(error: Exception, message: str) -> None:
    with pytest.raises(AwsError) as raised, aws_errors("The upload"):
        raise error
    assert str(raised.value).startswith("The upload: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "front_door", "effect"),
    [
        ([("add", "FunctionUrl")], "function-url", "new"),
        ([("modify", "Function")], "function-url", "kept"),
        ([("modify", "FunctionUrl")], "function-url", "kept"),
        ([("replace", "FunctionUrl")], "function-url", "changes"),
        ([("replace?", "RestApi")], "rest-api", "may change"),
        ([("add", "HttpApi"), ("remove", "FunctionUrl")], "http-api", "changes"),
        ([("replace", "ListenerRule")], "alb", "changes"),
        ([("modify", "ListenerRule", "Actions")], "alb", "kept"),
        ([("modify", "ListenerRule", "Conditions")], "alb", "changes"),
        ([("add", "ListenerRule", "Conditions")], "alb", "new"),
        ([("replace?", "RestApiStage", "DeploymentId")], "rest-api", "kept"),
        ([("add", "Domain"), ("add", "DomainMapping")], "http-api", "new"),
        ([("remove", "Domain"), ("remove", "DomainMapping")], "http-api", "changes"),
        ([("replace", "Domain", "DomainName")], "rest-api", "changes"),
        ([("remove", "Domain"), ("remove", "HttpApi"), ("add", "FunctionUrl")], "function-url", "changes"),
    ],
)
def test_the_changes_tell_what_happens_to_the_url(changes: list[tuple[str, ...]], front_door: str, effect: str) -> None:
    found = [ResourceChange(action, name, "", tuple(properties)) for action, name, *properties in changes]
    assert url_effect(found, front_door) == effect


# The region and the credentials


@pytest.fixture
def machine_without_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_AWS_CONFIG.items():
        monkeypatch.setenv(name, value)


def test_an_emulator_needs_neither_a_region_nor_credentials(machine_without_account: None) -> None:
    session = make_session(AwsTarget(endpoint_url="http://localhost:4566"))
    credentials = session.get_credentials()
    assert credentials is not None
    assert (session.region_name, credentials.access_key) == ("us-east-1", "test")


def test_an_emulator_gets_the_region_and_the_credentials_that_are_set(
    machine_without_account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own")
    session = make_session(AwsTarget(region="eu-west-1", endpoint_url="http://localhost:4566"))
    credentials = session.get_credentials()
    assert credentials is not None
    assert (session.region_name, credentials.access_key) == ("eu-west-1", "own")


@pytest.mark.parametrize("endpoint_url", [None, "https://vpce-1.cloudformation.eu-west-1.vpce.amazonaws.com"])
def test_aws_needs_a_region_and_credentials(machine_without_account: None, endpoint_url: str | None) -> None:
    with pytest.raises(AwsError, match="You must specify a region"):
        AwsClients(AwsTarget(endpoint_url=endpoint_url))
    clients = AwsClients(AwsTarget(region="eu-west-1", endpoint_url=endpoint_url))
    with pytest.raises(AwsError, match="Unable to locate credentials"), aws_errors():
        clients.identity()
