"""Path patterns by the rules of .gitignore: https://git-scm.com/docs/gitignore#_pattern_format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class IgnorePattern:
    """One pattern.

    Attributes:
        excludes: whether matching paths are excluded; False for a pattern with ``!`` before it, which includes them.
        folders_only: whether the pattern ends with ``/`` and matches folders only.
        literal_prefix: the leading parts of an anchored pattern that contain no wildcard: ``("static", "css")`` for
            ``/static/css/*.css``; empty for a pattern that matches at any depth.
    """

    excludes: bool
    folders_only: bool
    literal_prefix: tuple[str, ...]
    _expression: re.Pattern[str]

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Return whether the pattern matches *path*, which is relative and has slashes."""
        return (is_folder or not self.folders_only) and self._expression.fullmatch(path) is not None

    def leads_into(self, folder: str) -> bool:
        """Return whether the literal prefix of the pattern begins with the path *folder*."""
        parts = tuple(folder.split("/"))
        return self.literal_prefix[: len(parts)] == parts


def parse_pattern(line: str, base: str = "") -> IgnorePattern | None:
    """Return the pattern in a line; None for an empty line, a comment, or a pattern that git ignores as invalid.

    Args:
        line: the line of a file, or the value of an option.
        base: the folder of the file that contains the line, relative to the folder that paths are relative to.
    """
    text = re.sub(r"(?<!\\) +$", "", line.rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    excludes = not text.startswith("!")
    text = text.removeprefix("!")
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    is_anchored = "/" in text
    text = text.removeprefix("/")
    prefix = f"{base}/" if base else ""
    parts = (prefix + text).split("/") if is_anchored else []
    literal = next((index for index, part in enumerate(parts) if re.search(r"[*?\[\\]", part)), len(parts))
    try:
        expression = re.compile(
            re.escape(prefix) + ("" if is_anchored else "(?:.*/)?") + _to_expression(text), re.DOTALL
        )
    except re.error:  # a range such as [z-a], which matches nothing in git
        return None
    return IgnorePattern(excludes, folders_only, tuple(parts[:literal]), expression)


def parse_patterns(lines: Iterable[str], base: str = "") -> list[IgnorePattern]:
    """Return the patterns in *lines*, in order; see :func:`parse_pattern`."""
    return [pattern for line in lines if (pattern := parse_pattern(line, base))]


def last_match(path: str, patterns: Iterable[IgnorePattern], *, is_folder: bool = False) -> IgnorePattern | None:
    """Return the last pattern that matches *path*, which decides; None if none matches."""
    match = None
    for pattern in patterns:
        if pattern.matches(path, is_folder=is_folder):
            match = pattern
    return match


def is_excluded(path: str, patterns: Iterable[IgnorePattern], *, is_folder: bool = False) -> bool:
    """Return whether the last pattern that matches *path* excludes it."""
    match = last_match(path, patterns, is_folder=is_folder)
    return match is not None and match.excludes


def _to_expression(pattern: str) -> str:
    """Return a pattern as the source of a regular expression."""
    expression = ""
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if position == 0 and rest.startswith("**/"):
            expression += "(?:.*/)?"
            position += 3
        elif rest.startswith("/**/"):
            expression += "/(?:.*/)?"
            position += 4
        elif rest == "/**":
            expression += "/.+"
            position += 3
        elif stars := re.match(r"\*+", rest):
            expression += ".*" if rest == "**" == pattern else "[^/]*"
            position += stars.end()
        elif rest[0] == "?":
            expression += "[^/]"
            position += 1
        elif characters := re.match(r"\[([!^]?)(\]?(?:\\.|[^\]\\])*)\]", rest):
            members = characters[2].replace("[", r"\[")
            members = rf"\{members}" if members.startswith(("]", "^")) else members
            expression += f"(?!/)[{'^' if characters[1] else ''}{members}]"
            position += characters.end()
        elif rest[0] == "\\" and len(rest) > 1:
            expression += re.escape(rest[1])
            position += 2
        else:
            expression += re.escape(rest[0])
            position += 1
    return expression
