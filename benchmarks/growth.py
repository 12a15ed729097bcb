"""Measures how the time of a call grows with the size of the request, and whether calls leave memory behind.

The size is the number of headers, cookies or query pairs, or the length of the body: ten more of them should take as
long in a large request as in a small one. A long run of calls, each from another client with names and values of its
own, should take as long at its end as at its beginning, in as much memory.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from json import dumps, loads
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import TYPE_CHECKING, Any

from benchmarks.calls import BRIDGE, CONTEXT, INTERFACES, handlers
from benchmarks.events import EVENTS
from benchmarks.table import table
from benchmarks.timing import batch_of, interleave

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).parents[1]
_BATCH = 20
_SOURCES = ("http-api", "rest-api", "alb-multi")
COUNTS = (10, 20, 50, 100, 200)
_BODY_SIZES = (0, 10_000, 100_000, 1_000_000)
_CALLS, _QUICK_CALLS = 1_000_000, 100_000
_TENTHS = 10
_PARTS = 20  # of a tenth, whose time is the median of its parts


def measure(rounds: int) -> dict[str, Any]:
    """Return microseconds by interface, source, what grows, and its size; and the tenths of a long run."""
    results: dict[str, Any] = {"size": {}, "time": {}}
    for interface in INTERFACES:
        handler = handlers(interface)[BRIDGE]
        for source in _SOURCES:
            for what, resize in GROWING.items():
                batches = {
                    str(size): batch_of(handler, dumps(resize(EVENTS[source], size)), CONTEXT, _BATCH)
                    for size in (_BODY_SIZES if what == "body" else COUNTS)
                }
                times = {size: median(taken) for size, taken in interleave(batches, rounds).items()}
                results["size"][f"{interface.upper()}, {source}, {what}"] = times
    calls = _CALLS if rounds > 30 else _QUICK_CALLS
    for interface in INTERFACES:
        # In a new process, because this one's memory has grown already.
        process = subprocess.run(
            [sys.executable, "-m", __name__, interface, str(calls)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        results["time"][interface.upper()] = loads(process.stdout) | {"calls": calls}
    return results


def report(results: dict[str, Any]) -> list[str]:
    """Return a table of counts, one of bodies and one of the long run."""
    counts, bodies = [], []
    for name, times in results["size"].items():
        row = [name, *(f"{time:.0f}" for time in times.values())]
        if name.endswith("body"):
            bodies.append(row)
            continue
        low = (times["50"] - times["10"]) / 4
        high = (times["200"] - times["100"]) / 10
        counts.append([*row, f"{low:.1f}", f"{high:.1f}"])
    runs = [
        [
            f"{name}, {run['calls']:,} calls",
            f"{run['µs'][0]:.1f}",
            f"{run['µs'][-1]:.1f}",
            f"{run['µs'][-1] / run['µs'][0]:.2f}",
            f"{run['blocks'][-1] - run['blocks'][0]:+d}",
            f"{(run['KB'][-1] - run['KB'][0]):+d}",
        ]
        for name, run in results["time"].items()
    ]
    return [
        "### Growth: µs per call, by how many there are",
        table(["", *map(str, COUNTS), "ten more of few", "ten more of many"], counts),
        "### Growth: µs per call, by bytes of body",
        table(["", *map(str, _BODY_SIZES)], bodies),
        "### Growth: a long run, the first tenth and the last",
        table(["", "µs, first", "µs, last", "ratio", "blocks of memory", "KB of memory"], runs),
    ]


def _headers(event: dict[str, Any], count: int) -> dict[str, Any]:
    names = [f"X-Shop-{index}" for index in range(count)]
    return _with_headers(event, [(name, f"value of {name}") for name in names])


def _cookies(event: dict[str, Any], count: int) -> dict[str, Any]:
    cookies = [f"name{index}=value{index}" for index in range(count)]
    if "cookies" in event:
        return {**event, "cookies": cookies}
    return _with_headers(event, [("Cookie", "; ".join(cookies))])


def _with_headers(event: dict[str, Any], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return a copy of *event* whose maps of headers hold only *pairs*."""
    changed = {**event}
    if "headers" in event:
        changed["headers"] = dict(pairs)
    if "multiValueHeaders" in event:
        changed["multiValueHeaders"] = {name: [value] for name, value in pairs}
    return changed


def _query(event: dict[str, Any], count: int) -> dict[str, Any]:
    pairs = {f"name{index}": f"value {index}" for index in range(count)}
    changed = {**event}
    if "rawQueryString" in event:
        changed["rawQueryString"] = "&".join(f"{name}={value}" for name, value in pairs.items()).replace(" ", "+")
    else:
        changed["multiValueQueryStringParameters"] = {name: [value] for name, value in pairs.items()}
    return changed


def _body(event: dict[str, Any], size: int) -> dict[str, Any]:
    return {**event, "body": "x" * size, "isBase64Encoded": False}


# What grows, with a function that returns a copy of an event in which there is so much of it.
GROWING: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
    "headers": _headers,
    "cookies": _cookies,
    "query pairs": _query,
    "body": _body,
}


def event_of_client(event: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a copy of *event* with names and values that no client of another number sends."""
    own = f"{number:x}"
    return {
        **event,
        "headers": {**event["headers"], f"x-{own}": own, "user-agent": own, "host": f"{own}.example"},
        "cookies": [f"session={own}"],
        "rawPath": f"/shop/{own}",
        "rawQueryString": f"{own}={own}",
    }


def _long_run(interface: str, calls: int) -> dict[str, list[float]]:
    """Return the time of a call in each tenth of the run, and the memory at its end."""
    handler = handlers(interface)[BRIDGE]
    results: dict[str, list[float]] = {"µs": [], "blocks": [], "KB": []}
    part = calls // _TENTHS // _PARTS
    number = 0
    for _tenth in range(_TENTHS):
        times = []
        for _ in range(_PARTS):
            time = 0
            for first in range(number, number + part, 100):
                events = [event_of_client(EVENTS["http-api"], first + index) for index in range(100)]
                start = process_time_ns()
                for event in events:
                    handler(event, CONTEXT)
                time += process_time_ns() - start
            number += part
            times.append(time / part / 1000)
        results["µs"].append(median(times))
        del events, event
        gc.collect()
        results["blocks"].append(sys.getallocatedblocks())
        results["KB"].append(_resident_kb())
    return results


def _resident_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    print(dumps(_long_run(sys.argv[1], int(sys.argv[2]))))
