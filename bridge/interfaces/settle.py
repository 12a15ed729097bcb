"""Waiting for what a request has left behind: tasks that Lambda would freeze and wake in the middle of a later one."""

from __future__ import annotations

import asyncio
from time import monotonic

from bridge import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How long an answer waits for them that cannot go out before.
SECONDS = 2.0


async def settle(tasks: set[asyncio.Task[Any]], seconds: float | None = None) -> None:
    """Wait, for a while, until *tasks* is empty; tasks that are done leave it, and those they start join it."""
    seconds = SECONDS if seconds is None else seconds
    until = monotonic() + seconds
    while tasks and (left := until - monotonic()) > 0:
        await asyncio.wait(list(tasks), timeout=left)
    if tasks:
        logger().warning(
            "After %.1f s %d background tasks of a request still run (%s). Lambda freezes them now; they go on during "
            "later requests. Tasks that live on belong in the lifespan.",
            seconds,
            len(tasks),
            ", ".join(task.get_name() for task in list(tasks)[:5]),
        )
