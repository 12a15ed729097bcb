"""Handlers of a person's own, plain and async, for no HTTP at all; the event says what they do."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import date
from typing import Any

import bridge


def handler(event: dict[str, Any], context: Any) -> Any:
    """Do as the event says."""
    current = bridge.current_request()
    assert current is not None
    do = event.get("do", "echo")
    if do == "fail":
        raise ValueError("failed on purpose")
    if do == "exit":
        sys.exit(3)
    if do == "stop":
        raise StopIteration("failed on purpose")
    if do == "date":
        return date(2020, 1, 1)
    if do == "large":
        return "x" * event["size"]
    if do == "bytes":
        return b"\x00\xff"
    if do == "own loop":
        return asyncio.run(_slowly(event))
    if do == "main thread's loop":
        return asyncio.get_event_loop().run_until_complete(_slowly(event))
    if do == "log":
        print("printed, not flushed")
        logging.getLogger("shop").info("sold", extra={"item": "tea"})
        logging.getLogger("shop").warning("sold %s", "out")
        try:
            raise KeyError("coffee")
        except KeyError:
            logging.getLogger("shop").exception("not sold")
    return {
        "event": event,
        "process": os.getpid(),
        "request_id": [context.aws_request_id, current.request_id],
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context and context.client_context.custom,
        "trace": [current.trace_id, os.environ.get("_X_AMZN_TRACE_ID", "")],
    }


async def async_handler(event: dict[str, Any], context: Any) -> Any:
    """The same, on the event loop."""
    if event.get("do") in ("own loop", "main thread's loop"):
        return await _slowly(event)
    await asyncio.sleep(0)
    return handler(event, context)


async def _slowly(event: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"event": event, "process": os.getpid()}
