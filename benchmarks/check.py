"""Whether the bridge is still as far ahead of its peers as it was: ``scripts/bench --check``, which CI runs.

What counts is how many times longer a peer takes, in the same run: another machine, or a busy one, slows all alike.
Another version of Python does not, so each has ratios of its own.
"""

from __future__ import annotations

import sys
from json import dumps, loads
from pathlib import Path

from benchmarks import calls, imports

WRITTEN = Path(__file__).with_name("ratios.json")
# A ratio may be so much of the written one; what lies below has to be explained, or repaired.
LEAST = 0.75
_ROUNDS = {"calls": 15, "imports": 5}
_IMPORTS = ((imports.US_WSGI, "apig-wsgi"), (imports.US_WSGI, "serverless-wsgi"), (imports.US_ASGI, imports.MANGUM))

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

Ratios = dict[str, float]


def check() -> int:
    """Compare with what is written, and say what fell; measured a second time before that is believed.

    Returns:
        The exit code, 1 if a ratio fell.
    """
    written = written_for(VERSION)
    found = measure()
    below = fallen(written, found)
    if below:
        print(f"{len(below)} of {len(written)} ratios seem to have fallen; measuring again, three times as long.")
        again = measure(3)
        found = {name: max(ratio, again.get(name, 0)) for name, ratio in found.items()}
        below = fallen(written, found)
    for name, ratio in written.items():
        print(f"{'FELL ' if name in below else 'holds'} {name}: {found.get(name, 0):.2f} times, written {ratio:.2f}")
    if not below:
        return 0
    print(
        f"\n{len(below)} of {len(written)} ratios fell more than a quarter below {WRITTEN.name}: the bridge has become "
        "slower, or a peer faster. `scripts/bench --only calls`, `--only stages` and `--only imports` show where. If "
        "it is meant to be so, `scripts/bench --check --write` writes what is true now.",
        file=sys.stderr,
    )
    return 1


def write() -> int:
    """Write what is measured now, for this version of Python; the exit code is 0."""
    found = {name: round(ratio, 2) for name, ratio in measure(3).items()}
    print(dumps(found, indent=2))
    by_version: dict[str, Ratios] = {**_read(), VERSION: found}
    WRITTEN.write_text(dumps(dict(sorted(by_version.items())), indent=2) + "\n", "utf-8")
    return 0


def written_for(version: str) -> Ratios:
    """The ratios of a version of Python; for one that has none the smallest of all the others."""
    by_version = _read()
    if version in by_version:
        return by_version[version]
    names = next(iter(by_version.values()))
    return {name: min(ratios[name] for ratios in by_version.values()) for name in names}


def _read() -> dict[str, Ratios]:
    by_version: dict[str, Ratios] = loads(WRITTEN.read_text(encoding="utf-8"))
    return by_version


def fallen(written: Ratios, found: Ratios) -> set[str]:
    """The names of those that are too far below what is written, or were not measured."""
    return {name for name, ratio in written.items() if found.get(name, 0) < ratio * LEAST}


def measure(longer: int = 1) -> Ratios:
    """By name how many times the bridge's time a peer takes.

    Args:
        longer: how many times the usual rounds.
    """
    found: Ratios = {}
    for interface, by_source in calls.measure(_ROUNDS["calls"] * longer).items():
        for source, times in by_source.items():
            for name, time in times.items():
                if name not in (calls.US, *calls.FLOORS):
                    found[f"{interface.upper()}, {source}, {name}"] = time / times[calls.US]
    taken = imports.measure_these(imports.with_bytecode(imports.BOOTSTRAP), _ROUNDS["imports"] * longer)
    times = {name: stages[imports.STAGES[-1]] for name, stages in taken[imports.BOOTSTRAP].items()}
    for us, peer in _IMPORTS:
        found[f"import and first answer, {peer}"] = times[peer] / times[us]
    return found
