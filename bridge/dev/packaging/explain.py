"""The report of ``bridge package --explain``: why the artifact has each version, and each large or unusual file."""

from __future__ import annotations

import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from bridge.dev.packaging.bridge_wheel import DISTRIBUTION
from bridge.dev.packaging.pylock import normalized_name
from bridge.dev.packaging.report import format_size
from bridge.dev.packaging.requirements_txt import local_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

    from bridge.dev.packaging.installed_files import InstalledFiles
    from bridge.dev.packaging.project_files import ProjectFiles
    from bridge.dev.packaging.project_requirements import Requirements


_LARGE_BYTES = 5 * 1024 * 1024


def explain_requirements(requirements: Requirements, root: Path, *, adds_bridge: bool) -> list[str]:
    """Return a line for each installed package: its version, and the file that decided it.

    Args:
        requirements: the requirements that were installed.
        root: the folder of the installation.
        adds_bridge: whether the running bridge was installed.
    """
    packages = {normalized_name(info["Name"]): info for info in _installed(root)}
    names = {name: f"{name} {info['Version']}" for name, info in packages.items()}
    width = max(map(len, names.values()), default=0)
    lines = [
        f"  {names[name]:{width}}  {_reason(name, requirements, packages, adds_bridge=adds_bridge)}"
        for name in sorted(packages)
    ]
    return ["Versions, and what decides them:", *lines] if lines else []


def explain_files(project_files: ProjectFiles, installed_files: InstalledFiles) -> list[str]:
    """Return a line for each file that is large or left out, with the reason."""
    lines = sorted([*_included(project_files, installed_files), *_left_out(project_files)])
    width = max((len(path) for path, _ in lines), default=0)
    return ["Files, and why they are in or out:", *(f"  {path:{width}}  {why}" for path, why in lines)] if lines else []


def _included(project_files: ProjectFiles, installed_files: InstalledFiles) -> Iterator[tuple[str, str]]:
    for path, size in project_files.sizes.items():
        yield path, f"in, {format_size(size)}: no pattern leaves it out"
    for path, sign in project_files.contained_secrets.items():
        if path in project_files.files:
            yield path, f"in, although it contains {sign}: it is Python"
    for path, file in installed_files.files.items():
        if (size := file.stat().st_size) > _LARGE_BYTES:
            yield path, f"in, {format_size(size)}: part of {installed_files.packages[path]}"


def _left_out(project_files: ProjectFiles) -> Iterator[tuple[str, str]]:
    kinds = [
        (project_files.secrets, "its name is that of a secret"),
        (project_files.ignored, ".gitignore names it"),
        (project_files.artifacts, "an earlier build made it"),
        (project_files.outside_links, "it is a link out of the project"),
        (project_files.broken_links, "it is a link without a target"),
        (project_files.undecodable, "its name is not UTF-8"),
    ]
    for paths, why in kinds:
        for path in paths:
            tracked = ", although git tracks it" if path in project_files.tracked and "gitignore" in why else ""
            yield path, f"out: {why}{tracked}"
    for path, sign in project_files.contained_secrets.items():
        if path not in project_files.files:
            yield path, f"out: it contains {sign}"


def _installed(root: Path) -> Iterator[Message]:
    for file in root.glob("*.dist-info/METADATA"):
        yield HeaderParser().parsestr(file.read_text(encoding="utf-8", errors="replace"))


def _reason(name: str, requirements: Requirements, packages: dict[str, Message], *, adds_bridge: bool) -> str:
    """Return what decided the version of a package."""
    if name == DISTRIBUTION and adds_bridge:
        return "the running bridge"
    if requirements.pylock is not None:
        for package in requirements.pylock.packages:
            if normalized_name(package["name"]) == name:
                if "directory" in package:
                    return f"{requirements.origin}: built from {requirements.pylock.path(package['directory'])}"
                return f"{requirements.origin}"
    for line in [*requirements.constraints, *requirements.all_lines]:
        if normalized_name(line) == name and ("==" in line or "@" in line or requirements.is_complete):
            return f"{requirements.places.get(line, requirements.origin)}: {_without_hashes(line)}"
    for line in requirements.all_lines:
        if normalized_name(line) == name:
            place = requirements.places.get(line, requirements.origin)
            return f"not pinned: the newest that {place} allows: {_without_hashes(line)}"
        folder = local_folder(line)
        if folder is not None and _is_name_of(folder, name):
            return f"{requirements.places.get(line, requirements.origin)}: built from {folder}"
    parents = [
        (parent, required)
        for parent, info in packages.items()
        for required in info.get_all("Requires-Dist", [])
        if normalized_name(required) == name
    ]
    without_extras = [pair for pair in parents if "extra ==" not in pair[1]]
    fitting = sorted(f"{parent} ({required})" for parent, required in without_extras or parents)
    return f"not pinned: the newest that fits {', '.join(fitting) or requirements.origin}"


def _is_name_of(folder: Path, name: str) -> bool:
    """Return whether a project's pyproject.toml or setup.py has this name."""
    files = [file for file in (folder / "pyproject.toml", folder / "setup.py") if file.is_file()]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    found = [match for text in texts for match in re.findall(r"""\bname\s*=\s*["']([^"']+)["']""", text)]
    return name in map(normalized_name, found)


def _without_hashes(line: str) -> str:
    return re.sub(r"\s+--hash\S*", "", line).strip()
