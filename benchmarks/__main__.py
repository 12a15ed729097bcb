"""Runs the benchmarks and prints their tables: the command behind ``scripts/bench``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import import_module
from json import dumps
from pathlib import Path
from typing import Any

# Each part is a module of this package with measure(rounds) and report(results). The numbers are the rounds of a full
# run and of one with --quick.
PARTS = {
    "calls": (401, 51),
    "frameworks": (101, 31),
    "bodies": (21, 5),
    "imports": (21, 5),
    "cold": (31, 7),
    "size": (1, 1),
    "growth": (101, 21),
    "gateway": (31, 7),
    "runtime": (31, 7),
    "websocket": (11, 3),
    "stages": (401, 51),
    "packaging": (3, 1),
    "deployment": (3, 1),
}
# Run by --only alone.
ON_REQUEST = ("stages", "packaging", "deployment")


def main() -> None:
    """Run the parts that the command line selects."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure what the bridge costs, compared with its peers."
    )
    parser.add_argument("--only", choices=PARTS, metavar="PART", help=f"run one part: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="run fewer rounds, for a first impression")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--check",
        action="store_true",
        help="fail if a ratio is below its record: by a quarter, or a tenth for cold starts",
    )
    parser.add_argument("--write", action="store_true", help="with --check: record the ratios measured now instead")
    options = parser.parse_args()
    if options.check or options.write:
        from benchmarks import check

        sys.exit(check.write() if options.write else check.check())
    parts = [options.only] if options.only else [name for name in PARTS if name not in ON_REQUEST]
    results: dict[str, Any] = {"machine": _machine()}
    if not options.json:
        print(f"Machine: {results['machine']}", flush=True)
    for name in parts:
        part = import_module(f"benchmarks.{name}")
        results[name] = part.measure(PARTS[name][1 if options.quick else 0])
        if not options.json:
            print("\n" + "\n\n".join(part.report(results[name])), flush=True)
    if options.json:
        print(dumps(results, indent=2, ensure_ascii=False))


def _machine() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}, {_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    main()
