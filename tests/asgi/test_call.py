"""Calling Lambda handlers in threads."""

from __future__ import annotations

import asyncio
import threading

from bridge.runtime.call import give_loop


def test_the_loop_that_a_thread_is_given_is_closed_when_the_thread_ends() -> None:
    loops: list[tuple[asyncio.AbstractEventLoop, bool]] = []

    def work() -> None:
        give_loop()
        loop = asyncio.get_event_loop()
        loops.append((loop, loop.is_closed()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    ((loop, was_closed),) = loops
    assert (was_closed, loop.is_closed()) == (False, True)
