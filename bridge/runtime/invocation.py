"""An invocation, and Lambda's context object for it."""

from __future__ import annotations

import json
import os
import sys
from time import time
from types import SimpleNamespace

from bridge.logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_W3C_HEADERS = ("traceparent", "tracestate", "baggage")
_CLIENT_FIELDS = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class Invocation:
    """One invocation, as the Runtime API sends it.

    Attributes:
        headers, body: of the API's reply, the headers by lower-case name; the body is the event.
        request_id: Lambda's request ID.
        invocation_id: is sent back with the response where many invocations are in flight; ``""`` elsewhere.
        trace_id: X-Ray's trace header, ``""`` without one.
    """

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self.request_id = headers.get("lambda-runtime-aws-request-id", "")
        self.invocation_id = headers.get("lambda-runtime-invocation-id", "")
        self.trace_id = headers.get("lambda-runtime-trace-id", "").replace("\0", "")  # goes into the environment

    def event(self) -> Any:
        """Return the event: parsed from JSON, or as bytes if its Content-Type is another one."""
        content_type = self.headers.get("content-type", "application/json")
        if content_type.partition(";")[0].strip().lower() == "application/json":
            return json.loads(self.body.decode())
        return self.body


class Context:
    """Lambda's context object, with the attributes that AWS's own runtime client gives it.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html

    Attributes:
        client_context: what a mobile SDK sent: ``client``, ``custom`` and ``env``; None without one.
        identity: ``cognito_identity_id`` and ``cognito_identity_pool_id``.
        tenant_id: the tenant of a function with tenant isolation, or None.
        trace_id: X-Ray's trace header, ``""`` without one. AWS's client has it in the environment only.
    """

    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
    identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
    client_context: SimpleNamespace | None = None
    _w3c: Any = None

    def __init__(self, invocation: Invocation) -> None:
        get = invocation.headers.get
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = get("lambda-runtime-invoked-function-arn", "")
        self.tenant_id = get("lambda-runtime-aws-tenant-id")
        self.trace_id = invocation.trace_id
        deadline = get("lambda-runtime-deadline-ms", "")
        self._deadline = int(deadline) if deadline.isdecimal() and len(deadline) < 16 else 0
        if identity := _json_object(get("lambda-runtime-cognito-identity")):
            self.identity = SimpleNamespace(
                cognito_identity_id=identity.get("cognitoIdentityId"),
                cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
            )
        content = _json_object(get("lambda-runtime-client-context"))
        if content is not None:
            self._w3c = content.get("w3c")
            client = content.get("client")
            self.client_context = SimpleNamespace(
                custom=content.get("custom"),
                env=content.get("env"),
                client=SimpleNamespace(**{name: client.get(name) for name in _CLIENT_FIELDS})
                if isinstance(client, dict)
                else None,
            )

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation, at least 0."""
        return max(0, self._deadline - int(time() * 1000))

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context of the invocation."""
        headers = self._w3c if isinstance(self._w3c, dict) else {}
        return {name: headers[name] for name in _W3C_HEADERS if isinstance(headers.get(name), str)}

    def log(self, message: object) -> None:
        """Write *message* to the log without a prefix or a line break."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        return f"<Context {self.aws_request_id}>"


def _json_object(text: str | None) -> dict[str, Any] | None:
    """Return the JSON object in a header that the function's caller has set; None if there is none."""
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        logger.warning("The client context or identity of an invocation is not valid JSON and is ignored: %.200r", text)
        return None
    return content if isinstance(content, dict) else None
