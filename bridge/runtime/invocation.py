"""One invocation, as the Runtime API hands it over."""

from __future__ import annotations

import json

from bridge.logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.runtime.protocol import Reply


class Invocation:
    """One invocation.

    Attributes:
        request_id: Lambda's id for it.
        id: what is echoed in the answer where many are in flight; ``""`` where the API sends none.
        deadline: when Lambda ends it, in milliseconds since 1970.
        arn: the function that was invoked, with version or alias.
        trace_id: X-Ray's header, ``""`` without one.
        client_context, identity: from the SDK of the caller, JSON values or None.
        tenant_id: the tenant, or None.
        content_type, body: the event.
    """

    __slots__ = (
        "arn",
        "body",
        "client_context",
        "content_type",
        "deadline",
        "id",
        "identity",
        "request_id",
        "tenant_id",
        "trace_id",
    )

    def __init__(self, reply: Reply) -> None:
        get = reply.headers.get
        self.request_id = get("lambda-runtime-aws-request-id", "")
        self.id = get("lambda-runtime-invocation-id", "")
        deadline = get("lambda-runtime-deadline-ms", "")
        self.deadline = int(deadline) if deadline.isdigit() else 0
        self.arn = get("lambda-runtime-invoked-function-arn", "")
        self.trace_id = get("lambda-runtime-trace-id", "")
        self.client_context = _json(get("lambda-runtime-client-context"))
        self.identity = _json(get("lambda-runtime-cognito-identity"))
        self.tenant_id = get("lambda-runtime-aws-tenant-id")
        self.content_type = get("content-type", "application/json")
        self.body = reply.body

    def event(self) -> Any:
        """The event: JSON, or the bytes where the caller says that it is none.

        Raises:
            ValueError: it is not the JSON that it is said to be.
        """
        if (
            self.content_type == "application/json"
            or self.content_type.partition(";")[0].strip().lower() == "application/json"
        ):
            return json.loads(self.body.decode())
        return self.body


def _json(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:  # the caller's word
        logger.warning("An invocation's client context or identity is no JSON and left out: %.200r", text)
        return None
