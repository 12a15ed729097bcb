"""Lambda's context object, on this machine.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import time
from types import SimpleNamespace

from bridge.dev.gateway.events import request_id


class LocalContext:
    """What Lambda tells a function of its invocation.

    Args:
        deadline: when the function is ended, by the monotonic clock, in seconds; see :meth:`starting`.
        function_name: its name.

    Attributes:
        deadline, function_name: as given.
    """

    function_version = "$LATEST"
    memory_limit_in_mb = "1024"
    log_stream_name = "local"
    identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
    client_context = None
    tenant_id = None

    def __init__(self, deadline: float, function_name: str = "bridge") -> None:
        self.deadline = deadline
        self.function_name = function_name
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function_name}"
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.aws_request_id = request_id()

    @classmethod
    def starting(cls, seconds: float, function_name: str = "bridge") -> LocalContext:
        """The context of an invocation that begins now and has *seconds* to live."""
        return cls(time.monotonic() + seconds, function_name)

    def start(self, seconds: float) -> None:
        """The invocation begins only now."""
        self.deadline = time.monotonic() + seconds

    def w3c(self) -> dict[str, str]:
        """The trace context of the invocation: none here."""
        return {}

    def get_remaining_time_in_millis(self) -> int:
        """The milliseconds left, at least 0."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))
