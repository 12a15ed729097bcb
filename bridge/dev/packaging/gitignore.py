"""Patterns of paths, by the rules of .gitignore (https://git-scm.com/docs/gitignore#_pattern_format)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Rule:
    """One pattern.

    Attributes:
        text: as somebody wrote it.
        excludes: whether it leaves out what it matches; with ``!`` before it, it takes that back in.
        is_for_folders: whether it matches folders only.
        beginning: the folders that lead to what it matches, as far as they are plain names.
    """

    text: str
    excludes: bool
    is_for_folders: bool
    beginning: tuple[str, ...]
    _match: re.Pattern[str]

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether it is about *path*, with slashes, relative to where the rules begin."""
        return (is_folder or not self.is_for_folders) and self._match.fullmatch(path) is not None

    def leads_into(self, folder: str) -> bool:
        """Whether it names, by its path, something below *folder*."""
        names = tuple(folder.split("/"))
        return self.beginning[: len(names)] == names


def rule(text: str, base: str = "") -> Rule | None:
    """The rule of a line; None for a comment or an empty one.

    Args:
        text: the line.
        base: the folder of the file that the line is in, if it is below where the rules begin.
    """
    pattern = re.sub(r"(?<!\\) +$", "", text.rstrip("\r\n"))
    if not pattern or pattern.startswith("#"):
        return None
    excludes = not pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    is_for_folders = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern:
        return None
    is_anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    before = f"{base}/" if base else ""
    expression = re.escape(before) + ("" if is_anchored else "(?:.*/)?") + _expression(pattern)
    names = (before + pattern).split("/") if is_anchored else []
    plain = next((place for place, name in enumerate(names) if re.search(r"[*?\[\\]", name)), len(names))
    try:
        compiled = re.compile(expression, re.DOTALL)
    except re.error:  # such as a range that runs backwards: git takes it for one that matches nothing
        return None
    return Rule(text.strip(), excludes, is_for_folders, tuple(names[:plain]), compiled)


def rules(lines: Iterable[str], base: str = "") -> list[Rule]:
    """The rules of *lines*, in order."""
    return [made for line in lines if (made := rule(line, base))]


def verdict(path: str, order: Iterable[Rule], *, is_folder: bool = False) -> Rule | None:
    """The last rule that is about *path*: it counts. None if none is."""
    found = None
    for each in order:
        if each.matches(path, is_folder=is_folder):
            found = each
    return found


def _expression(pattern: str) -> str:
    """A pattern as a regular expression."""
    parts = []
    place = 0
    while place < len(pattern):
        rest = pattern[place:]
        if place == 0 and rest.startswith("**/"):
            parts.append("(?:.*/)?")
            place += 3
        elif rest.startswith("/**/"):
            parts.append("/(?:.*/)?")
            place += 4
        elif rest == "/**":
            parts.append("/.+")
            place += 3
        elif found := re.match(r"\*+", rest):
            parts.append(".*" if rest == "**" == pattern else "[^/]*")
            place += found.end()
        elif rest[0] == "?":
            parts.append("[^/]")
            place += 1
        elif found := re.match(r"\[([!^]?)(\]?(?:\\.|[^\]\\])*)\]", rest):
            inside = found[2].replace("[", r"\[")
            inside = rf"\{inside}" if inside.startswith(("]", "^")) else inside
            parts.append(f"(?!/)[{'^' if found[1] else ''}{inside}]")
            place += found.end()
        elif rest[0] == "\\" and len(rest) > 1:
            parts.append(re.escape(rest[1]))
            place += 2
        else:
            parts.append(re.escape(rest[0]))
            place += 1
    return "".join(parts)
