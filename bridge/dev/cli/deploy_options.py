"""Options of ``bridge deploy`` and of the commands for what it has deployed."""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.cli.common_options import positive_integer
from bridge.dev.cli.output import missing_package
from bridge.dev.deploying.aws import AwsClients, AwsTarget
from bridge.dev.deploying.deployed_stack import DeployedStack, StackState
from bridge.dev.deploying.function_settings import (
    DEFAULT_ARCH,
    DEFAULT_MEMORY,
    FunctionSettings,
    check_name,
    check_python,
    default_name,
)
from bridge.dev.deploying.remembered_deployments import LastDeployment, recall_deployment
from bridge.dev.deploying.secret_references import dynamic_reference
from bridge.dev.deploying.stack_settings import (
    DEFAULT_FRONT_DOOR,
    DEFAULT_RETENTION,
    DEFAULT_STAGE,
    DEPLOYABLE_FRONT_DOORS,
    StackSettings,
    check_stage,
    split_vpc,
    stack_name,
)
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.projects import pyproject
from bridge.dev.projects.env_file import read_env_file

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUTS = ("text", "json")


class _UpdateMapping(argparse.Action):
    """Adds ``NAME=VALUE`` to the mapping that the project's pyproject.toml has."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: Any = None) -> None:
        name, equals, value = str(values).partition("=")
        if not name or not equals:
            parser.error(f"argument {option}: {values!r} is not of the form NAME=VALUE")
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), name: value})


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add the stage, and the account and region."""
    add = parser.add_argument
    add("--stage", default=None, metavar="STAGE", help=f"the stage, such as prod; default: {DEFAULT_STAGE}")
    add("--name", help="the name of the deployment; default: that of the folder")
    add("--region", help="the region; default: that of the last deployment from this folder, or as for the AWS CLI")
    add("--profile", help="the profile of the AWS CLI with the credentials and the region")
    add("--endpoint-url", metavar="URL", help="the URL of an emulator of AWS")


def add_output_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--output``."""
    parser.add_argument("--output", choices=OUTPUTS, default="text", help="json for programs; default: text")


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the function and of its front door."""
    add = parser.add_argument
    add("--front-door", choices=list(DEPLOYABLE_FRONT_DOORS), default=DEFAULT_FRONT_DOOR, metavar="FRONT_DOOR",
        help=f"one of {', '.join(DEPLOYABLE_FRONT_DOORS)}; default: {DEFAULT_FRONT_DOOR}")  # fmt: skip
    add("--stream", action=argparse.BooleanOptionalAction, default=False, help="stream responses; default: off")
    add("--memory", type=positive_integer, default=DEFAULT_MEMORY, metavar="MB",
        help=f"the memory of the function; default: {DEFAULT_MEMORY}")  # fmt: skip
    add("--timeout", type=positive_integer, metavar="SECONDS",
        help="the timeout of the function; default: 29, with --stream 300")  # fmt: skip
    add("--env", action=_UpdateMapping, default={}, metavar="NAME=VALUE", help="an environment variable; repeatable")
    add("--env-file", dest="variables_file", metavar="FILE", help="NAME=value lines: environment variables")
    add("--secret", action=_UpdateMapping, default={}, metavar="NAME=REFERENCE",
        help="an environment variable with a value in the Parameter Store (ssm:NAME) or in Secrets Manager "
        "(secretsmanager:NAME or secretsmanager:NAME:KEY); repeatable")  # fmt: skip
    add("--vpc", default="", metavar="IDS", help="the ids of subnets and security groups, separated by commas")
    add("--reserved-concurrency", type=int, metavar="N", help="how many requests the function answers at once at most")
    add("--snap-start", action=argparse.BooleanOptionalAction, default=False,
        help="start the function from a snapshot; default: off")  # fmt: skip
    add("--listener", metavar="ARN", help="with --front-door alb: the listener of the load balancer")
    add("--priority", type=positive_integer, metavar="N", help="with --front-door alb: the priority of its rule")
    add("--domain", metavar="HOST", help="a domain for the front door, with a certificate in Certificate Manager")
    add("--certificate", metavar="ARN", help="the certificate; default: the one in the region that is for the domain")
    add("--log-retention", type=positive_integer, default=DEFAULT_RETENTION, metavar="DAYS",
        help=f"how long CloudWatch keeps the logs; default: {DEFAULT_RETENTION} days")  # fmt: skip
    add("--tag", action=_UpdateMapping, default={}, metavar="NAME=VALUE",
        help="a tag of all resources; repeatable")  # fmt: skip


