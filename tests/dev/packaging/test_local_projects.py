"""Requirements that are folders: which they are, and what else a line may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.packaging.local_projects import with_copies
from tests.dev.cli.packages import write

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
    ("line", "made"),
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
def test_a_folder_becomes_a_copy(line: str, made: str, tmp_path: Path) -> None:
    project = write(tmp_path / "project", LIB)
    (told,) = with_copies([line.format(folder=project)], project, tmp_path / "copies") or [""]
    copy = tmp_path / "copies" / "0" / "lib"
    assert told.strip() == made.replace("{copy.uri}", copy.as_uri()).replace("{copy}", str(copy))
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
def test_everything_else_is_none(line: str, tmp_path: Path) -> None:
    assert with_copies([line], write(tmp_path / "project", LIB), tmp_path / "copies") is None
    assert not (tmp_path / "copies").exists()


def test_beside_a_folder_other_files_are_named_from_anywhere(tmp_path: Path) -> None:
    project = write(tmp_path / "project", LIB)
    lines = ["./lib", "-r more.txt", "--constraint=all.txt", "./own-1-py3-none-any.whl", "flask", "./lib"]
    assert with_copies(lines, project, tmp_path / "copies") == [
        f"{tmp_path}/copies/0/lib",
        f"-r {project}/more.txt",
        f"--constraint={project}/all.txt",
        f"{project}/own-1-py3-none-any.whl",
        "flask",
        f"{tmp_path}/copies/1/lib",
    ]
