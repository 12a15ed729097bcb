"""The command behind ``scripts/bench``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import import_module
from json import dumps
from pathlib import Path
from typing import Any

# Each part is a module here, with measure(rounds) and report(found); how many rounds, and how many for a first look.
PARTS = {
    "calls": (401, 51),
    "frameworks": (101, 31),
    "bodies": (21, 5),
    "imports": (21, 5),
    "size": (1, 1),
    "growth": (101, 21),
    "gateway": (31, 7),
    "runtime": (31, 7),
    "stages": (401, 51),
    "packaging": (3, 1),
}
# Measured only when they are asked for by name.
ASKED_FOR = ("stages", "packaging")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="What the bridge costs, beside its peers.")
    parser.add_argument("--only", choices=PARTS, metavar="NAME", help=f"one part alone: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a first look, not for a claim")
    parser.add_argument("--json", action="store_true", help="figures for a machine")
    parser.add_argument("--check", action="store_true", help="fail if a ratio has fallen by more than a quarter")
    parser.add_argument("--write", action="store_true", help="with --check: write the ratios that are true now")
    options = parser.parse_args()
    if options.check or options.write:
        from benchmarks import check

        sys.exit(check.write() if options.write else check.check())
    parts = [options.only] if options.only else [name for name in PARTS if name not in ASKED_FOR]
    found: dict[str, Any] = {"machine": _machine()}
    if not options.json:
        print(f"Machine: {found['machine']}", flush=True)
    for name in parts:
        part = import_module(f"benchmarks.{name}")
        found[name] = part.measure(PARTS[name][1 if options.quick else 0])
        if not options.json:
            print("\n" + "\n\n".join(part.report(found[name])), flush=True)
    if options.json:
        print(dumps(found, indent=2, ensure_ascii=False))


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
