"""Patterns mean what they mean to git."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.gitignore import rule, rules, verdict
from bridge.dev.packaging.project_files import choose

if TYPE_CHECKING:
    from pathlib import Path

TREE = [
    "app.py", "a.log", "b.txt", "#note", "!loud", "sp ace ", "a[b]", "x.py",
    "logs/a.log", "logs/keep.log", "logs/deep/a.log", "docs/a.txt", "docs/in/a.txt", "docs/in/deep/a.txt",
    "src/logs/a.log", "src/docs/a.txt", "src/app.py", "src/build/out.js", "build/out.js", "static/a.css",
    "static/m/a.map",
]  # fmt: skip

PATTERNS = [
    ["*.log"], ["*.log", "!keep.log"], ["logs"], ["logs/"], ["/logs"], ["logs/*"], ["logs/*", "!logs/keep.log"],
    ["logs/", "!logs/keep.log"], ["docs/**"], ["**/docs"], ["docs/**/a.txt"], ["/docs/*.txt"], ["docs/*.txt"],
    ["*"], ["*", "!*/", "!*.py"], ["*", "!app.py"], ["/*", "!/src"], ["?.txt"], ["[ab].*"], ["[!a].txt"], ["[a-c].log"],
    ["\\#note"], ["\\!loud"], ["# a comment"], ["sp ace\\ "], ["a\\[b\\]"], ["build"], ["/build/"], ["**/build/*.js"],
    ["static/**/*.map"], ["a.log/"], ["", "   ", "!"], ["x.py   "], ["src/**", "!src/app.py"], ["[z-a]"], ["**"],
    ["**/"],
]  # fmt: skip


@pytest.mark.parametrize("lines", PATTERNS, ids=" ".join)
def test_what_git_ignores_stays_out(lines: list[str], tmp_path: Path) -> None:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
    git = ["git", "-C", str(tmp_path), "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    git_takes = {name for name in listed.stdout.split("\0") if name} - {".gitignore"}
    assert set(choose(tmp_path).files) == git_takes


def test_patterns_of_a_folder_below_count_there_and_above_those_of_the_folders_above(tmp_path: Path) -> None:
    (tmp_path / "web" / "in").mkdir(parents=True)
    for name in ("a.log", "web/a.log", "web/in/a.log", "web/out.css", "out.css"):
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("*.log")
    (tmp_path / "web" / ".gitignore").write_text("!/a.log\n/out.css")
    assert set(choose(tmp_path).files) == {"web/a.log", "out.css"}


def test_patterns_of_the_repository_count_in_a_project_that_is_one_of_its_folders(tmp_path: Path) -> None:
    project = tmp_path / "services" / "shop"
    (project / "in").mkdir(parents=True)
    for name in ("app.py", "a.log", "secret.txt", "in/secret.txt", "other.txt"):
        (project / name).write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\n/services/shop/secret.txt\n/services/till/other.txt\n")
    assert set(choose(project).files) == {"app.py", "in/secret.txt", "other.txt"}


def test_the_last_pattern_about_a_path_counts() -> None:
    order = rules(["*.css", "!a.css", "static/a.css"])
    found = [verdict(path, order) for path in ("b.css", "a.css", "static/a.css", "app.py")]
    assert [None if each is None else each.excludes for each in found] == [True, False, True, None]


def test_a_pattern_leads_into_the_folders_that_its_path_begins_with() -> None:
    named = rule("!static/css/*.css")
    anywhere = rule("!*.css")
    assert named is not None
    assert anywhere is not None
    assert [named.leads_into(folder) for folder in ("static", "static/css", "static/js", "css")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not anywhere.leads_into("static")