@dataclass(frozen=True)
class DeploymentSelection:
    """The deployment that the options name.

    Attributes:
        name: the name of the project.
        stage: the stage.
        target: the account and region.
    """

    name: str
    stage: str
    target: AwsTarget

    @property
    def stack_name(self) -> str:
        """The name of the stack and of the function."""
        return stack_name(self.name, self.stage)

    def clients(self, command: str) -> AwsClients:
        """Return the clients of the account and region.

        Raises:
            CommandError: boto3 is not installed, or the profile or the region is missing.
        """
        try:
            return AwsClients(self.target)
        except ImportError:
            raise missing_package(command, "boto3", "deploy") from None


def select_deployment(options: argparse.Namespace) -> DeploymentSelection:
    """Return the deployment that the options name.

    What they leave open is as in the last deployment from this folder, or as boto3 has it.
    """
    folder = Path.cwd()
    stage = check_stage(options.stage or DEFAULT_STAGE)
    target = AwsTarget(options.region, options.profile, options.endpoint_url)
    last = recall_deployment(folder, stage)
    if last is not None and target == AwsTarget():
        target = last.target
    if options.name is not None:
        name = check_name(options.name)
    else:
        name = last.name if last is not None else default_name(folder.name)
    return DeploymentSelection(name, stage, target)


def has_deployment(options: argparse.Namespace) -> bool:
    """Return whether this machine has deployed the stage that the options name."""
    return recall_deployment(Path.cwd(), check_stage(options.stage or DEFAULT_STAGE)) is not None


def last_deployment(selection: DeploymentSelection) -> LastDeployment:
    """Return what is remembered about a deployment."""
    return LastDeployment(selection.name, selection.target)


def require_stack(clients: AwsClients, selection: DeploymentSelection) -> StackState:
    """Return the state of a deployed stack.

    Raises:
        CommandError: there is none.
    """
    state = DeployedStack(clients, selection.stack_name).read()
    if not state.exists:
        place = f"at {clients.endpoint_url}" if clients.endpoint_url else f"in {clients.region}"
        raise CommandError(
            f"There is no deployment {selection.stack_name} {place}. Deploy it with `bridge deploy --stage "
            f"{selection.stage}`, or name another one with --name, --stage, --region and --profile."
        )
    return state


def stack_settings_from(options: argparse.Namespace, selection: DeploymentSelection) -> StackSettings:
    """Return the stack that the options describe.

    Raises:
        UsageError: options do not fit together, or Lambda refuses one.
    """
    subnets, security_groups = split_vpc(options.vpc)
    if options.reserved_concurrency is not None and options.reserved_concurrency < 0:
        raise UsageError(f"--reserved-concurrency {options.reserved_concurrency}: write a number of 0 or more.")
    if options.timeout is not None and int(options.timeout) != options.timeout:
        raise UsageError(f"--timeout {options.timeout}: Lambda takes whole seconds.")
    stack = StackSettings(
        name=selection.name,
        stage=selection.stage,
        function=FunctionSettings(
            python=check_python(options.python or f"3.{sys.version_info.minor}"),
            arch=options.arch or _default_arch(selection.target),
            streaming=options.stream,
            memory=options.memory,
            timeout=None if options.timeout is None else int(options.timeout),
            environment=_environment(options, selection.stage),
            secrets={name: dynamic_reference(name, text) for name, text in options.secret.items()},
            subnets=subnets,
            security_groups=security_groups,
            reserved_concurrency=options.reserved_concurrency,
            snap_start=options.snap_start,
        ),
        front_door=options.front_door,
        listener=options.listener,
        priority=options.priority,
        domain=options.domain,
        certificate=options.certificate,
        retention=options.log_retention,
        tags=options.tag,
    )
    stack.check()
    return stack


def _default_arch(target: AwsTarget) -> str:
    """Return the processor of a function whose options name none; an emulator runs functions on this machine's own."""
    if not target.is_emulator:
        return DEFAULT_ARCH
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def _environment(options: argparse.Namespace, stage: str) -> Mapping[str, str]:
    """Return the environment variables of ``--env-file`` and ``--env``.

    ``env-file`` in ``[tool.bridge]`` is for this machine and is not deployed; that of a stage's table is.
    """
    file = options.variables_file or pyproject.read_stage(Path.cwd(), stage).get("env-file")
    from_file = read_env_file(Path(file)) if file else {}
    return {**from_file, **options.env}
