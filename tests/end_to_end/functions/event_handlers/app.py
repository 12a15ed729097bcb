"""Plain Lambda handlers, sync and async. The key ``do`` of the event selects what they do."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import date
from typing import Any

import bridge


def handler(event: dict[str, Any], context: Any) -> Any:
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
    if do == "asyncio.run":
        return asyncio.run(_sleep_and_echo(event))
    if do == "asyncio.get_event_loop":
        return asyncio.get_event_loop().run_until_complete(_sleep_and_echo(event))
    if do == "log":
        print("printed without a flush")
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
        "remaining": context.get_remaining_time_in_millis(),
        "trace": [current.trace_id, os.environ.get("_X_AMZN_TRACE_ID", "")],
    }


async def async_handler(event: dict[str, Any], context: Any) -> Any:
    if event.get("do") in ("asyncio.run", "asyncio.get_event_loop"):
        return await _sleep_and_echo(event)
    await asyncio.sleep(0)
    return handler(event, context)


async def _sleep_and_echo(event: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"event": event, "process": os.getpid()}
