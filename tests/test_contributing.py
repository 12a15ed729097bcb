"""The files and modules that documentation for contributors and docstrings name exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
FOLDERS = ("bridge", "tests", "benchmarks", "docs", "examples", "scripts")


@pytest.mark.parametrize(("page", "least"), [("CONTRIBUTING.md", 30), ("docs/architecture.md", 3)])
def test_every_path_that_a_page_for_contributors_names_exists(page: str, least: int) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = set(re.findall(rf"(?<![\w/-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]", text))
    assert len(paths) >= least
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_table_of_contributing_has_every_folder() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = [path.parent for half in ("bridge", "bridge/dev") for path in (ROOT / half).glob("*/__init__.py")]
    names = [f"{folder.relative_to(ROOT).as_posix()}/" for folder in folders if folder.name != "dev"]
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def paths_in_tree(text: str) -> Iterator[str]:
    """The paths in an indented tree: each line has one name or more, and after two spaces a description."""
    folders: list[tuple[int, str]] = []
    for line in text.splitlines():
        indentation = len(line) - len(line.lstrip())
        folders = [(column, folder) for column, folder in folders if column < indentation]
        parent = folders[-1][1] if folders else ""
        names = re.split(r"\s{2,}", line.strip())[0].split()
        yield from (parent + name for name in names)
        if names[0].endswith("/"):
            folders.append((indentation, parent + names[0]))


def test_the_tree_in_the_architecture_is_that_of_the_files() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = next(block for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if block.lstrip()[:7] == "bridge/")
    named = set(paths_in_tree(tree))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    for folder in (ROOT / "bridge", ROOT / "bridge" / "dev"):
        files = {path.relative_to(ROOT).as_posix() for path in folder.glob("[!_]*.py")}
        folders = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in folder.glob("*/__init__.py")}
        assert (files | folders) - named == set(), "is not in the tree"


def test_what_docstrings_refer_to_exists() -> None:
    missing = []
    for file in sorted((ROOT / "bridge").rglob("*.py")):
        for role, name in re.findall(r":(mod|class|func|data):`~?(bridge\.[\w.]+)`", file.read_text(encoding="utf-8")):
            module, _, attribute = (name, "", "") if role == "mod" else name.rpartition(".")
            try:
                found = not attribute or hasattr(import_module(module), attribute)
            except ModuleNotFoundError:
                found = False
            if not found:
                missing.append(f"{file.relative_to(ROOT)}: {name}")
    assert missing == []
