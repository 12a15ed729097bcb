"""Patterns have the meaning that git gives them."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.gitignore import last_match, parse_pattern, parse_patterns
from bridge.dev.packaging.project_files import choose_files

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
    ["**/"], ["a*"], ["*o*"],
    ["*.*.*"], ["?*.?*"], ["d**s/*.txt"], ["**/in/**"], ["docs/**/**/a.txt"], ["**/docs/**/in"],
    ["src/**/a.*"], ["[[:alpha:]].log"], ["[^[:alpha:]]*"], ["[[:digit:]b].txt"], ["[]a]*.log"], ["a[[]b]"], ["*/in"],
    ["/*/*/deep"], ["**/*s/*.log"], ["*a*p*y"], ["x\\.py"],
]  # fmt: skip


@pytest.mark.parametrize("lines", PATTERNS, ids=" ".join)
def test_the_files_that_git_ignores_are_left_out(lines: list[str], tmp_path: Path) -> None:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
    git = ["git", "-C", str(tmp_path), "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    not_ignored = {name for name in listed.stdout.split("\0") if name} - {".gitignore"}
    assert set(choose_files(tmp_path).files) == not_ignored


def test_the_gitignore_of_a_subfolder_applies_there_and_takes_precedence(tmp_path: Path) -> None:
    (tmp_path / "web" / "in").mkdir(parents=True)
    for name in ("a.log", "web/a.log", "web/in/a.log", "web/out.css", "out.css"):
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("*.log")
    (tmp_path / "web" / ".gitignore").write_text("!/a.log\n/out.css")
    assert set(choose_files(tmp_path).files) == {"web/a.log", "out.css"}


def test_the_gitignore_of_the_repository_applies_to_a_project_in_a_subfolder(tmp_path: Path) -> None:
    project = tmp_path / "services" / "shop"
    (project / "in").mkdir(parents=True)
    for name in ("app.py", "a.log", "secret.txt", "in/secret.txt", "other.txt"):
        (project / name).write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\n/services/shop/secret.txt\n/services/till/other.txt\n")
    assert set(choose_files(project).files) == {"app.py", "in/secret.txt", "other.txt"}


@pytest.mark.parametrize("pattern", ["a*" * 30 + "b", "**/a/" * 30 + "b", "*a" * 30 + "/**/" + "a*" * 30 + "b"])
def test_a_pattern_with_many_stars_is_matched_at_once(pattern: str) -> None:
    path = "/".join(["a"] * 60 + ["a" * 200])
    start = time.monotonic()
    assert last_match(path, parse_patterns([pattern])) is None
    assert last_match("a" * 200, parse_patterns([pattern])) is None
    assert time.monotonic() - start < 1


def test_the_last_matching_pattern_decides() -> None:
    patterns = parse_patterns(["*.css", "!a.css", "static/a.css"])
    matches = [last_match(path, patterns) for path in ("b.css", "a.css", "static/a.css", "app.py")]
    assert [match and match.excludes for match in matches] == [True, False, True, None]


def test_an_anchored_pattern_leads_into_the_folders_of_its_path() -> None:
    anchored, unanchored = parse_pattern("!static/css/*.css"), parse_pattern("!*.css")
    assert anchored is not None
    assert unanchored is not None
    assert [anchored.leads_into(folder) for folder in ("static", "static/css", "static/js", "css")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not unanchored.leads_into("static")
