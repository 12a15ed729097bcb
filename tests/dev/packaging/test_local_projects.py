"""Local projects among the requirements are replaced by copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.local_projects import copy_local_projects
from tests.dev.cli.packages import write_files

if TYPE_CHECKING:
    from pathlib import Path

LIB = {
    "lib/pyproject.toml": "",
    "lib/lib.py": "A = 1\n",
    "lib/.venv/x": "",
    "no/lib.py": "",
    "own-1-py3-none-any.whl": "",
}


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("-e ./lib", "{copy}"),
        ("--editable=./lib", "{copy}"),
        ("./lib", "{copy}"),
        ("lib/", "{copy}"),
        ("  ./lib[fast] ; python_version > '3'", "{copy}[fast] ; python_version > '3'"),
        ("lib @ file://{folder}/lib", "lib @ {copy.uri}"),
        ("lib[fast] @ file:./lib  # ours", "lib[fast] @ {copy.uri}  # ours"),
        ("{folder}/lib", "{copy}"),
    ],
)
def test_a_local_project_is_replaced_by_a_copy(line: str, result: str, tmp_path: Path) -> None:
    project = write_files(tmp_path / "project", LIB)
    (copied,) = copy_local_projects([line.format(folder=project)], project, tmp_path / "copies") or [""]
    copy = tmp_path / "copies" / "0" / "lib"
    assert copied.strip() == result.replace("{copy.uri}", copy.as_uri()).replace("{copy}", str(copy))
    assert sorted(path.name for path in copy.iterdir()) == ["lib.py", "pyproject.toml"]


@pytest.mark.parametrize(
    "line",
    [
        "flask", "flask==3.1 --hash=sha256:ab", "lib", "# -e ./lib", "", "./no", "./missing",
        "./own-1-py3-none-any.whl",
        "https://example.com/x.whl", "git+https://example.com/x.git@main", "x @ git+https://example.com/x.git",
        "--index-url https://example.com/simple", "-r more.txt", "--find-links ./lib",
    ],
)  # fmt: skip
def test_other_lines_name_no_local_project(line: str, tmp_path: Path) -> None:
    assert copy_local_projects([line], write_files(tmp_path / "project", LIB), tmp_path / "copies") is None
    assert not (tmp_path / "copies").exists()


def test_other_paths_become_absolute_if_there_is_a_local_project(tmp_path: Path) -> None:
    project = write_files(tmp_path / "project", LIB)
    lines = ["./lib", "-r more.txt", "--constraint=all.txt", "./own-1-py3-none-any.whl", "flask", "./lib"]
    assert copy_local_projects(lines, project, tmp_path / "copies") == [
        f"{tmp_path}/copies/0/lib",
        f"-r {project}/more.txt",
        f"--constraint={project}/all.txt",
        f"{project}/own-1-py3-none-any.whl",
        "flask",
        f"{tmp_path}/copies/1/lib",
    ]
