"""What grows with a request, and what must not grow with how many there were.

A request's cost, by the number of its headers, cookies and query pairs and by the length of its body: what ten more of
them cost is to be the same at both ends. And many calls in a row, each by another client with names and values of its
own: the last are to cost what the first did, in time and in memory.
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

from benchmarks.calls import CONTEXT, INTERFACES, US, handlers
from benchmarks.events import EVENTS
from benchmarks.rounds import take_turns, turn_of
from benchmarks.table import table

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).parents[1]
_BATCH = 20
_SOURCES = ("http-api", "rest-api", "alb-multi")
NUMBERS = (10, 20, 50, 100, 200)
_BODIES = (0, 10_000, 100_000, 1_000_000)
_MANY, _FEWER = 1_000_000, 100_000
_TENTHS = 10
_PARTS = 20  # of a tenth, of which the median counts


def measure(rounds: int) -> dict[str, Any]:
    """Microseconds by source, interface, what grows, and its number; and the tenths of a long run."""
    found: dict[str, Any] = {"size": {}, "time": {}}
    for interface in INTERFACES:
        handler = handlers(interface)[US]
        for source in _SOURCES:
            for what, make in GROWING.items():
                numbers = _BODIES if what == "body" else NUMBERS
                turns = {
                    str(number): turn_of(handler, dumps(make(EVENTS[source], number)), CONTEXT, _BATCH)
                    for number in numbers
                }
                times = {number: median(taken) for number, taken in take_turns(turns, rounds).items()}
                found["size"][f"{interface.upper()}, {source}, {what}"] = times
    calls = _MANY if rounds > 30 else _FEWER
    for interface in INTERFACES:
        # a process of its own: this one has grown already
        done = subprocess.run(
            [sys.executable, "-m", __name__, interface, str(calls)],
            cwd=_ROOT, stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
        found["time"][interface.upper()] = loads(done.stdout) | {"calls": calls}
    return found


def report(found: dict[str, Any]) -> list[str]:
    rows, bodies = [], []
    for name, times in found["size"].items():
        numbers = [*times]
        if name.endswith("body"):
            bodies.append([name, *(f"{times[number]:.0f}" for number in numbers)])
            continue
        low = (times["50"] - times["10"]) / 4
        high = (times["200"] - times["100"]) / 10
        rows.append([name, *(f"{times[number]:.0f}" for number in numbers), f"{low:.1f}", f"{high:.1f}"])
    long = [
        [
            f"{name}, {run['calls']:,} calls",
            f"{run['µs'][0]:.1f}",
            f"{run['µs'][-1]:.1f}",
            f"{run['µs'][-1] / run['µs'][0]:.2f}",
            f"{run['blocks'][-1] - run['blocks'][0]:+d}",
            f"{(run['KB'][-1] - run['KB'][0]):+d}",
        ]
        for name, run in found["time"].items()
    ]
    return [
        "### Growth: µs per call, by how many there are",
        table(["", *map(str, NUMBERS), "ten more of few", "ten more of many"], rows),
        "### Growth: µs per call, by bytes of body",
        table(["", *map(str, _BODIES)], bodies),
        "### Growth: a long run, the first tenth and the last",
        table(["", "µs, first", "µs, last", "ratio", "blocks of memory", "KB of memory"], long),
    ]


def _headers(event: dict[str, Any], number: int) -> dict[str, Any]:
    names = [f"X-Shop-{index}" for index in range(number)]
    return _with(event, [(name, f"value of {name}") for name in names])


def _cookies(event: dict[str, Any], number: int) -> dict[str, Any]:
    cookies = [f"name{index}=value{index}" for index in range(number)]
    if "cookies" in event:
        return {**event, "cookies": cookies}
    return _with(event, [("Cookie", "; ".join(cookies))])


def _with(event: dict[str, Any], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """The event with these headers, in the maps that it has, in place of its own."""
    changed = {**event}
    if "headers" in event:
        changed["headers"] = dict(pairs)
    if "multiValueHeaders" in event:
        changed["multiValueHeaders"] = {name: [value] for name, value in pairs}
    return changed


def _query(event: dict[str, Any], number: int) -> dict[str, Any]:
    pairs = {f"name{index}": f"value {index}" for index in range(number)}
    changed = {**event}
    if "rawQueryString" in event:
        changed["rawQueryString"] = "&".join(f"{name}={value}" for name, value in pairs.items()).replace(" ", "+")
    else:
        changed["multiValueQueryStringParameters"] = {name: [value] for name, value in pairs.items()}
    return changed


def _body(event: dict[str, Any], number: int) -> dict[str, Any]:
    return {**event, "body": "x" * number, "isBase64Encoded": False}


GROWING: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
    "headers": _headers,
    "cookies": _cookies,
    "query pairs": _query,
    "body": _body,
}


def strange(event: dict[str, Any], number: int) -> dict[str, Any]:
    """The event of a client who has names and values of its own: what is remembered must not grow with clients."""
    own = f"{number:x}"
    return {
        **event,
        "headers": {**event["headers"], f"x-{own}": own, "user-agent": own, "host": f"{own}.example"},
        "cookies": [f"session={own}"],
        "rawPath": f"/shop/{own}",
        "rawQueryString": f"{own}={own}",
    }


def _long_run(interface: str, calls: int) -> dict[str, list[float]]:
    """The time of a call in each tenth; memory after the first tenth and at the end, by which caches are full."""
    handler = handlers(interface)[US]
    found: dict[str, list[float]] = {"µs": [], "blocks": [], "KB": []}
    part = calls // _TENTHS // _PARTS
    number = 0
    for _tenth in range(_TENTHS):
        times = []
        for _ in range(_PARTS):
            spent = 0
            for start in range(0, part, 100):
                events = [strange(EVENTS["http-api"], number + start + index) for index in range(100)]
                began = process_time_ns()
                for event in events:
                    handler(event, CONTEXT)
                spent += process_time_ns() - began
            number += part
            times.append(spent / part / 1000)
        found["µs"].append(median(times))
        del events, event
        gc.collect()
        found["blocks"].append(sys.getallocatedblocks())
        found["KB"].append(_resident())
    return found


def _resident() -> int:
    """The memory of this process that is in use, in KB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    print(dumps(_long_run(sys.argv[1], int(sys.argv[2]))))
