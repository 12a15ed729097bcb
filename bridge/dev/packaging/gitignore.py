"""Path patterns by the rules of .gitignore: https://git-scm.com/docs/gitignore#_pattern_format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A set of characters, and in it the classes of POSIX.
_BRACKETS = re.compile(r"\[([!^]?)(\]?(?:\[:\w+:\]|\\.|[^\]\\])*)\]")
_CLASS = re.compile("\0([a-z]+):]")
_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\s", "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip


@dataclass(frozen=True)
class IgnorePattern:
    """One pattern.

    Attributes:
        excludes: whether matching paths are excluded; False for a pattern with ``!`` before it, which includes them.
        folders_only: whether the pattern ends with ``/`` and matches folders only.
        literal_prefix: the leading parts of an anchored pattern that contain no wildcard: ``("static", "css")`` for
            ``/static/css/*.css``; empty for a pattern that matches at any depth.
        expression: the pattern as a regular expression, without regard to *folders_only*.
    """

    excludes: bool
    folders_only: bool
    literal_prefix: tuple[str, ...]
    expression: re.Pattern[str]

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Return whether the pattern matches *path*, which is relative and has slashes."""
        return (is_folder or not self.folders_only) and self.expression.fullmatch(path) is not None

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


def expression_of(patterns: Iterable[IgnorePattern]) -> re.Pattern[str]:
    """Return an expression for the paths that one of *patterns* may match, which is faster than all of them in turn."""
    return re.compile("|".join(f"(?:{pattern.expression.pattern})" for pattern in patterns), re.DOTALL)


def _to_expression(pattern: str) -> str:
    """Return a pattern as the source of a regular expression."""
    if pattern == "**":
        return ".*"
    expression, segments, last = "", pattern.split("/"), pattern.count("/")
    position = 0
    while position <= last:
        if segments[position] != "**":
            expression += _segment_expression(segments[position]) + ("/" if position < last else "")
            position += 1
            continue
        while position < last and segments[position + 1] == "**":
            position += 1
        end = next((i for i in range(position + 1, last + 1) if segments[i] == "**"), last + 1)
        middle = "".join(f"{_segment_expression(segment)}/" for segment in segments[position + 1 : end])
        if position == last:
            expression += ".+"
        elif end <= last:  # the first place of the segments in the middle is right if any is
            expression += f"(?>(?:[^/]+/)*?{middle})"
        else:
            expression += f"(?:[^/]+/)*{middle.removesuffix('/')}"
        position = end
    return expression


def _segment_expression(segment: str) -> str:
    """Return the part of a pattern between two slashes as the source of a regular expression.

    The text after each ``*`` has a fixed length, so its first place is right if any is. Atomic groups tell that to
    :mod:`re`, which would try all places otherwise, in a time that grows with a power of the number of stars.
    """
    pieces = [""]
    position = 0
    while position < len(segment):
        rest = segment[position:]
        if stars := re.match(r"\*+", rest):
            pieces.append("")
            position += stars.end()
        elif rest[0] == "?":
            pieces[-1] += "[^/]"
            position += 1
        elif characters := _BRACKETS.match(rest):
            pieces[-1] += f"(?!/)[{'^' if characters[1] else ''}{_members(characters[2])}]"
            position += characters.end()
        elif rest[0] == "\\" and len(rest) > 1:
            pieces[-1] += re.escape(rest[1])
            position += 2
        else:
            pieces[-1] += re.escape(rest[0])
            position += 1
    first, *others = pieces
    return first + "".join(f"(?>[^/]*?{piece})" for piece in others[:-1]) + "".join(f"[^/]*{p}" for p in others[-1:])


def _members(text: str) -> str:
    """Return what is between brackets as :mod:`re` has it."""
    text = _CLASS.sub(lambda match: _CLASSES[match[1]], text.replace("[:", "\0")).replace("[", r"\[")
    text = re.sub(r"([&~|])(?=\1)|--", lambda match: rf"\{match[0]}" if match[1] else r"\--", text)
    return rf"\{text}" if text.startswith(("]", "^")) else text
