"""The settings of a function, and its name, shared by ``bridge init`` and ``bridge deploy``."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError
from bridge.dev.limits import ENVIRONMENT_LIMIT, LAMBDA_SECONDS, MEMORY_RANGE, REST_API_SECONDS, SNAPSTART_MINOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The Python versions of Lambda's runtimes that this package supports:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# The tools add to the name, up to the 64 characters of IAM: `NAME-dev-ap-southeast-1-lambdaRole`.
_MAX_NAME_LENGTH = 32
# A name that CloudFormation takes for stacks, Lambda for functions, IAM for roles and ECR for repositories.
_NAME = re.compile(rf"[a-z](-?[a-z0-9]){{0,{_MAX_NAME_LENGTH - 1}}}")
HANDLER = "bridge.entrypoint.handler"
# The wrapper starts the bridge's runtime in place of Lambda's own: docs/runtime.md.
STREAMING_VARIABLES = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bridge/runtime/bootstrap",
    "BRIDGE_RESPONSE_MODE": "stream",
}
# The cheaper of Lambda's processors: https://aws.amazon.com/lambda/pricing/
DEFAULT_ARCH = "arm64"
DEFAULT_MEMORY = 512
# As long as a REST API waits, which is the first front door to give up.
DEFAULT_TIMEOUT, DEFAULT_STREAMING_TIMEOUT = REST_API_SECONDS, 300

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_RESERVED_VARIABLES = {
    "_HANDLER", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT", "_X_AMZN_TRACE_ID",
}  # fmt: skip


@dataclass(frozen=True)
class FunctionSettings:
    """A function of an artifact that ``bridge package`` builds.

    Attributes:
        python: the Python version, ``"3.13"``.
        arch: the processor as Lambda names it.
        streaming: whether responses are streamed, by the bridge's runtime.
        memory: the memory in MB.
        timeout: the timeout in seconds; None for the default, which depends on *streaming*.
        environment: the environment variables without those of *streaming*.
        secrets: environment variables as CloudFormation's dynamic references, which
            :mod:`bridge.dev.deploying.secret_references` makes.
        subnets: the ids of subnets; empty for a function outside of a VPC.
        security_groups: the ids of security groups in the VPC.
        reserved_concurrency: how many requests the function answers at once at most; None for no limit of its own.
        snap_start: whether a published version starts from a snapshot.
    """

    python: str
    arch: str
    streaming: bool = False
    memory: int = DEFAULT_MEMORY
    timeout: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    reserved_concurrency: int | None = None
    snap_start: bool = False

    @property
    def runtime(self) -> str:
        """The name of Lambda's runtime."""
        return f"python{self.python}"

    @property
    def seconds(self) -> int:
        """The timeout in seconds."""
        return self.timeout or (DEFAULT_STREAMING_TIMEOUT if self.streaming else DEFAULT_TIMEOUT)

    @property
    def variables(self) -> dict[str, str]:
        """All environment variables."""
        own = STREAMING_VARIABLES if self.streaming else {}
        return {**own, **self.environment, **self.secrets}

    @property
    def properties(self) -> dict[str, Any]:
        """The properties of the resource ``AWS::Lambda::Function`` that depend on nothing else in the template.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
        """
        properties: dict[str, Any] = {
            "Handler": HANDLER,
            "Runtime": self.runtime,
            "Architectures": [self.arch],
            "MemorySize": self.memory,
            "Timeout": self.seconds,
        }
        if self.variables:
            properties["Environment"] = {"Variables": self.variables}
        if self.subnets:
            properties["VpcConfig"] = {
                "SubnetIds": list(self.subnets),
                "SecurityGroupIds": list(self.security_groups),
            }
        if self.reserved_concurrency is not None:
            properties["ReservedConcurrentExecutions"] = self.reserved_concurrency
        if self.snap_start:
            properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}
        return properties

    def check(self) -> None:
        """Raise a :class:`UsageError` for settings that Lambda refuses."""
        for option, value, (least, most), unit in (
            ("--memory", self.memory, MEMORY_RANGE, "MB"),
            ("--timeout", self.seconds, (1, LAMBDA_SECONDS), "seconds"),
        ):
            if not least <= value <= most:
                raise UsageError(f"{option} {value}: Lambda takes {least} to {most} {unit}.")
        if self.snap_start and int(self.python.partition(".")[2]) < SNAPSTART_MINOR:
            raise UsageError(
                f"--snap-start: Lambda takes snapshots from Python 3.{SNAPSTART_MINOR} on, and the function has "
                f"{self.python}. Choose another version with --python."
            )
        if bool(self.subnets) != bool(self.security_groups):
            missing = "the id of a security group (sg-…)" if self.subnets else "the id of a subnet (subnet-…)"
            raise UsageError(f"--vpc: {missing} is missing. Name both, as in --vpc subnet-1,subnet-2,sg-1.")
        self._check_variables()

    def _check_variables(self) -> None:
        for name in self.variables:
            if not _VARIABLE.fullmatch(name) or name in _RESERVED_VARIABLES:
                rule = "a name has two or more letters, digits and _, and begins with a letter"
                why = "Lambda sets it itself" if name in _RESERVED_VARIABLES else rule
                raise UsageError(f"The environment variable {name} cannot be set: {why}. Give it another name.")
        if both := sorted(self.environment.keys() & self.secrets.keys()):
            raise UsageError(f"{both[0]} is set twice: as an environment variable and as a secret. Remove one of them.")
        size = sum(len(name.encode()) + len(value.encode()) for name, value in self.variables.items())
        if size > ENVIRONMENT_LIMIT:
            raise UsageError(
                f"The environment variables have {size} bytes: Lambda takes {ENVIRONMENT_LIMIT}. Move large "
                "values into a file of the project, or into Secrets Manager, where the application reads them."
            )


def default_name(text: str) -> str:
    """Return a name made of *text*, such as that of the project's folder, without the characters a tool refuses."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", letters).lstrip("-0123456789")[:_MAX_NAME_LENGTH].strip("-")
    return name or "app"


def check_name(name: str) -> str:
    """Return the name of a deployment.

    Raises:
        UsageError: a tool refuses the name.
    """
    if len(name) > _MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        raise UsageError(
            f"--name {name}: a name has up to {_MAX_NAME_LENGTH} lower-case letters, digits and single dashes, and "
            f"begins with a letter, as in {default_name(name)}."
        )
    return name


def check_python(version: str) -> str:
    """Return a Python version without the prefix of a runtime's name.

    Raises:
        UsageError: Lambda has no runtime of this version, or this package does not support it.
    """
    version = version.removeprefix("python")
    if version not in PYTHONS:
        raise UsageError(f"--python {version}: write one of the versions that Lambda runs, {', '.join(PYTHONS)}.")
    return version
