"""Compares wheels with a target: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.dev.packaging.target import LAMBDA_MINORS, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TAGS = 6


def fits(wheel: str, target: Target) -> bool:
    """Return whether the target can run a wheel with this file name."""
    *_, pythons, abis, platforms = wheel.removesuffix(".whl").split("-")
    if platforms != "any" and not set(platforms.split(".")) & {*target.wheel_platforms, f"linux_{target.machine}"}:
        return False
    minor = int(target.python.partition(".")[2])
    if "abi3" in abis.split("."):
        return any(int(each) <= minor for each in re.findall(r"cp3(\d+)", pythons))
    return f"cp3{minor}" in pythons.split(".") or (
        set(abis.split(".")) == {"none"} and bool({"py3", f"py3{minor}"} & set(pythons.split(".")))
    )


def missing_wheel_message(
    name: str, version: str, wheels: Sequence[str], fitting: Sequence[str], target: Target
) -> str:
    """Return the message about a release that has wheels for other targets only.

    Args:
        name: the name of the package.
        version: the release.
        wheels: the file names of its wheels.
        fitting: requirements for releases that have a wheel for the target.
        target: the target.
    """
    lines = [f"{name} {version} has no wheel for {target}. It has wheels for {_tags(wheels, target)}."]
    if fitting:
        lines.append(f"These releases have a wheel for this target: {', '.join(fitting)}")
    if other := _other_target(wheels, target):
        lines.append(f"This release has a wheel for another target: {other}")
    lines.append(f"To build the release from its sources, which may take minutes and needs a compiler: --build {name}")
    return "\n".join(lines)


def _tags(wheels: Sequence[str], target: Target) -> str:
    """Return the tags of wheels, those for the target's Python and processor first."""
    python = f"cp{target.python.replace('.', '')}"
    tags = {"-".join(wheel.removesuffix(".whl").split("-")[-3:]) for wheel in wheels}
    ordered = sorted(tags, key=lambda tag: (not tag.startswith(python), not tag.endswith(target.machine), tag))
    rest = len(ordered) - _MAX_TAGS
    return ", ".join(ordered[:_MAX_TAGS]) + (f" and {rest} others" if rest > 0 else "")


def _other_target(wheels: Sequence[str], target: Target) -> str | None:
    """Return the options of a target of Lambda that one of the wheels fits."""
    minors = [minor for minor in LAMBDA_MINORS if f"3.{minor}" != target.python]
    for minor in sorted(minors, key=lambda minor: abs(minor - int(target.python.partition(".")[2]))):
        other = Target.from_options(f"3.{minor}", target.arch)
        if any(fits(wheel, other) for wheel in wheels):
            return f"--python {other.python}"
    return None
