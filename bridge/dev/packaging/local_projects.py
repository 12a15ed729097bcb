"""Replaces local projects among the requirements, such as ``-e ./lib``, by copies to build from.

A build writes beside its sources (setuptools: ``build`` and ``*.egg-info``), and uv rebuilds a project only if one of a
few files in it has changed. A copy at a new path leaves the project unchanged and is always built.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# `-e ./lib[fast] ; python_version > "3"`, `./lib`, `lib @ file:///home/me/lib`, `../lib --hash=…`
_REQUIREMENT = re.compile(
    r"^(?P<before>\s*(?:(?:-e|--editable)[ =]\s*)?(?:[\w.-]+(?:\[[^]]*])?\s*@\s*)?)"
    r"(?P<location>[^\s;#\[]+)(?P<after>.*)$",
    re.DOTALL,
)
_INCLUDE = re.compile(
    r"^(?P<option>\s*(?:-r|-c|--requirement|--constraint)[ =]?\s*)(?P<file>[^\s#]+)(?P<after>.*)$", re.DOTALL
)
_NOT_COPIED = (".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache")


def copy_local_projects(lines: Iterable[str], folder: Path, copies: Path) -> list[str] | None:
    """Copy the local projects among requirements and return lines that name the copies; None without such projects.

    Args:
        lines: the lines of a requirements file.
        folder: the folder that paths in them are relative to. In the returned lines, all paths are absolute.
        copies: the folder for the copies; created if needed.
    """
    result, has_projects = [], False
    for line in lines:
        copied = _copy_project(line, folder, copies)
        has_projects = has_projects or copied is not None
        result.append(copied or _with_absolute_path(line, folder))
    return result if has_projects else None


def _copy_project(line: str, folder: Path, copies: Path) -> str | None:
    match = _REQUIREMENT.match(line)
    if match is None or line.lstrip().startswith("#"):
        return None
    location = match["location"]
    if location.startswith("file:"):
        location = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", location))
    elif "://" in location or not re.search(r"[./\\]", location):
        return None  # a URL or a package's name
    source = folder / location
    if not any((source / name).is_file() for name in ("pyproject.toml", "setup.py")):
        return None
    number = len(list(copies.iterdir())) if copies.is_dir() else 0
    copy = copies / str(number) / source.resolve().name
    shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    if "@" in match["before"]:
        return f"{match['before']}{copy.as_uri()}{match['after']}"
    return f"{copy}{match['after']}"


def _with_absolute_path(line: str, folder: Path) -> str:
    """Return a line with the path of an included file or a local wheel made absolute; other lines unchanged."""
    include = _INCLUDE.match(line)
    if include is not None and "://" not in include["file"]:
        return f"{include['option']}{folder / include['file']}{include['after']}"
    match = _REQUIREMENT.match(line)
    if match is not None and (folder / match["location"]).is_file() and not match["before"].strip():
        return f"{folder / match['location']}{match['after']}"
    return line
