"""How large the artifact is, package by package, and what Lambda says to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.dev.packaging.archive import Entry

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ZIPPED_LIMIT, UNZIPPED_LIMIT = 50 * 1024 * 1024, 250 * 1024 * 1024
_SHOWN = 15


@dataclass(frozen=True)
class Size:
    """What a package takes.

    Attributes:
        name: the package.
        unzipped: bytes as files.
        zipped: bytes in the artifact.
    """

    name: str
    unzipped: int
    zipped: int


def measure(packages: Mapping[str, Iterable[Entry]]) -> list[Size]:
    """The sizes of the packages, the largest first."""
    found = []
    for name, entries in packages.items():
        sizes = [(entry.size, len(entry.data)) for entry in entries]
        found.append(Size(name, sum(size for size, _ in sizes), sum(size for _, size in sizes)))
    return sorted(found, key=lambda size: (-size.zipped, size.name))


def table(sizes: list[Size]) -> list[str]:
    """The lines of a table: name, files, zipped."""
    shown = sizes[:_SHOWN]
    if rest := sizes[_SHOWN:]:
        shown = [*shown, Size(f"{len(rest)} more", sum(s.unzipped for s in rest), sum(s.zipped for s in rest))]
    total = Size("together", sum(size.unzipped for size in sizes), sum(size.zipped for size in sizes))
    width = max(len(size.name) for size in [*shown, total])
    lines = [f"{'':{width}}   unzipped     zipped"]
    return lines + [f"{s.name:{width}} {readable(s.unzipped):>10} {readable(s.zipped):>10}" for s in [*shown, total]]


def readable(size: int) -> str:
    """A size as people read it."""
    if size < 1024 * 1024:
        return f"{size / 1024:.1f} KB"
    return f"{size / 1024 / 1024:.1f} MB"


def complaints(name: str, zipped: int, unzipped: int) -> list[str]:
    """What Lambda will not take, a line each."""
    lines = []
    if zipped > ZIPPED_LIMIT:
        lines.append(
            f"{name} has {readable(zipped)}: Lambda takes up to {readable(ZIPPED_LIMIT)} in an upload, and more only "
            "from S3."
        )
    if unzipped > UNZIPPED_LIMIT:
        lines.append(
            f"Unzipped it has {readable(unzipped)}: Lambda takes up to {readable(UNZIPPED_LIMIT)}, layers included. "
            "--slim and --exclude leave something out, --image has room for 10 GB."
        )
    return lines
