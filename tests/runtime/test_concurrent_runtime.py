"""Calling Lambda handlers in threads."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar

import pytest

from bridge.runtime.concurrent_runtime import call_in_thread, handler_threads


async def test_the_event_loop_of_a_thread_is_closed_after_the_thread_has_ended() -> None:
    threads = handler_threads(1)
    loop = await call_in_thread(threads, asyncio.get_event_loop)
    assert not loop.is_closed()

    threads.shutdown()
    del threads
    gc.collect()

    assert loop.is_closed()


async def test_a_function_sees_the_context_variables_of_the_calling_task() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("set")

    assert await call_in_thread(handler_threads(1), variable.get) == "set"


@pytest.mark.parametrize("error", [StopIteration(), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()])
async def test_every_exception_reaches_the_calling_task(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
        await call_in_thread(handler_threads(1), fail)
