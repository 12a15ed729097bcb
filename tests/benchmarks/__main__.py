"""The command behind ``scripts/bench``."""

from __future__ import annotations

import argparse
import os
import platform
from json import dumps
from pathlib import Path
from typing import Any

from tests.benchmarks import calls, gateway, imports, runtime, stages
from tests.benchmarks.table import table

_BATCH = 20
_ROUNDS = {"calls": 401, "imports": 21, "gateway": 31, "runtime": 31}
_QUICK_ROUNDS = {"calls": 51, "imports": 5, "gateway": 7, "runtime": 7}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="What the bridge costs, beside its peers.")
    parser.add_argument("--only", choices=["calls", "imports", "stages", "gateway", "runtime"], help="one part alone")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a first look, not for a claim")
    parser.add_argument("--json", action="store_true", help="figures for a machine, in µs per call and ms per import")
    options = parser.parse_args()
    rounds = _QUICK_ROUNDS if options.quick else _ROUNDS
    found: dict[str, Any] = {"machine": _machine()}
    if options.only in (None, "calls"):
        found["calls"] = calls.measure(rounds["calls"], _BATCH)
    if options.only in (None, "imports"):
        found["imports"] = imports.measure(rounds["imports"])
    if options.only in (None, "gateway"):
        found["gateway"] = gateway.measure(rounds["gateway"])
    if options.only in (None, "runtime"):
        found["runtime"] = runtime.measure(rounds["runtime"])
    if options.only == "stages":
        found["stages"] = stages.measure(rounds["calls"], _BATCH)
    print(dumps(found, indent=2, ensure_ascii=False) if options.json else "\n\n".join(_report(found)))


def _machine() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}, {_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _report(found: dict[str, Any]) -> list[str]:
    parts = [f"Machine: {found['machine']}"]
    for interface, by_source in found.get("calls", {}).items():
        parts += [f"### {interface.upper()}: µs per call (times the bridge's)", _calls_table(by_source)]
    for before, by_library in found.get("imports", {}).items():
        parts += [f"### Import: ms above {before}", _imports_table(by_library)]
    if "gateway" in found:
        parts += ["### The local gateway: µs of the server's time per request", _gateway_table(found["gateway"])]
    if "runtime" in found:
        parts += _runtime_tables(found["runtime"])
    if "stages" in found:
        parts += ["### The bridge's stages: µs", _stages_table(found["stages"])]
    return parts


def _calls_table(by_source: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(by_source.values())))
    rows = []
    for name in names:
        row = [name]
        for times in by_source.values():
            ratio = f" ({times[name] / times[calls.US]:.1f})" if name not in (calls.US, *calls.FLOORS) else ""
            row.append(f"{times[name]:.1f}{ratio}")
        rows.append(row)
    return table(["", *by_source], rows)


def _gateway_table(times: dict[str, float]) -> str:
    floor = times[gateway.FLOOR]
    return table(["", "µs", "times uvicorn's"], [[n, f"{t:.0f}", f"{t / floor:.2f}"] for n, t in times.items()])


def _runtime_tables(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    names = (runtime.AWS, runtime.US)
    rows = []
    for handler, times in found["invocation"].items():
        ratio = times[runtime.US] / times[runtime.AWS]
        rows.append([handler, *(f"{times[name]:.0f}" for name in names), f"{ratio:.2f}"])
    many = [
        [name, f"{at['processes']:.0f}", f"{at['ms']:.0f}", f"{at['MB']:.0f}"] for name, at in found["at once"].items()
    ]
    stream = [[name, f"{at['median']:.1f}", f"{at['worst']:.1f}"] for name, at in found["stream"].items()]
    http = [[name, f"{times['µs']:.0f}"] for name, times in found["http"].items()]
    return [
        "### The runtime: µs per invocation, one after the other",
        table(["", *names, "ratio"], rows),
        f"### The runtime: {runtime.AT_ONCE} requests at once that wait 100 ms each",
        table(["", "processes", "ms", "MB"], many),
        "### The HTTP of one invocation: µs",
        table(["", "µs"], http),
        "### A stream through `bridge serve --runtime`: ms from the application's send to the client",
        table(["", "median", "worst"], stream),
    ]


def _stages_table(by_source: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(by_source.values())))
    return table(["", *by_source], [[name, *(f"{times[name]:.1f}" for times in by_source.values())] for name in names])


def _imports_table(by_library: dict[str, dict[str, float]]) -> str:
    rows = [[name, *(f"{times[stage]:.1f}" for stage in imports.STAGES)] for name, times in by_library.items()]
    return table(["", *imports.STAGES], rows)


if __name__ == "__main__":
    main()
