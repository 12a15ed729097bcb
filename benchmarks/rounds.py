"""The measurement itself: contenders take turns, so that whatever disturbs the machine disturbs them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from json import loads
from statistics import median
from time import process_time_ns
from typing import Any

Contender = Callable[[Any, Any], object]
# Some calls, and the microseconds that one of them took.
Turn = Callable[[], float]


def take_turns(turns: Mapping[str, Turn], rounds: int) -> dict[str, list[float]]:
    """What each turn gave, round by round.

    In each round each has a turn; who begins moves on by one. Garbage collection stays on, so everyone pays for their
    own, and what was there before is frozen, so nobody pays for that.

    Args:
        turns: what is measured, by name.
        rounds: how many turns everyone has; one more, before them, is thrown away.
    """
    taken: dict[str, list[float]] = {name: [] for name in turns}
    order = list(turns.items())
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        order.append(order.pop(0))
        for name, turn in order:
            time = turn()
            if number:
                taken[name].append(time)
    gc.unfreeze()
    return taken


def turn_of(call: Contender, event: str, context: object, batch: int) -> Turn:
    """A turn of *batch* calls.

    It is the processor's time, of all threads, since others may be at work on this machine and nobody here waits for
    anything.

    Args:
        call: what to call with event and context.
        event: as JSON; each call gets its own, freshly parsed, as a function does.
        context: Lambda's context object.
        batch: how many calls make a turn.
    """

    def turn() -> float:
        events = [loads(event) for _ in range(batch)]
        gc.collect()
        began = process_time_ns()
        for one in events:
            call(one, context)
        return (process_time_ns() - began) / batch / 1000

    return turn


def microseconds_per_call(
    contenders: Mapping[str, Contender], event: str, context: object, rounds: int, batch: int
) -> dict[str, float]:
    """The median over all rounds of what one call of each contender takes."""
    turns = {name: turn_of(call, event, context, batch) for name, call in contenders.items()}
    return {name: median(times) for name, times in take_turns(turns, rounds).items()}
