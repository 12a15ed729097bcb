"""Sending a remote command to a deployed function, and reading its result.

The command is sent by Lambda's Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.dev.deploying.aws import CREDENTIALS_HINT, AwsTarget, connection_hint, make_session
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# The longest timeout of a function, and a minute for its start.
_READ_SECONDS = 15 * 60 + 60
_CONNECT_SECONDS = 10
_INTERRUPTED_HINT = "The function's log shows whether the command has ended."
_HANDLER_HINT = (
    "Functions that support them have the handler bridge.entrypoint.handler, or one made by bridge.handler(app)."
)
# Error codes of Lambda and of the Security Token Service.
_ERROR_HINTS = {
    "ResourceNotFoundException": "Check --function, --qualifier, --region and --profile.",
    "TooManyRequestsException": "The command was not run: the function has no free concurrency. Try again.",
    "AccessDeniedException": "The permission lambda:InvokeFunction is required.",
    "RequestEntityTooLargeException": "A request to a function has at most 6 MB.",
    "RequestTooLargeException": "A request to a function has at most 6 MB.",
    "UnrecognizedClientException": f"The credentials are invalid: {CREDENTIALS_HINT}.",
    "InvalidSignatureException": f"The credentials are invalid: {CREDENTIALS_HINT}.",
    "ExpiredTokenException": f"The credentials have expired: {CREDENTIALS_HINT}.",
    "ExpiredToken": f"The credentials have expired: {CREDENTIALS_HINT}.",
}


class RemoteError(BridgeError):
    """The function could not be invoked, or did not run the command. The message says why, and what to do."""


class CommandResult(NamedTuple):
    """The result of a command.

    Attributes:
        status: its exit status.
        output: its output.
    """

    status: int
    output: str


def make_client(
    *, region: str | None = None, profile: str | None = None, endpoint_url: str | None = None
) -> LambdaClient:
    """Return a client for the Lambda API that sends each request once.

    Args:
        region: the region; None for that of the profile or the environment.
        profile: a profile of the AWS CLI's configuration; None for that of the environment.
        endpoint_url: the URL of the Lambda API; None for AWS.

    Raises:
        ImportError: boto3 is not installed.
        RemoteError: the profile or the region is missing, or the URL is invalid.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": 1},  # a retry could run the command twice
        tcp_keepalive=True,  # firewalls drop connections that are silent for some minutes
    )
    try:
        session = make_session(AwsTarget(region, profile, endpoint_url))
        return session.client("lambda", endpoint_url=endpoint_url, config=config)
    except BotoCoreError as error:
        raise RemoteError(_describe(error)) from error
    except ValueError as error:  # the endpoint is not a URL
        raise RemoteError(f"{error}.") from error


def invoke(client: LambdaClient, function: str, event: dict[str, Any], qualifier: str | None = None) -> CommandResult:
    """Send a command to a function and return its result.

    Args:
        client: the client for the Lambda API.
        function: the function's name or ARN.
        event: the command; see :func:`bridge.remote.commands.command_event`.
        qualifier: a version or alias of the function.

    Raises:
        RemoteError: the function did not run the command, or not to its end.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    options = {"Qualifier": qualifier} if qualifier else {}
    try:
        response = client.invoke(FunctionName=function, Payload=json.dumps(event).encode(), **options)  # type: ignore[arg-type]
        content = response["Payload"].read()
    except ClientError as error:
        details = error.response.get("Error", {})
        code, message = details.get("Code", ""), details.get("Message") or str(error)
        hint = _ERROR_HINTS.get(code, "")
        raise RemoteError(f"{function}: {message.rstrip('.')} ({code}). {hint}".rstrip()) from error
    except BotoCoreError as error:
        raise RemoteError(f"{function}: {_describe(error)}") from error
    try:
        payload = json.loads(content)
    except ValueError:  # AWS's Runtime Interface Emulator reports errors as plain text
        raise RemoteError(f"{function} failed: {content.decode(errors='replace').strip()}") from None
    return parse_result(payload, function)


def parse_result(payload: Any, function: str) -> CommandResult:
    """Return the result in the payload of a function.

    Args:
        payload: the payload.
        function: the function's name, for messages.

    Raises:
        RemoteError: the payload is an error, or is not the result of a command.
    """
    if isinstance(payload, list) and len(payload) == 2:
        status, output = payload
        if isinstance(status, int) and isinstance(output, str):
            return CommandResult(status, output)
    if isinstance(payload, dict) and "errorMessage" in payload:
        error_type, message = payload.get("errorType") or "", str(payload["errorMessage"])
        prefix = f"{error_type}: " if error_type else ""
        raise RemoteError(f"{function} failed: {prefix}{message}{_function_error_hint(error_type, message)}")
    text = json.dumps(payload)
    if len(text) >= 200:
        text = f"{text[:200]} …"
    raise RemoteError(f"{function} does not support remote commands: it returned {text}. {_HANDLER_HINT}")


def _function_error_hint(error_type: str, message: str) -> str:
    """Return a second line for the message of a function's error; empty if nothing is known about it."""
    if "Task timed out" in message or error_type == "Sandbox.Timedout":
        return "\nA command ends with the function's timeout. Set a longer one for the function."
    # Errors of handlers without remote commands: of the bridge's for other events, and of serverless-wsgi's.
    if "keys _serverless-wsgi)" in message or (error_type, message) == ("KeyError", "'headers'"):
        return f"\nIt does not support remote commands. {_HANDLER_HINT}"
    return ""


def _describe(error: Exception) -> str:
    """Return botocore's message and a hint."""
    from botocore import exceptions

    is_interruption = isinstance(error, exceptions.ReadTimeoutError | exceptions.ConnectionClosedError)
    hint = _INTERRUPTED_HINT if is_interruption else connection_hint(error)
    return f"{str(error).rstrip('.')}. {hint}".rstrip()
