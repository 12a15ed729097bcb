"""Lambda's context object for one invocation.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.runtime.invocation import Invocation

_W3C = ("traceparent", "tracestate", "baggage")


class Context:
    """What Lambda tells a function of its invocation, as AWS's own runtime client has it.

    Attributes:
        function_name, function_version, memory_limit_in_mb, log_group_name, log_stream_name: texts; None outside
            Lambda.
        aws_request_id, invoked_function_arn: of this invocation.
        client_context: what a mobile SDK sent: ``client``, ``custom`` and ``env``; None without one.
        identity: ``cognito_identity_id`` and ``cognito_identity_pool_id``.
        tenant_id: the tenant of a function with tenant isolation, or None.
        trace_id: X-Ray's trace header, ``""`` without one; AWS's own client has it in the environment only.
    """

    def __init__(self, invocation: Invocation) -> None:
        (
            self.function_name,
            self.function_version,
            self.memory_limit_in_mb,
            self.log_group_name,
            self.log_stream_name,
        ) = _function()
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.arn
        self.tenant_id = invocation.tenant_id
        self.trace_id = invocation.trace_id
        told = invocation.client_context
        self._w3c = told.pop("w3c", None) if isinstance(told, dict) else None
        self.client_context = _ClientContext(told) if isinstance(told, dict) else None
        self.identity = _Identity(invocation.identity)
        self._deadline = invocation.deadline

    def get_remaining_time_in_millis(self) -> int:
        """The milliseconds until Lambda ends the invocation, at least 0."""
        return max(0, self._deadline - int(time() * 1000))

    def w3c(self) -> dict[str, str]:
        """The W3C trace context of the invocation."""
        told = self._w3c if isinstance(self._w3c, dict) else {}
        return {name: told[name] for name in _W3C if isinstance(told.get(name), str)}

    def log(self, message: object) -> None:
        """Write *message* into the log, as it is."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        return f"<Context {self.aws_request_id}>"


@lru_cache(1)  # the environment of a process does not change; to look there takes as long as all the rest
def _function() -> tuple[str | None, ...]:
    names = ("FUNCTION_NAME", "FUNCTION_VERSION", "FUNCTION_MEMORY_SIZE", "LOG_GROUP_NAME", "LOG_STREAM_NAME")
    return tuple(os.environ.get(f"AWS_LAMBDA_{name}") for name in names)


class _Identity:
    def __init__(self, told: Any) -> None:
        told = told if isinstance(told, dict) else {}
        self.cognito_identity_id = told.get("cognitoIdentityId")
        self.cognito_identity_pool_id = told.get("cognitoIdentityPoolId")


class _ClientContext:
    def __init__(self, told: dict[str, Any]) -> None:
        self.custom = told.get("custom")
        self.env = told.get("env")
        client = told.get("client")
        self.client = _Client(client) if isinstance(client, dict) else None


class _Client:
    def __init__(self, told: dict[str, Any]) -> None:
        self.installation_id = told.get("installation_id")
        self.app_title = told.get("app_title")
        self.app_version_name = told.get("app_version_name")
        self.app_version_code = told.get("app_version_code")
        self.app_package_name = told.get("app_package_name")
