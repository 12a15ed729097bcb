"""The request that is being answered, wherever in the application one asks."""

from __future__ import annotations

import os
from _contextvars import ContextVar  # what contextvars hands on, which costs a cold start as much again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class CurrentRequest:
    """The request (then it is its Scope), or other invocation, that the code that asks is answering.

    Attributes:
        event, context: what Lambda handed over.
    """

    __slots__ = ("context", "event")

    def __init__(self, event: Any, context: Any) -> None:
        self.event = event
        self.context = context

    @property
    def request_id(self) -> str:
        """Lambda's request id; ``""`` where there is no context."""
        return getattr(self.context, "aws_request_id", None) or ""

    @property
    def trace_id(self) -> str:
        """X-Ray's trace header of the invocation, such as ``"Root=1-…;Parent=…;Sampled=1"``; ``""`` without one."""
        told = getattr(self.context, "trace_id", None)  # the bridge's own runtime has it there
        # AWS's runtime client, which answers one at a time, has it in the environment.
        return told if isinstance(told, str) else os.environ.get("_X_AMZN_TRACE_ID", "")

    def __repr__(self) -> str:
        return f"<CurrentRequest {self.request_id}>"


current: ContextVar[CurrentRequest | None] = ContextVar("bridge.current", default=None)


def current_request() -> CurrentRequest | None:
    """The request that the calling task or thread is answering; None outside of one.

    A context variable: each of many requests in one process sees its own, and so do the tasks it starts and the
    threads it calls through ``asyncio.to_thread``, ``sync_to_async`` or anyio.
    """
    return current.get()
