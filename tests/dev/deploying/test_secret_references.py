"""References to values in the Parameter Store and in Secrets Manager."""

from __future__ import annotations

import pytest

from bridge.dev.deploying.secret_references import dynamic_reference
from bridge.dev.errors import UsageError

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/database-AbCdEf"


@pytest.mark.parametrize(
    ("reference", "dynamic"),
    [
        ("ssm:/shop/key", "{{resolve:ssm:/shop/key}}"),
        ("ssm:key:3", "{{resolve:ssm:key:3}}"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/shop/key", "{{resolve:ssm:/shop/key}}"),
        ("secretsmanager:shop/database", "{{resolve:secretsmanager:shop/database:SecretString}}"),
        ("secretsmanager:shop/database:password", "{{resolve:secretsmanager:shop/database:SecretString:password}}"),
        (ARN, f"{{{{resolve:secretsmanager:{ARN}:SecretString}}}}"),
        (f"{ARN}:password", f"{{{{resolve:secretsmanager:{ARN}:SecretString:password}}}}"),
    ],
)
def test_a_secret_becomes_a_dynamic_reference(reference: str, dynamic: str) -> None:
    assert dynamic_reference("KEY", reference) == dynamic


@pytest.mark.parametrize(
    "reference", ["", "value", "ssm:", "ssm:a b", "secretsmanager:", "secretsmanager:a:b:c", "s3:a"]
)
def test_another_reference_is_an_error(reference: str) -> None:
    with pytest.raises(UsageError, match=r"--secret KEY=.*: name a value as ssm:NAME or secretsmanager:NAME"):
        dynamic_reference("KEY", reference)
