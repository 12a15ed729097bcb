"""Lambda's context object, on this machine.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from types import SimpleNamespace


@dataclass(slots=True)
class Context:
    """What Lambda tells a function of its invocation.

    Attributes:
        deadline: when the function is ended, by the monotonic clock, in seconds; see :meth:`starting`.
    """

    deadline: float
    function_name: str = "bridge"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:bridge"
    memory_limit_in_mb: str = "1024"
    log_group_name: str = "/aws/lambda/bridge"
    log_stream_name: str = "local"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    identity: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
    )
    client_context: None = None
    tenant_id: None = None

    @classmethod
    def starting(cls, seconds: float, function_name: str = "bridge") -> Context:
        """The context of an invocation that begins now and has *seconds* to live."""
        return cls(
            time.monotonic() + seconds,
            function_name=function_name,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{function_name}",
            log_group_name=f"/aws/lambda/{function_name}",
        )

    def w3c(self) -> dict[str, str]:
        """The trace context of the invocation: none here."""
        return {}

    def get_remaining_time_in_millis(self) -> int:
        """The milliseconds left, at least 0."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))
