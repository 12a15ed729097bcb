"""Reads requirements files, and makes what they include and every path in them independent of their folders."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options
_INCLUDES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_EDITABLE = re.compile(r"(-e|--editable)\b[ =]*")
_LOCATIONS = {"-f", "--find-links", "-i", "--index-url", "--extra-index-url", "--pypi-url"}
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
# `lib[fast] @ file:///home/me/lib ; python_version > "3" --hash=…`
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+(?:\s*\[[^]]*])?\s*@\s*)?(?P<location>[^;]*?)(?P<extras>\[[\w\s,.-]*])?"
    r"(?P<rest>(?:\s*;|\s+--(?:hash|config-settings?|global-option)\b).*)?"
)
_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".tar.bz2", ".zip")

# Lines of a requirements file by the URL of the index that they are installed from; None for the default one.
LinesByIndex = dict[str | None, list[str]]


@dataclass
class RequirementLines:
    """The content of requirements files.

    Attributes:
        lines: requirements and options. Files that are included with ``-r`` are part of them, and paths are absolute.
        constraints: the lines of files that are included with ``-c``.
        places: the file, and the line in it, of each line.
    """

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)


def read_requirements_files(files: Sequence[Path], project: Path) -> RequirementLines:
    """Return the content of requirements files.

    A relative path of a local project is relative to *project*, as for pip, which is run there. If it does not exist
    there, it is relative to the folder of the file.

    Args:
        files: the requirements files.
        project: the folder in which the command runs.

    Raises:
        PackagingError: a file cannot be read, or a path in it does not exist.
    """
    content = RequirementLines()
    for file in files:
        _read_file(file, project, content, content.lines, ())
    return content


def absolute_requirement(line: str, folders: Sequence[Path], place: str) -> str:
    """Return a requirement with the path of a local project or archive as an absolute ``file:`` URL.

    Args:
        line: the requirement, with or without ``-e``.
        folders: the folders that a relative path may be relative to.
        place: where the requirement is from, for messages.

    Raises:
        PackagingError: the path does not exist, or is no project.
    """
    requirement = _EDITABLE.sub("", line, count=1) if _EDITABLE.match(line) else line
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None or (path := _local_path(match["location"].strip())) is None:
        return requirement
    existing = {(folder / path).resolve() for folder in folders if (folder / path).exists()}
    if not existing:
        tried = " and ".join(dict.fromkeys(str(folder / path) for folder in folders))
        raise PackagingError(f"{place}: {path} does not exist. Searched: {tried}. Correct the path.")
    if len(existing) > 1:
        raise PackagingError(
            f"{place}: {path} is ambiguous: {' and '.join(sorted(map(str, existing)))}. Write it with an absolute "
            "path, such as file://${PWD}/lib."
        )
    (found,) = existing
    if found.is_dir() and not any((found / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise PackagingError(
            f"{place}: {found} is not a Python project, because it has neither pyproject.toml nor setup.py. Correct "
            "the path, or add a pyproject.toml."
        )
    # The fragment has the digest of an archive, or the folder of the project in it.
    _, hash_sign, fragment = match["location"].strip().partition("#")
    location = f"{found.as_uri()}{hash_sign}{fragment}"
    return f"{match['name'] or ''}{location}{match['extras'] or ''}{_spaced(match['rest'])}"


def local_folder(line: str) -> Path | None:
    """Return the folder of a requirement that :func:`absolute_requirement` returned; None if it has another source."""
    match = _REQUIREMENT.fullmatch(line)
    if match is None or not match["location"].startswith("file:"):
        return None
    location, _, fragment = match["location"].strip().partition("#")
    path = _local_path(location)
    if path is not None and fragment.startswith("subdirectory="):
        path /= fragment.removeprefix("subdirectory=")
    return path if path is not None and path.is_dir() else None


def with_location(line: str, name: str, location: str) -> str:
    """Return a requirement with another location, such as the wheel of a local project.

    Args:
        line: a requirement that :func:`absolute_requirement` returned.
        name: the name of the package.
        location: the URL.
    """
    match = _REQUIREMENT.fullmatch(line)
    assert match is not None
    prefix = match["name"] or f"{name}{match['extras'] or ''} @ "
    return f"{prefix}{location}{_spaced(match['rest'])}"


def git_url(package: dict[str, Any], revision: str | None) -> str:
    """Return the location of a package that a lock file takes from a Git repository."""
    url = re.sub(r"^git@([^:]+):", r"ssh://git@\1/", package["git"])
    url = f"file://{url}" if url.startswith("/") else url
    subdirectory = f"#subdirectory={package['subdirectory']}" if "subdirectory" in package else ""
    return f"git+{url}{f'@{revision}' if revision else ''}{subdirectory}"


def extras_suffix(package: dict[str, Any]) -> str:
    """Return the extras of a package in a lock file, as they follow its name: ``[fast]``, or ``""``."""
    return f"[{','.join(package['extras'])}]" if package.get("extras") else ""


def _spaced(rest: str | None) -> str:
    """Return the end of a requirement with a space before it, without which a marker is part of the URL."""
    return f" {rest.lstrip()}" if rest else ""


def _local_path(location: str) -> Path | None:
    """Return the path of a location; None for a URL or the name of a package."""
    if location.startswith("file:"):
        return Path(unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", location).partition("#")[0]))
    if "://" in location or re.match(r"(git|hg|svn|bzr)\+", location):
        return None
    location = location.partition("#")[0]
    has_separator = "/" in location or os.sep in location
    return Path(location) if has_separator or location.startswith(".") or location.endswith(_ARCHIVES) else None


def _read_file(
    file: Path, project: Path, content: RequirementLines, lines: list[str], parents: tuple[Path, ...]
) -> None:
    """Append the lines of *file*, and of those that it includes, to *lines*."""
    file = file.resolve()
    if file in parents:
        return
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        included = f", which {parents[-1]} includes," if parents else ""
        raise PackagingError(f"{file}{included} cannot be read: {error}.") from None
    name = os.path.relpath(file, project) if file.is_relative_to(project.resolve()) else str(file)
    for number, line in _logical_lines(text, project):
        place = f"{name}, line {number}"
        if line.startswith("-") and not _EDITABLE.match(line):
            words = _split_option(line, place)
            kind = _INCLUDES.get(words[0])
            if kind and len(words) == 2 and "://" not in words[1]:
                target = content.constraints if kind == "-c" else lines
                _read_file(file.parent / words[1], project, content, target, (*parents, file))
                continue
            line = _absolute_option(words, [file.parent, project], line)
        else:
            line = absolute_requirement(line, [project, file.parent], place)
        lines.append(line)
        content.places.setdefault(line, place)


def _logical_lines(text: str, project: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that is not empty with its number: joined after backslashes, with variables, without comments."""
    variables = {**os.environ, "PWD": str(project), "PROJECT_ROOT": str(project)}
    joined, start = "", 0
    for number, physical in enumerate([*text.splitlines(), ""], 1):
        start = start if joined else number
        joined += f" {physical.strip()}" if joined else physical
        if physical.endswith("\\") and not physical.lstrip().startswith("#"):
            joined = joined.removesuffix("\\")
            if joined:
                continue
        line = re.sub(r"(^|\s)#.*$", "", joined).strip()
        joined = ""
        if line:
            yield start, _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), line)


def _split_option(line: str, place: str) -> list[str]:
    """Return an option and its value: ``--index-url=X``, ``-r X`` and ``-rX`` alike."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise PackagingError(f"{place}: {error}: {line}") from None
    option, equals, value = words[0].partition("=")
    if equals:
        return [option, value, *words[1:]]
    if not option.startswith("--") and len(option) > 2:
        return [option[:2], option[2:], *words[1:]]
    return words


def _absolute_option(words: list[str], folders: Sequence[Path], line: str) -> str:
    if words[0] not in _LOCATIONS or len(words) != 2 or "://" in words[1]:
        return line
    paths = [(folder / words[1]).resolve() for folder in folders]
    found = next((path for path in paths if path.exists()), None)
    return line if found is None else f"{words[0]} {found.as_uri()}"
