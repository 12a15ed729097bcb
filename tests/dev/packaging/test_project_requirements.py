"""The requirements of a project, from each kind of file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.project_requirements import RequirementSelection, find_requirements, ignored_files
from tests.dev.cli.packages import write_files

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
groups = ["main"]
files = []
[package.source]
type = "directory"
url = "../ours"

[[package]]
name = "far"
version = "0.1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "git@example.com:a/far.git"
reference = "main"
resolved_reference = "0123abcd"

[[package]]
name = "tea"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "legacy"
url = "https://own.example/simple"
reference = "own"

[[package]]
name = "pytest"
version = "8"
groups = ["dev"]
files = []
markers = "python_version >= '3.11'"

[metadata]
lock-version = "2.1"
"""


def test_requirements_txt_takes_precedence_over_lock_files_and_those_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1"\ndependencies = ["flask>=3"]\n')
    assert find_requirements([tmp_path]).lines == ["flask>=3"]
    (tmp_path / "Pipfile.lock").write_text('{"default": {"flask": {"version": "==3.1.0"}}}')
    assert find_requirements([tmp_path]).lines == ["flask==3.1.0"]
    (tmp_path / "poetry.lock").write_text('[[package]]\nname = "flask"\nversion = "3.1.0"\n')
    assert find_requirements([tmp_path]).origin == "poetry.lock"
    (tmp_path / "uv.lock").write_text("version = 1\n")
    assert find_requirements([tmp_path]).uv_project == tmp_path
    (tmp_path / "requirements.txt").write_text("flask\n")
    found = find_requirements([tmp_path])
    assert (found.origin, found.lines) == ("requirements.txt", ["flask"])
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


POETRY_DEPENDENCIES = """
[tool.poetry.dependencies]
python = "^3.11"
click = "^8.1 || ^9"
numpy = "*"
ours = {path = "../ours"}
dev = {version = "1", optional = true}
far = {git = "git@example.com:a/far.git", branch = "main", python = "<3.13 || >=3.14"}
"""


@pytest.fixture
def poetry_project(tmp_path: Path) -> Path:
    """The folder of a Poetry project, beside a local project."""
    write_files(tmp_path, {"ours/pyproject.toml": "", "shop/pyproject.toml": POETRY_DEPENDENCIES})
    return tmp_path / "shop"


def test_a_poetry_lock_with_markers_has_every_package(poetry_project: Path) -> None:
    (poetry_project / "poetry.lock").write_text(POETRY_LOCK)
    found = find_requirements([poetry_project])
    assert found.is_complete
    assert found.lines == [
        "click==8.1.7 --hash=sha256:aa --hash=sha256:bb",
        "numpy==1.26.4 ; python_version < '3.12'",
        "numpy==2.3.1 ; python_version >= '3.12'",
        f"ours @ {(poetry_project.parent / 'ours').as_uri()}",
        "far @ git+ssh://git@example.com/a/far.git@0123abcd",
    ]
    assert found.by_index == {"https://own.example/simple": ["tea==1"]}


def test_an_older_poetry_lock_constrains_the_dependencies_in_pyproject(poetry_project: Path) -> None:
    (poetry_project / "poetry.lock").write_text(POETRY_LOCK.replace('"2.1"', '"2.0"'))
    found = find_requirements([poetry_project])
    assert not found.is_complete
    assert found.lines == [
        "click",
        "numpy",
        f"ours @ {(poetry_project.parent / 'ours').as_uri()}",
        "far @ git+ssh://git@example.com/a/far.git@0123abcd ; (python_version < '3.13' or python_version >= '3.14')",
    ]
    assert found.constraints == [
        "click==8.1.7 --hash=sha256:aa --hash=sha256:bb",
        "numpy==1.26.4 ; python_version < '3.12'",
        "numpy==2.3.1 ; python_version >= '3.12'",
        "far @ git+ssh://git@example.com/a/far.git@0123abcd",
        "tea==1",
        "pytest==8",
    ]
    assert found.extra_indexes == ["https://own.example/simple"]


def test_a_poetry_lock_without_a_required_package_is_an_error(poetry_project: Path) -> None:
    (poetry_project / "poetry.lock").write_text(POETRY_LOCK.replace('"click"', '"other"'))
    with pytest.raises(PackagingError, match=r"poetry.lock is older than pyproject.toml: it does not have click"):
        find_requirements([poetry_project])


