"""The Markdown pages of the documentation: their marked blocks, headings and links.

A block that a test uses has an HTML comment before it, which readers do not see:

- ``<!-- file: NAME -->`` the content of a file;
- ``<!-- install -->`` a pip command, run in the virtual environment of the page;
- ``<!-- run -->`` commands that must succeed, and ``<!-- run: 1 -->`` one that exits with this status;
- ``<!-- serve -->`` a command that serves until the next one, or until the page ends;
- ``<!-- output -->`` lines of the output of the last commands, in order; ``…`` stands for any text;
- ``<!-- aws -->`` commands that need AWS, run with an emulator;
- ``<!-- recipe: TOOL/NAME -->`` a file of a function, which ``tests/observability`` runs.

``<!-- example: NAME -->`` stands alone, and copies an application of ``examples/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
KINDS = ("example", "file", "install", "run", "serve", "output", "aws", "recipe")

_BLOCK = re.compile(
    r"^<!-- (?:(example): (\w+) -->|(\w+)(?:: ([^\n]*?))? -->\n```\w*\n(.*?)^```$)", re.MULTILINE | re.DOTALL
)
_MARKER = re.compile(r"^<!-- (\w+)(?::.*?)? -->$", re.MULTILINE)
_FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A marked block: its kind, the argument of the kind, and its text."""

    kind: str
    argument: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the marked blocks of a page.

    Raises:
        ValueError: a marker has no block, or is of an unknown kind.
    """
    text = page.read_text(encoding="utf-8")
    found = [
        Block(example or kind, name or argument, content)
        for example, name, kind, argument, content in _BLOCK.findall(text)
    ]
    markers = _MARKER.findall(text)
    if [block.kind for block in found] != markers or not set(markers) <= set(KINDS):
        raise ValueError(f"{page.name}: a marker stands before no block, or is unknown: {markers}")
    return found


def code(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Return the text of a page without its fenced and indented blocks."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {anchor(heading) for heading in headings}


def anchor(heading: str) -> str:
    """Return the anchor of a heading."""
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def links(page: Path) -> list[str]:
    """Return the targets of the links of a page."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))
