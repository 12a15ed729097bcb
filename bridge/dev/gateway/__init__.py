"""AWS's side of each front door, on this machine: an HTTP request to an event, a payload to an HTTP response.

::

    event = compose(Request(method="POST", path="/pay", body=b"{}"), source="alb")
    answer = interpret(handler(event, None), source="alb")

:func:`compose` and :func:`interpret` are pure functions for tests and tools. :class:`Gateway` is an ASGI application
that passes requests to a Lambda handler with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.dev.gateway.front_doors import FRONT_DOORS, compose, front_door, interpret
from bridge.dev.gateway.models import Answer, FrontDoor, FrontDoorConfig, RefusedError, Request, Route

if TYPE_CHECKING:
    from bridge.dev.gateway.gateway import Gateway

__all__ = [
    "FRONT_DOORS",
    "Answer",
    "FrontDoor",
    "FrontDoorConfig",
    "Gateway",
    "RefusedError",
    "Request",
    "Route",
    "compose",
    "front_door",
    "interpret",
]


if not TYPE_CHECKING:  # a type checker would accept any name otherwise

    def __getattr__(name: str) -> object:
        """Import ``Gateway`` on first use: composing an event needs neither asyncio nor a handler."""
        if name != "Gateway":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from bridge.dev.gateway.gateway import Gateway

        return Gateway
