"""Requirements that are folders of the user's: copies of them are built.

A build writes beside the sources (setuptools: ``build`` and ``*.egg-info``), and uv looks at few files to tell whether
it has to build again.
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
_LINE = re.compile(
    r"^(?P<before>\s*(?:(?:-e|--editable)[ =]\s*)?(?:[\w.-]+(?:\[[^]]*])?\s*@\s*)?)"
    r"(?P<place>[^\s;#\[]+)(?P<rest>.*)$",
    re.DOTALL,
)
_FILE = re.compile(
    r"^(?P<option>\s*(?:-r|-c|--requirement|--constraint)[ =]?\s*)(?P<file>[^\s#]+)(?P<rest>.*)$", re.DOTALL
)
_NOT_COPIED = (".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache")


def with_copies(lines: Iterable[str], folder: Path, temporary: Path) -> list[str] | None:
    """The lines with copies in the folders' places; None if there are no folders among them.

    Args:
        lines: of a requirements file.
        folder: where paths in them are relative to.
        temporary: a folder for the copies.
    """
    told, is_other = [], False
    for line in lines:
        made = _with_copy(line, folder, temporary)
        is_other = is_other or made is not None
        told.append(made or _from_anywhere(line, folder))
    return told if is_other else None


def _with_copy(line: str, folder: Path, temporary: Path) -> str | None:
    found = _LINE.match(line)
    if found is None or line.lstrip().startswith("#"):
        return None
    place = found["place"]
    if place.startswith("file:"):
        place = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", place))
    elif "://" in place or not re.search(r"[./\\]", place):
        return None  # an address; a name
    source = folder / place
    if not source.is_dir() or not any((source / name).is_file() for name in ("pyproject.toml", "setup.py")):
        return None
    count = len(list(temporary.iterdir())) if temporary.is_dir() else 0
    copy = temporary / str(count) / source.resolve().name
    shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    before = found["before"] if "@" in found["before"] else ""
    return f"{before}{copy.as_uri() if before else copy}{found['rest']}"


def _from_anywhere(line: str, folder: Path) -> str:
    """A line that refers to a file beside it, as it is right in any other place."""
    found = _FILE.match(line)
    if found is not None and "://" not in found["file"]:
        return f"{found['option']}{folder / found['file']}{found['rest']}"
    found = _LINE.match(line)
    if found is not None and (folder / found["place"]).is_file() and not found["before"].strip():
        return f"{folder / found['place']}{found['rest']}"  # a wheel
    return line
