"""Measures how many times longer the peers take than the bridge, and compares that with ``ratios.json``.

CI runs it as ``scripts/bench --check``. Ratios within one run are comparable between machines, because a slower machine
slows all libraries alike; between versions of Python they are not, so the file has ratios for each version.
"""

from __future__ import annotations

import sys
from json import dumps, loads
from pathlib import Path

from benchmarks import calls, cold, imports

RECORD = Path(__file__).with_name("ratios.json")
# A ratio below this share of the recorded one is a failure. Cold starts are mostly those of the framework.
TOLERANCE, COLD_TOLERANCE = 0.75, 0.9
_COLD = "cold start"
_ROUNDS = {"calls": 15, "imports": 5, "cold": 9}
_IMPORTS = (
    (imports.BRIDGE_WSGI, "apig-wsgi"),
    (imports.BRIDGE_WSGI, "serverless-wsgi"),
    (imports.BRIDGE_ASGI, imports.MANGUM),
)

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

Ratios = dict[str, float]


def check() -> int:
    """Compare the measured ratios with the recorded ones and print the result.

    If ratios have fallen, all are measured a second time, and the better measurement of each counts.

    Returns:
        The exit status: 1 if a ratio has fallen, else 0.
    """
    recorded = recorded_ratios(VERSION)
    measured = measure()
    fallen = fallen_ratios(recorded, measured)
    if fallen:
        print(f"{len(fallen)} of {len(recorded)} ratios are too low. Measuring again, with three times the rounds.")
        repeated = measure(3)
        measured = {name: max(ratio, repeated.get(name, 0)) for name, ratio in measured.items()}
        fallen = fallen_ratios(recorded, measured)
    for name, ratio in recorded.items():
        result = "FAIL" if name in fallen else "ok  "
        print(f"{result} {name}: {measured.get(name, 0):.2f} times the bridge's, recorded {ratio:.2f}")
    if not fallen:
        return 0
    print(
        f"\n{len(fallen)} of {len(recorded)} ratios are more than a quarter below {RECORD.name}, those of cold starts "
        "more than a tenth: the bridge has become slower, or a peer faster. To see where, run `scripts/bench --only "
        "calls`, `--only stages`, `--only imports` or `--only cold`. To accept the measured ratios, run `scripts/bench "
        "--check --write`.",
        file=sys.stderr,
    )
    return 1


def write() -> int:
    """Record the ratios measured now for this version of Python, and return the exit status 0."""
    measured = {name: round(ratio, 2) for name, ratio in measure(3).items()}
    print(dumps(measured, indent=2))
    by_version: dict[str, Ratios] = {**_read(), VERSION: measured}
    RECORD.write_text(dumps(dict(sorted(by_version.items())), indent=2) + "\n", "utf-8")
    return 0


def recorded_ratios(version: str) -> Ratios:
    """Return the ratios of a version of Python; for a version without any, the smallest of all versions."""
    by_version = _read()
    if version in by_version:
        return by_version[version]
    names = next(iter(by_version.values()))
    return {name: min(ratios[name] for ratios in by_version.values()) for name in names}


def _read() -> dict[str, Ratios]:
    by_version: dict[str, Ratios] = loads(RECORD.read_text(encoding="utf-8"))
    return by_version


def fallen_ratios(recorded: Ratios, measured: Ratios) -> set[str]:
    """Return the names of the recorded ratios that are too low now, or that were not measured."""
    return {
        name
        for name, ratio in recorded.items()
        if measured.get(name, 0) < ratio * (COLD_TOLERANCE if name.startswith(_COLD) else TOLERANCE)
    }


def measure(factor: int = 1) -> Ratios:
    """Return a peer's time divided by the bridge's, by source and peer.

    Args:
        factor: multiplies the number of rounds.
    """
    ratios: Ratios = {}
    for interface, by_source in calls.measure(_ROUNDS["calls"] * factor).items():
        for source, times in by_source.items():
            for name, time in times.items():
                if name not in (calls.BRIDGE, *calls.LOWER_BOUNDS):
                    ratios[f"{interface.upper()}, {source}, {name}"] = time / times[calls.BRIDGE]
    processes = imports.with_bytecode(imports.BOOTSTRAP)
    by_library = imports.measure_processes(processes, _ROUNDS["imports"] * factor)[imports.BOOTSTRAP]
    for own, peer in _IMPORTS:
        stage = imports.STAGES[-1]
        ratios[f"import and first answer, {peer}"] = by_library[peer][stage] / by_library[own][stage]
    for name, by_client in cold.measure(_ROUNDS["cold"] * factor).items():
        for client in by_client.keys() - {cold.PEER}:
            ratios[f"{_COLD}, {name}, {client}"] = by_client[cold.PEER] / by_client[client]
    return ratios
