"""Values in the Systems Manager Parameter Store and in Secrets Manager, as CloudFormation reads them.

CloudFormation replaces a dynamic reference by the value when it creates or changes the function:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.dev.deploying.aws import error_code
from bridge.dev.errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.dev.deploying.aws import AwsClients

_PARAMETER = re.compile(r"[A-Za-z0-9_./-]+(:\d+)?")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@!-]+")
_ARN = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]+")
_PARAMETER_ARN = re.compile(r"arn:[\w-]+:ssm:[\w-]+:\d{12}:parameter(/.+)")


def dynamic_reference(variable: str, reference: str) -> str:
    """Return the dynamic reference for the value of ``--secret``.

    Args:
        variable: the environment variable, for messages.
        reference: ``ssm:NAME``, ``ssm:NAME:VERSION``, ``secretsmanager:NAME``, ``secretsmanager:NAME:KEY`` for a key of
            a JSON value, or an ARN with or without a key.

    Example:
        >>> dynamic_reference("PASSWORD", "secretsmanager:shop/database:password")
        '{{resolve:secretsmanager:shop/database:SecretString:password}}'

    Raises:
        UsageError: the reference has another form.
    """
    if parameter := _PARAMETER_ARN.fullmatch(reference):
        reference = f"ssm:{parameter[1]}"
    service, _, rest = reference.partition(":")
    if service == "ssm" and _PARAMETER.fullmatch(rest):
        return f"{{{{resolve:ssm:{rest}}}}}"
    if arn := _ARN.match(reference):
        service, name, key = "secretsmanager", arn[0], reference[arn.end() :].removeprefix(":")
    else:
        name, _, key = rest.partition(":")
    if service == "secretsmanager" and (arn or _SECRET.fullmatch(name)) and re.fullmatch(r"[^:{}\s]*", key):
        return f"{{{{resolve:secretsmanager:{name}:SecretString{f':{key}' if key else ''}}}}}"
    raise UsageError(
        f"--secret {variable}={reference}: name a value as ssm:NAME or secretsmanager:NAME, or secretsmanager:NAME:KEY "
        "for a key of a JSON value."
    )


def pin_secrets(clients: AwsClients, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return dynamic references with the current versions of their values.

    Without a version CloudFormation sees no change where a value has changed.

    Args:
        clients: the clients of the account and region.
        secrets: environment variables as dynamic references.

    Raises:
        CommandError: there is no such value, or CloudFormation does not put it into the environment of a function.
    """
    return {name: _pin(clients, name, reference) for name, reference in secrets.items()}


def _pin(clients: AwsClients, variable: str, reference: str) -> str:
    service, _, value = reference.removeprefix("{{resolve:").removesuffix("}}").partition(":")
    try:
        if service == "ssm":
            if ":" in value:
                return reference
            parameter = clients.client("ssm").get_parameter(Name=value)["Parameter"]
            if parameter["Type"] == "SecureString":
                raise CommandError(
                    f"--secret {variable}: the parameter {value} is a SecureString, which CloudFormation does not put "
                    "into the environment of a function. Store it in Secrets Manager, or let the application read it."
                )
            return f"{{{{resolve:ssm:{value}:{parameter['Version']}}}}}"
        secret, _, key = value.rpartition(":SecretString")
        versions = clients.client("secretsmanager").describe_secret(SecretId=secret)["VersionIdsToStages"]
    except Exception as error:
        if error_code(error) in ("ParameterNotFound", "ResourceNotFoundException"):
            raise CommandError(
                f"--secret {variable}: {clients.region} has no value {value}. Correct the name."
            ) from error
        raise
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    return f"{{{{resolve:secretsmanager:{secret}:SecretString:{key.removeprefix(':')}::{current}}}}}"
