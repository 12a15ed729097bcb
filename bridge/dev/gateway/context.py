"""The context object that a function gets on this machine."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.response import Response


class ProcessUse(NamedTuple):
    """The process that takes an invocation.

    Attributes:
        number: the number of the process, from 1.
        is_cold_start: whether it was started for this invocation, or takes its first one.
        waited: how long the invocation waited for it, in seconds.
    """

    number: int
    is_cold_start: bool
    waited: float


class LocalContext:
    """Lambda's context object: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html.

    Args:
        seconds: the time that the invocation may take from now on.
        function_name: the function's name.

    Attributes:
        created: when the context was made, on the monotonic clock.
        response: what the application answered, if a recorder stores it; None otherwise.
        process: the process that takes the invocation, with ``bridge serve --runtime``; None otherwise.
    """

    function_version = "$LATEST"
    memory_limit_in_mb = "1024"
    log_stream_name = "local"
    identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
    client_context = None
    tenant_id = None

    response: Response | None = None
    process: ProcessUse | None = None

    def __init__(self, seconds: float, function_name: str = "bridge") -> None:
        self.created = time.monotonic()
        self.restart_clock(seconds)
        self.function_name = function_name
        self.aws_request_id = str(uuid.uuid4())

    @property
    def invoked_function_arn(self) -> str:
        """The ARN of the function."""
        return f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """The log group of the function."""
        return f"/aws/lambda/{self.function_name}"

    def restart_clock(self, seconds: float) -> None:
        """Set the deadline to *seconds* from now, for an invocation that had to wait for a process."""
        self._deadline = time.monotonic() + seconds

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context, which is empty here."""
        return {}

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline, at least 0."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))
