"""The requirements of a project, from each kind of file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.requirements import find_requirements, ignored_files

if TYPE_CHECKING:
    from pathlib import Path

POETRY_LOCK = """
[[package]]
name = "click"
version = "8.1.7"
groups = ["main"]
files = [{file = "click-8.1.7.tar.gz", hash = "sha256:aa"}, {file = "click-8.1.7-py3-none-any.whl", hash = "sha256:bb"}]

[[package]]
name = "numpy"
version = "1.26.4"
groups = ["main"]
markers = "python_version < '3.12'"
files = []

[[package]]
name = "numpy"
version = "2.3.1"
groups = ["main"]
markers = "python_version >= '3.12'"
files = []

[[package]]
name = "ours"
version = "0.1"
files = []
[package.source]
type = "directory"
url = "../ours"

[metadata]
lock-version = "2.1"
"""


def test_requirements_txt_takes_precedence_over_lock_files_and_those_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1"\ndependencies = ["flask>=3"]\n')
    assert find_requirements([tmp_path]).lines == ["flask>=3"]
    (tmp_path / "Pipfile.lock").write_text('{"default": {"flask": {"version": "==3.1.0"}}}')
    assert find_requirements([tmp_path]).lines == ["flask==3.1.0"]
    (tmp_path / "poetry.lock").write_text(POETRY_LOCK)
    assert find_requirements([tmp_path]).origin == "poetry.lock"
    (tmp_path / "uv.lock").write_text("version = 1\n")
    assert find_requirements([tmp_path]).uv_project == tmp_path
    (tmp_path / "requirements.txt").write_text("flask\n")
    found = find_requirements([tmp_path])
    assert found.files == [tmp_path / "requirements.txt"]
    assert ignored_files(found, [tmp_path]) == ["uv.lock", "poetry.lock", "Pipfile.lock"]


def test_the_applications_folder_is_searched_after_the_projects(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "requirements.txt").write_text("flask\n")
    found = find_requirements([tmp_path, tmp_path / "web"])
    assert (found.folder, found.origin) == (tmp_path / "web", "requirements.txt")


def test_a_pyproject_without_a_project_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    assert find_requirements([tmp_path]).origin is None


def test_dynamic_dependencies_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\ndynamic = ["dependencies"]\n')
    with pytest.raises(PackagingError, match="dynamic"):
        find_requirements([tmp_path])


def test_poetry_lock_constrains_the_dependencies_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text(POETRY_LOCK)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry.dependencies]\npython = "^3.11"\nclick = "^8.1"\nnumpy = "*"\nours = {path = "../ours"}\n'
        'dev = {version = "1", optional = true}\nhttpx = {version = ">=0.27,<1", extras'
        ' = ["http2"], python = "<3.13"}\n'
        'far = {git = "git@example.com:a/far.git", tag = "v1"}\n'
    )
    found = find_requirements([tmp_path])
    assert found.lines == [
        "click>=8.1,<9",
        "numpy",
        "ours @ ../ours",
        "httpx[http2]>=0.27,<1 ; python_version < '3.13'",
        "far @ git+ssh://git@example.com/a/far.git@v1",
    ]
    assert found.constraints == [
        "click==8.1.7 --hash=sha256:aa --hash=sha256:bb",
        "numpy==1.26.4 ; python_version < '3.12'",
        "numpy==2.3.1 ; python_version >= '3.12'",
    ]


@pytest.mark.parametrize(
    ("poetry", "line"),
    [("^1.2.3", "a>=1.2.3,<2"), ("^0.2.3", "a>=0.2.3,<0.3"), ("^0.0.3", "a>=0.0.3,<0.0.4"), ("^0", "a>=0,<1"),
     ("~1.2.3", "a>=1.2.3,<1.3"), ("~1", "a>=1,<2"), ("1.2.*", "a==1.2.*"), ("1.2", "a==1.2"), ("=1.2", "a==1.2"),
     ("*", "a"), (">=1, <2", "a>=1,<2"), ("~=1.4", "a~=1.4"), ("!=1.5", "a!=1.5")],
)  # fmt: skip
def test_poetrys_version_ranges_become_those_of_pep_440(poetry: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.poetry.dependencies]\na = "{poetry}"\n')
    assert find_requirements([tmp_path]).lines == [line]


def test_pipfile_lock_becomes_lines_with_hashes_markers_and_indexes(tmp_path: Path) -> None:
    lock = {
        "_meta": {"sources": [{"url": "https://pypi.org/simple"}, {"url": "https://${USER}@own.example/simple"}]},
        "default": {
            "flask": {"version": "==3.1.0", "hashes": ["sha256:aa"], "markers": "python_version >= '3.9'"},
            "httpx": {"version": "==0.28.1", "extras": ["http2"]},
            "ours": {"path": "./ours", "editable": True},
            "far": {"git": "https://example.com/far.git", "ref": "abc"},
        },
        "develop": {"pytest": {"version": "==8"}},
    }
    (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
    assert find_requirements([tmp_path]).lines == [
        "--index-url https://pypi.org/simple",
        "flask==3.1.0 ; python_version >= '3.9' --hash=sha256:aa",
        "httpx[http2]==0.28.1",
        "./ours",
        "far @ git+https://example.com/far.git@abc",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "[]"),
        ("pyproject.toml", "[project"),
        ("poetry.lock", ""),
        ("uv.lock", ""),
    ],
)
def test_an_error_names_the_invalid_file(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(PackagingError, match=name):
        find_requirements([tmp_path])


def test_named_files_replace_those_of_the_project(tmp_path: Path) -> None:
    for name in ("requirements.txt", "prod.txt", "more.txt", "uv.lock"):
        (tmp_path / name).write_text("flask\n")
    found = find_requirements([tmp_path], [tmp_path / "prod.txt", tmp_path / "more.txt"])
    assert found.files == [tmp_path / "prod.txt", tmp_path / "more.txt"]
    with pytest.raises(PackagingError, match="there is no such file"):
        find_requirements([tmp_path], [tmp_path / "none.txt"])
    with pytest.raises(PackagingError, match=r"uv\.lock: this file cannot be combined"):
        find_requirements([tmp_path], [tmp_path / "prod.txt", tmp_path / "uv.lock"])


@pytest.mark.parametrize(
    ("line", "is_mentioned"),
    [("serverless-bridge", True), ("Serverless_Bridge[serve]>=1", True), ("  serverless.bridge==1", True),
     ("serverless-bridge-extras", False), ("# serverless-bridge", False), ("flask", False)],
)  # fmt: skip
def test_a_package_is_mentioned_in_any_spelling_of_its_name(line: str, is_mentioned: bool, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"flask\n{line}\n")
    assert find_requirements([tmp_path]).mention("serverless-bridge") == is_mentioned
