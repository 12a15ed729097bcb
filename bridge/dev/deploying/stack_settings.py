"""The settings of ``bridge deploy``: a function, its front door, and the options of both."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.dev.errors import UsageError
from bridge.dev.limits import HTTP_API_SECONDS, REST_API_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.dev.deploying.function_settings import FunctionSettings

ALIAS = "live"
DEFAULT_STAGE = "dev"
DEFAULT_FRONT_DOOR = "function-url"
DEFAULT_RETENTION = 30
DEPLOYABLE_FRONT_DOORS = {
    "function-url": "a Function URL",
    "http-api": "an HTTP API",
    "rest-api": "a REST API",
    "alb": "a load balancer",
}
# The seconds that a front door waits for a function that does not stream.
_WAITS = {"http-api": HTTP_API_SECONDS, "rest-api": REST_API_SECONDS}
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
_STAGE = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_MAX_STAGE_LENGTH = 16
_LISTENER = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]+:\d{12}:listener/app/.+")
_HOST = re.compile(r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")
# Priorities of a listener's rules are from 1 to 50000. The first thousand is left to rules written by hand.
_PRIORITIES = (1000, 49_000)
# Begins the description of a stack's template.
MARK = "Deployed by serverless-bridge"
# Marks the stack, and each resource in it, as one of `bridge deploy`.
MARK_TAG = {"deployed-by": "serverless-bridge"}


@dataclass(frozen=True)
class StackSettings:
    """The function and the front door that ``bridge deploy`` deploys.

    Attributes:
        name: the name of the project.
        stage: the stage, such as ``prod``.
        function: the function.
        front_door: a key of :data:`DEPLOYABLE_FRONT_DOORS`.
        listener: the ARN of a load balancer's listener, for the front door ``alb``.
        priority: the priority of the listener's rule; None for one that is made of the stack's name.
        domain: a host name for the front door; None for that of AWS.
        certificate: the ARN of the domain's certificate in AWS Certificate Manager.
        retention: how many days CloudWatch keeps the logs.
        tags: tags of the stack and of all resources in it.
    """

    name: str
    stage: str
    function: FunctionSettings
    front_door: str = DEFAULT_FRONT_DOOR
    listener: str | None = None
    priority: int | None = None
    domain: str | None = None
    certificate: str | None = None
    retention: int = DEFAULT_RETENTION
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def stack_name(self) -> str:
        """The name of the stack and of the function."""
        return stack_name(self.name, self.stage)

    @property
    def rule_priority(self) -> int:
        """The priority of the listener's rule; the same in each deployment of the stack."""
        first, count = _PRIORITIES
        return self.priority or first + zlib.crc32(self.stack_name.encode()) % count

    def check(self) -> None:
        """Raise a :class:`UsageError` for options that do not fit together."""
        self.function.check()
        place = DEPLOYABLE_FRONT_DOORS[self.front_door]
        if self.function.streaming and self.front_door in ("http-api", "alb"):
            raise UsageError(
                f"--stream: {place} does not stream. Choose --front-door function-url or rest-api, or leave out "
                "--stream."
            )
        if self.front_door == "alb" and self.listener is None:
            raise UsageError("--front-door alb needs the listener of a load balancer. Name it: --listener ARN")
        if self.front_door != "alb" and (self.listener or self.priority):
            wrong = "--listener" if self.listener else "--priority"
            raise UsageError(f"{wrong} applies only to --front-door alb. Remove it, or choose that front door.")
        if self.listener is not None and not _LISTENER.fullmatch(self.listener):
            raise UsageError(
                f"--listener {self.listener}: this is not the ARN of an application load balancer's listener, such as "
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/NAME/…"
            )
        if self.domain is not None and self.front_door == "function-url":
            raise UsageError(
                "--domain: a Function URL has no domain of its own. Choose --front-door http-api, rest-api or alb."
            )
        if self.domain is not None and not _HOST.fullmatch(self.domain):
            raise UsageError(f"--domain {self.domain}: this is not a host name. Write it as in shop.example.com.")
        if self.certificate is not None and self.domain is None:
            raise UsageError("--certificate needs the domain that it is for. Add --domain, or remove it.")
        if self.retention not in RETENTION_DAYS:
            choices = ", ".join(map(str, RETENTION_DAYS))
            raise UsageError(f"--log-retention {self.retention}: CloudWatch keeps logs for one of {choices} days.")

    @property
    def warnings(self) -> list[str]:
        """Messages about options that are valid and may be a mistake."""
        wait = _WAITS.get(self.front_door)
        if wait is None or self.function.streaming or self.function.seconds <= wait:
            return []
        place = DEPLOYABLE_FRONT_DOORS[self.front_door]
        return [
            f"{place[0].upper()}{place[1:]} waits for {wait} seconds, and the function may take "
            f"{self.function.seconds}. A request that takes longer is answered 503 or 504."
        ]


def stack_name(name: str, stage: str) -> str:
    """Return the name of a project's stack for a stage."""
    return f"{name}-{stage}"


def check_stage(stage: str) -> str:
    """Return the name of a stage.

    Raises:
        UsageError: CloudFormation does not take it in the name of a stack.
    """
    if not _STAGE.fullmatch(stage) or len(stage) > _MAX_STAGE_LENGTH:
        raise UsageError(
            f"--stage {stage}: a stage has up to {_MAX_STAGE_LENGTH} letters, digits and single dashes, as in prod."
        )
    return stage


def split_vpc(text: str) -> tuple[list[str], list[str]]:
    """Return the subnets and the security groups in the comma-separated value of ``--vpc``.

    Raises:
        UsageError: an item is neither.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    subnets = [item for item in items if item.startswith("subnet-")]
    groups = [item for item in items if item.startswith("sg-")]
    if others := [item for item in items if item not in subnets and item not in groups]:
        raise UsageError(
            f"--vpc: {others[0]} is not the id of a subnet (subnet-…) or of a security group (sg-…). Write them as in "
            "--vpc subnet-1,subnet-2,sg-1."
        )
    return subnets, groups
