"""Measures calls in interleaved batches, so that a disturbance of the machine affects all that are compared alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from json import loads
from random import Random
from statistics import median
from time import process_time_ns
from typing import Any

Handler = Callable[[Any, Any], object]
# Makes some calls and returns the microseconds of one of them.
Batch = Callable[[], float]


def interleave(batches: Mapping[str, Batch], rounds: int) -> dict[str, list[float]]:
    """Return each batch's times, one for each round.

    Every round runs each batch once, in another order. Garbage collection is enabled, so the time of a call includes
    the collection of its own garbage; older objects are frozen, so it includes no more.

    Args:
        batches: the batches by name.
        rounds: the number of rounds; a further one, before them, is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in batches}
    order = list(batches.items())
    shuffle = Random(0).shuffle
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        shuffle(order)
        for name, batch in order:
            time = batch()
            if number:
                times[name].append(time)
    gc.unfreeze()
    return times


def batch_of(handler: Handler, event: str, context: object, size: int) -> Batch:
    """Return a batch of *size* calls, timed as the processor time of all threads of the process.

    As many calls that are not timed come first: the processor needs a dozen until its caches and its predictions of
    branches are those of this handler, and no function has several.

    Args:
        handler: the function to call.
        event: the event as JSON; every call gets a freshly parsed one, as in a function.
        context: Lambda's context object.
        size: the number of calls.
    """

    def batch() -> float:
        events = [loads(event) for _ in range(2 * size)]
        gc.collect()
        for each in events[size:]:
            handler(each, context)
        start = process_time_ns()
        for each in events[:size]:
            handler(each, context)
        return (process_time_ns() - start) / size / 1000

    return batch


def microseconds_per_call(
    handlers: Mapping[str, Handler], event: str, context: object, rounds: int, size: int
) -> dict[str, float]:
    """Return the median time of a call of each handler, from *rounds* interleaved batches of *size* calls."""
    batches = {name: batch_of(handler, event, context, size) for name, handler in handlers.items()}
    return {name: median(times) for name, times in interleave(batches, rounds).items()}
