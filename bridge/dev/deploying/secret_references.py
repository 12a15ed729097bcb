"""Values in the Systems Manager Parameter Store and in Secrets Manager, as CloudFormation reads them.

CloudFormation replaces a dynamic reference by the value when it creates or changes the function:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import re

from bridge.dev.errors import UsageError

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