def test_groups_and_extras_of_a_poetry_lock(poetry_project: Path) -> None:
    extra = 'optional = true\nmarkers = "extra == \\"pg\\""'
    lock = POETRY_LOCK.replace('name = "tea"', f'name = "tea"\n{extra}') + '[extras]\npg = ["tea"]\n'
    lock = lock.replace('groups = ["main"]\nfiles = [{', 'groups = ["web"]\nfiles = [{')
    (poetry_project / "poetry.lock").write_text(lock)
    (poetry_project / "pyproject.toml").write_text('[tool.poetry.group.web.dependencies]\nclick = "*"\n')
    names = [line.partition("==")[0] for line in find_requirements([poetry_project]).all_lines if "==" in line]
    assert names == ["numpy", "numpy"]
    found = find_requirements([poetry_project], selection=RequirementSelection(("web",), ("pg",)))
    names = [line.partition("==")[0] for line in found.all_lines if "==" in line]
    assert names == ["click", "numpy", "numpy", "tea"]
    for selection in (RequirementSelection(groups=("none",)), RequirementSelection(extras=("none",))):
        with pytest.raises(PackagingError, match=r"none: poetry\.lock has no such name"):
            find_requirements([poetry_project], selection=selection)


@pytest.mark.parametrize(
    ("poetry", "line"),
    [("^1.2.3", "a>=1.2.3,<2"), ("^0.2.3", "a>=0.2.3,<0.3"), ("^0.0.3", "a>=0.0.3,<0.0.4"), ("^0", "a>=0,<1"),
     ("~1.2.3", "a>=1.2.3,<1.3"), ("~1", "a>=1,<2"), ("1.2.*", "a==1.2.*"), ("1.2", "a==1.2"), ("=1.2", "a==1.2"),
     ("*", "a"), (">=1, <2", "a>=1,<2"), ("~=1.4", "a~=1.4"), ("!=1.5", "a!=1.5")],
)  # fmt: skip
def test_poetrys_version_ranges_become_those_of_pep_440(poetry: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.poetry.dependencies]\na = "{poetry}"\n')
    assert find_requirements([tmp_path]).lines == [line]


def test_pipfile_lock_becomes_lines_with_hashes_and_markers_by_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = {
        "_meta": {
            "sources": [
                {"name": "pypi", "url": "https://pypi.org/simple"},
                {"name": "own", "url": "https://${OWN_USER}:$OWN_PASS@own.example/simple"},
            ]
        },
        "default": {
            "flask": {"version": "==3.1.0", "hashes": ["sha256:aa"], "markers": "python_version >= '3.9'"},
            "httpx": {"version": "==0.28.1", "extras": ["http2"], "index": "own"},
            "ours": {"path": "./ours", "editable": True},
            "far": {"git": "https://example.com/far.git", "ref": "abc"},
        },
        "develop": {"pytest": {"version": "==8"}},
    }
    write_files(tmp_path, {"Pipfile.lock": json.dumps(lock), "ours/setup.py": ""})
    with pytest.raises(PackagingError, match="environment variable OWN_USER, which is not set"):
        find_requirements([tmp_path])
    monkeypatch.setenv("OWN_USER", "me")
    monkeypatch.setenv("OWN_PASS", "a/b")
    found = find_requirements([tmp_path], selection=RequirementSelection(groups=("develop",)))
    assert found.by_index == {
        "https://pypi.org/simple": [
            "flask==3.1.0 ; python_version >= '3.9' --hash=sha256:aa",
            (tmp_path / "ours").as_uri(),
            "far @ git+https://example.com/far.git@abc",
            "pytest==8",
        ],
        "https://me:a%2Fb@own.example/simple": ["httpx[http2]==0.28.1"],
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "[]"),
        ("pyproject.toml", "[project"),
        ("poetry.lock", ""),
        ("uv.lock", ""),
        ("pdm.lock", ""),
        ("pylock.toml", ""),
        ("pylock.toml", 'lock-version = "2.0"'),
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
    assert (found.origin, found.lines) == ("prod.txt, more.txt", ["flask", "flask"])
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
