"""Clients of AWS's APIs, and messages for their errors."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import boto3

CREDENTIALS_HINT = "run `aws configure` or `aws sso login`, or select a profile with --profile or AWS_PROFILE"
NETWORK_HINT = "Check the network connection, --region and --endpoint-url."
LOGIN_HINT = "Run `aws sso login`."
POLICY_HINT = "`bridge deploy --print-policy` prints the policy with all permissions that a deployment needs."
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_MAX_ATTEMPTS = 5  # with exponential backoff, for throttled calls as well
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")  # such as those of VPC endpoints
_EMULATOR_REGION = "us-east-1"
_EMULATOR_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_INVALID_CREDENTIALS = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "AuthFailure",
    "SignatureDoesNotMatch", "InvalidSignatureException"}  # fmt: skip
_EXPIRED_CREDENTIALS = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown", "RequestLimitExceeded"}
# The permissions of calls of S3, which does not name them. Those of other calls have the names of the calls:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3_PERMISSIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateBucket": "s3:CreateBucket",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutObject": "s3:PutObject",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "UploadPart": "s3:PutObject",
}


class AwsError(CommandError):
    """A call of AWS's API failed. The message has AWS's reason and what to do."""


@dataclass(frozen=True)
class AwsTarget:
    """The account and region that a deployment is in, as boto3 finds them.

    Attributes:
        region: the region; None for that of the profile or the environment.
        profile: a profile of the AWS CLI's configuration; None for that of the environment.
        endpoint_url: the URL of an emulator of AWS; None for AWS.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the APIs, which the environment may name; None for AWS's."""
        return self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or None

    @property
    def is_emulator(self) -> bool:
        """Whether the APIs have an endpoint that is not one of AWS's own."""
        host = urlsplit(self.endpoint or "").hostname
        return host is not None and not host.endswith(_AWS_HOSTS)


@dataclass(frozen=True)
class CallerIdentity:
    """The caller of AWS's APIs.

    Attributes:
        account: the number of the account.
        partition: the partition in ARNs, such as ``aws``.
    """

    account: str
    partition: str


class AwsClients:
    """Clients for the APIs of one account and region.

    Args:
        target: the account and region.

    Raises:
        ImportError: boto3 is not installed.
        AwsError: the profile or the region is missing.
    """

    def __init__(self, target: AwsTarget) -> None:
        from botocore.exceptions import NoRegionError

        self.target = target
        with aws_errors():
            self._session = make_session(target)
            if not self._session.region_name:
                raise NoRegionError
        self.region: str = self._session.region_name
        self.client = cache(self._make_client)
        self.identity = cache(self._read_identity)

    @property
    def endpoint_url(self) -> str | None:
        """The endpoint of the APIs; None for AWS's."""
        return self.target.endpoint

    def _make_client(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _MAX_ATTEMPTS},
            # A bucket may not exist as the host name of an emulator.
            s3={"addressing_style": "path"} if self.target.is_emulator else None,
            user_agent_extra="serverless-bridge",
        )
        make_client: Any = self._session.client  # the stubs of boto3 take only literal names
        try:
            return make_client(service, endpoint_url=self.target.endpoint_url, config=config)
        except ValueError as error:  # the endpoint is not a URL
            raise AwsError(f"{error}.") from error

    def _read_identity(self) -> CallerIdentity:
        identity = self.client("sts").get_caller_identity()
        return CallerIdentity(identity["Account"], identity["Arn"].split(":")[1])


def make_session(target: AwsTarget) -> boto3.Session:
    """Return boto3's session for an account and region.

    An emulator takes any credentials and any region, so without an account neither needs to be configured for it.
    """
    import boto3

    # boto3 reads AWS_DEFAULT_REGION only, the AWS CLI reads both.
    region = target.region or os.environ.get("AWS_REGION") or None
    session = boto3.Session(region_name=region, profile_name=target.profile)
    if not target.is_emulator:
        return session
    own: dict[str, Any] = {} if session.get_credentials() else _EMULATOR_CREDENTIALS
    return boto3.Session(region_name=session.region_name or _EMULATOR_REGION, profile_name=target.profile, **own)


@contextlib.contextmanager
def aws_errors(context: str = "") -> Iterator[None]:
    """Raise an :class:`AwsError` for an error of boto3 in the ``with`` block.

    Args:
        context: what failed, for the beginning of the message; may be empty.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        prefix = f"{context}: " if context else ""
        cause = error.__context__  # of an upload by boto3's transfer, whose own error is less precise
        if isinstance(error, Boto3Error) and isinstance(cause, BotoCoreError | ClientError):
            error = cause
        raise AwsError(f"{prefix}{describe_error(error)}") from error


def describe_error(error: Exception) -> str:
    """Return the reason of an error of boto3, with the missing permission or another hint."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _describe_client_error(error)
    return f"{str(error).rstrip('.')}. {connection_hint(error)}".rstrip()


def connection_hint(error: Exception) -> str:
    """Return what to do about an error of boto3 that is not the answer of an API; empty if that is unknown."""
    from botocore import exceptions

    hints = {
        exceptions.NoCredentialsError: f"To set credentials, {CREDENTIALS_HINT}.",
        exceptions.PartialCredentialsError: f"To set all credentials, {CREDENTIALS_HINT}.",
        exceptions.ProfileNotFound: "Name another one with --profile, or add it with `aws configure --profile NAME`.",
        exceptions.NoRegionError: "Set it with --region or AWS_REGION.",
        exceptions.EndpointConnectionError: NETWORK_HINT,
        exceptions.ConnectTimeoutError: NETWORK_HINT,
        exceptions.ConnectionClosedError: NETWORK_HINT,
        exceptions.ReadTimeoutError: NETWORK_HINT,
        exceptions.SSOError: LOGIN_HINT,
        exceptions.TokenRetrievalError: LOGIN_HINT,
    }
    return next((text for kind, text in hints.items() if isinstance(error, kind)), "")


def error_code(error: Exception) -> str:
    """Return the code in the answer of an API, such as ``ValidationError``; empty for other errors."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def missing_permission(reason: str) -> str | None:
    """Return the permission that a reason of AWS names, such as ``lambda:CreateFunction``."""
    match = re.search(r"not authorized to perform:? ?([a-z0-9-]+:\w+)", reason)
    return match[1] if match else None


def _describe_client_error(error: Any) -> str:
    code, operation = error_code(error), error.operation_name
    reason = (error.response["Error"].get("Message") or code).rstrip(".")
    if code in _INVALID_CREDENTIALS:
        return f"The credentials are invalid ({code}): {CREDENTIALS_HINT}."
    if code in _EXPIRED_CREDENTIALS:
        return f"The credentials have expired ({code}): {CREDENTIALS_HINT}."
    permission = missing_permission(reason)
    if permission is None and code in _DENIED:
        permission = _S3_PERMISSIONS.get(operation)
    if permission:
        return f"The permission {permission} is missing: {reason}. {POLICY_HINT}"
    if code in _THROTTLED:
        return f"AWS throttles {operation}: {reason}. Try again in a minute."
    return f"{operation}: {reason} ({code})."
