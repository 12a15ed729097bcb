"""The caller's side: Lambda's Invoke, and what came of the command.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# A function runs for at most 15 minutes; the rest is for its start.
_READ_SECONDS = 15 * 60 + 60
_CONNECT_SECONDS = 10
_CREDENTIALS = "run `aws configure` or `aws sso login`, or name others by --profile or AWS_PROFILE"
# What Lambda and the security token service refuse with, and what to do then.
_REFUSALS = {
    "ResourceNotFoundException": "Is --function right, and --qualifier, --region and --profile?",
    "TooManyRequestsException": "The command was not run: all of the function's concurrency is in use. Try again.",
    "AccessDeniedException": "The right that it takes is lambda:InvokeFunction.",
    "RequestEntityTooLargeException": "At most 6 MB can be sent to a function.",
    "RequestTooLargeException": "At most 6 MB can be sent to a function.",
    "UnrecognizedClientException": f"These credentials are not valid: {_CREDENTIALS}.",
    "InvalidSignatureException": f"These credentials are not valid: {_CREDENTIALS}.",
    "ExpiredTokenException": f"These credentials have expired: {_CREDENTIALS}.",
    "ExpiredToken": f"These credentials have expired: {_CREDENTIALS}.",
}


class RemoteError(BridgeError):
    """A function could not be asked, or it did not run the command; the message says why and what to do."""


class Outcome(NamedTuple):
    """What came of a command.

    Attributes:
        status: its exit status.
        output: its output.
    """

    status: int
    output: str


def client(*, region: str | None = None, profile: str | None = None, endpoint_url: str | None = None) -> LambdaClient:
    """A client for Lambda.

    Args:
        region: the region; None for the profile's or the environment's.
        profile: the profile of the AWS CLI's configuration; None for the environment's.
        endpoint_url: where Lambda is, if not at AWS.

    Raises:
        ImportError: boto3 is not installed.
        RemoteError: there is no such profile, or no region.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": 1},  # a command must not be run twice
        tcp_keepalive=True,  # what is in between forgets a connection that is silent for some minutes
    )
    try:
        # boto3 knows AWS_DEFAULT_REGION only, the AWS CLI both.
        session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"), profile_name=profile)
        return session.client("lambda", endpoint_url=endpoint_url, config=config)
    except BotoCoreError as error:
        raise RemoteError(_explained(error)) from error
    except ValueError as error:  # an endpoint that is no URL
        raise RemoteError(f"{error}.") from error


def invoke(lambdas: LambdaClient, function: str, event: dict[str, Any], qualifier: str | None = None) -> Outcome:
    """Have a function run the command of *event*.

    Args:
        lambdas: Lambda's client.
        function: its name or ARN.
        event: see :func:`bridge.remote.event_of`.
        qualifier: its version or alias.

    Raises:
        RemoteError: it did not run the command, or not to its end.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    which = {"Qualifier": qualifier} if qualifier else {}
    try:
        answer = lambdas.invoke(FunctionName=function, Payload=json.dumps(event).encode(), **which)  # type: ignore[arg-type]
        content = answer["Payload"].read()
    except ClientError as error:
        told = error.response.get("Error", {})
        code, message = told.get("Code", ""), told.get("Message") or str(error)
        raise RemoteError(f"{function}: {message.rstrip('.')} ({code}). {_REFUSALS.get(code, '')}".rstrip()) from error
    except BotoCoreError as error:
        raise RemoteError(f"{function}: {_explained(error)}") from error
    try:
        payload = json.loads(content)
    except ValueError:  # AWS's emulator says so in plain text that a function has failed
        raise RemoteError(f"{function} failed: {content.decode(errors='replace').strip()}") from None
    return outcome(payload, function)


def outcome(payload: Any, function: str) -> Outcome:
    """What a function's answer says.

    Args:
        payload: the answer.
        function: its name, for messages.

    Raises:
        RemoteError: it is no command's answer: an error, or something else.
    """
    if isinstance(payload, list) and len(payload) == 2:
        status, output = payload
        if isinstance(status, int) and isinstance(output, str):
            return Outcome(status, output)
    if isinstance(payload, dict) and "errorMessage" in payload:
        kind, message = payload.get("errorType") or "", payload["errorMessage"]
        raise RemoteError(f"{function} failed: {f'{kind}: ' if kind else ''}{message}{_advice(kind, str(message))}")
    shown = json.dumps(payload)
    shown = shown if len(shown) < 200 else f"{shown[:200]} …"
    raise RemoteError(f"{function} does not know commands; it answered {shown}. {_HANDLERS}")


_HANDLERS = "A function that does is answered for by bridge.entrypoint.handler, or a handler of bridge.handler(app)."


def _advice(kind: str, message: str) -> str:
    """What to do about a function's error, if that is known; to follow its message."""
    if "Task timed out" in message or kind == "Sandbox.Timedout":
        return "\nA command has the time of the function's own timeout."
    if "keys _serverless-wsgi)" in message or (kind, message) == ("KeyError", "'headers'"):
        return f"\nIt does not know commands. {_HANDLERS}"
    return ""


def _explained(error: Exception) -> str:
    """What botocore says, and what to do."""
    from botocore import exceptions

    hints = {
        exceptions.NoCredentialsError: f"To have some, {_CREDENTIALS}.",
        exceptions.PartialCredentialsError: f"To have all, {_CREDENTIALS}.",
        exceptions.NoRegionError: "Name it by --region or AWS_REGION.",
        exceptions.ReadTimeoutError: "Whether the command has come to its end is in the function's log.",
        exceptions.ConnectionClosedError: "Whether the command has come to its end is in the function's log.",
        exceptions.EndpointConnectionError: "Is the network there, and --region and --endpoint-url right?",
        exceptions.ConnectTimeoutError: "Is the network there, and --region and --endpoint-url right?",
        exceptions.SSOError: "Run `aws sso login`.",
        exceptions.TokenRetrievalError: "Run `aws sso login`.",
    }
    hint = next((text for kind, text in hints.items() if isinstance(error, kind)), "")
    return f"{str(error).rstrip('.')}. {hint}".rstrip()
