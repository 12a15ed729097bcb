"""The measurement itself: contenders take turns, so that whatever disturbs the machine disturbs them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from json import loads
from statistics import median
from time import process_time_ns
from typing import Any

Contender = Callable[[Any, Any], object]


def microseconds_per_call(
    contenders: Mapping[str, Contender], event: str, context: object, rounds: int, batch: int
) -> dict[str, float]:
    """The median over all rounds of what one call of each contender takes.

    In each round each contender has a turn; who begins moves on by one. It is the processor's time, of all threads,
    since others may be at work on this machine and nobody here waits for anything. Garbage collection stays on, so
    everyone pays for their own, and what was there before is frozen, so nobody pays for that.

    Args:
        contenders: what to call with event and context, by name.
        event: as JSON; each call gets its own, freshly parsed, as a function does.
        context: Lambda's context object.
        rounds: how many turns everyone has; one more, before them, is thrown away.
        batch: how many calls make a turn.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders.items())
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        order.append(order.pop(0))
        for name, call in order:
            events = [loads(event) for _ in range(batch)]
            gc.collect()
            began = process_time_ns()
            for one in events:
                call(one, context)
            ended = process_time_ns()
            if number:
                taken[name].append((ended - began) / batch / 1000)
    gc.unfreeze()
    return {name: median(times) for name, times in taken.items()}
