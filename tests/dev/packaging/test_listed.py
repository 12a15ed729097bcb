"""Files that another tool has chosen: what of them stays out all the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.dev.packaging import PackagingError, listed
from bridge.dev.packaging.listed import Listed
from tests.dev.cli.packages import write

if TYPE_CHECKING:
    from pathlib import Path

FILES = [
    "app.py",
    "web/app.py",
    "web/.env",
    "keys/a.pem",
    "node_modules/htmx/index.js",
    "own/bin/python",
    "own/pyvenv.cfg",
    "__pycache__/app.pyc",
    "tests/data.json",
]


def chosen(folder: Path, *asked: str) -> set[str]:
    write(folder, dict.fromkeys(FILES, ""))
    return set(listed.choose(folder, Listed(FILES, asked)).files)


def test_what_belongs_to_the_developer_or_looks_like_a_secret_stays_out(tmp_path: Path) -> None:
    assert chosen(tmp_path, "**", "web/**", "*", "**/*") == {"app.py", "web/app.py", "tests/data.json"}


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("web/.env", "web/.env"),
        ("**/.env", "web/.env"),
        ("web/.env*", "web/.env"),
        ("keys/*.pem", "keys/a.pem"),
        ("node_modules/**", "node_modules/htmx/index.js"),
        ("node_modules/htmx/index.js", "node_modules/htmx/index.js"),
        ("own/**", "own/pyvenv.cfg"),
    ],
)
def test_a_pattern_that_names_it_takes_it_in(pattern: str, file: str, tmp_path: Path) -> None:
    assert file in chosen(tmp_path, pattern)


@pytest.mark.parametrize("pattern", ["other/.env", ".env", "keys/b.pem", "node_modules/other/**", "[", "web/*.py"])
def test_a_pattern_that_names_another_does_not(pattern: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, pattern) == {"app.py", "web/app.py", "tests/data.json"}


def test_the_users_own_patterns_count_most(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(FILES, ""))
    own = ["/web/", "!web/.env", "tests", "!/node_modules/htmx/"]
    found = listed.choose(tmp_path, Listed(FILES, ["**"]), patterns=own)
    assert set(found.files) == {"app.py", "web/.env", "node_modules/htmx/index.js"}


def test_secrets_and_broken_links_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"a/.env": ""})
    (tmp_path / "gone").symlink_to("nowhere")
    found = listed.choose(tmp_path, Listed(["a/.env", "gone", "never-there"]))
    assert (found.files, found.secrets, found.broken) == ({}, ["a/.env"], ["gone"])


def test_the_artifact_itself_stays_out(tmp_path: Path) -> None:
    write(tmp_path, {"old.zip": "", "app.py": ""})
    assert set(listed.choose(tmp_path, Listed(["old.zip", "app.py"]), [tmp_path / "old.zip"]).files) == {"app.py"}


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "web/../../secret"])
def test_a_path_out_of_the_project_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="not in the project"):
        listed.choose(tmp_path, Listed([path]))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"files": [1]}', '{"files": ["a"], "asked": [2]}', '{"files": 1}']
)
def test_what_is_no_list_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(PackagingError, match=r"--files .*list\.json"):
        listed.read(tmp_path / "list.json")


def test_a_list_is_read(tmp_path: Path) -> None:
    content: dict[str, Any] = {"files": ["a"], "asked": ["*"]}
    (tmp_path / "list.json").write_text(json.dumps(content))
    assert listed.read(tmp_path / "list.json") == Listed(["a"], ["*"])
