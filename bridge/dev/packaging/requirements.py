"""Finds a project's requirements, in a requirements file, a lock file or pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.lock_files import pipenv_requirements, poetry_constraints, poetry_requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass
class Requirements:
    """The packages to install.

    Attributes:
        folder: the folder that paths in *lines* are relative to.
        origin: the name of the file, or files, that the requirements come from; None without any.
        lines: lines of a requirements file.
        constraints: lines of a constraints file.
        files: requirements files. Paths in them are relative to each file's folder.
        uv_project: the folder of a uv.lock, which takes the place of *lines* and *files*.
    """

    folder: Path
    origin: str | None = None
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    uv_project: Path | None = None

    def texts(self) -> list[str]:
        """Return the texts of all files and lines, that of a uv.lock first."""
        files = list(self.files)
        if self.uv_project is not None:
            files[:0] = [self.uv_project / "uv.lock", self.uv_project / "pyproject.toml"]
        lines = ["\n".join(each) for each in (self.lines, self.constraints) if each]
        return [*map(_read_text, files), *lines]

    def mention(self, package: str) -> bool:
        """Return whether a line begins with the name of *package*, or a lock file has it.

        Files that a requirements file includes with ``-r`` are not read.
        """
        expression = _name_expression(r'(?:^\s*|name = ")', package)
        return any(expression.search(text) for text in self.texts())

    def without_constraint(self, package: str) -> Requirements:
        """Return the same requirements without a constraint for *package*."""
        expression = _name_expression("^", package)
        return replace(self, constraints=[line for line in self.constraints if not expression.search(line)])


def _name_expression(prefix: str, package: str) -> re.Pattern[str]:
    """Return an expression that finds the name of *package*, in any spelling, after *prefix*."""
    name = "[-_.]+".join(map(re.escape, re.split(r"[-_.]+", package)))
    return re.compile(rf"{prefix}{name}(?![-_.]*\w)", re.IGNORECASE | re.MULTILINE)


def find_requirements(folders: Sequence[Path], named_files: Sequence[Path] = ()) -> Requirements:
    """Return the requirements of a project; without packages if no file has any.

    Args:
        folders: the folders to search. The first one with a file decides, and in it the first file in the order
            requirements.txt, uv.lock, poetry.lock, Pipfile.lock, pyproject.toml.
        named_files: files that the user names; *folders* are not searched then.

    Raises:
        PackagingError: a file cannot be read, or its dependencies cannot be determined.
    """
    if named_files:
        return _from_named_files(named_files)
    for folder in folders:
        for name, read in _READERS.items():
            if (folder / name).is_file() and (requirements := read(folder / name)) is not None:
                return requirements
    return Requirements(folders[0])


def ignored_files(requirements: Requirements, folders: Sequence[Path]) -> list[str]:
    """Return the names of requirements and lock files in *folders* that *requirements* do not come from."""
    names = [name for folder in folders for name in _READERS if name != "pyproject.toml" and (folder / name).is_file()]
    return [name for name in dict.fromkeys(names) if name != requirements.origin]


def _from_named_files(files: Sequence[Path]) -> Requirements:
    for file in files:
        if not file.is_file():
            raise PackagingError(f"--requirements {file}: there is no such file.")
    if len(files) == 1 and (read := _READERS.get(files[0].name)):
        requirements = read(files[0].absolute())
        if requirements is None:
            raise PackagingError(
                f"--requirements {files[0]}: the file has neither a table [project] nor [tool.poetry]. Add one with "
                "the dependencies, or name a requirements file."
            )
        return requirements
    if locks := [file for file in files if file.name in _READERS and file.suffix != ".txt"]:
        raise PackagingError(
            f"--requirements {locks[0]}: this file cannot be combined with others, only requirements files can. Name "
            "it alone, or leave it out."
        )
    origin = ", ".join(file.name for file in files)
    return Requirements(files[0].absolute().parent, origin, files=[file.absolute() for file in files])


def _from_requirements_txt(file: Path) -> Requirements:
    _read_text(file)
    return Requirements(file.parent, file.name, files=[file])


def _from_uv_lock(file: Path) -> Requirements:
    _pyproject_beside(file)
    return Requirements(file.parent, file.name, uv_project=file.parent)


def _from_poetry_lock(file: Path) -> Requirements:
    lines = poetry_requirements(_read_toml(_pyproject_beside(file)))
    return Requirements(file.parent, file.name, lines=lines, constraints=poetry_constraints(_read_toml(file)))


def _from_pipfile_lock(file: Path) -> Requirements:
    try:
        lines = pipenv_requirements(_read_text(file))
    except ValueError as error:
        raise PackagingError(f"{file} cannot be read: {error}. Create it again with `pipenv lock`.") from None
    return Requirements(file.parent, file.name, lines=lines)


def _from_pyproject(file: Path) -> Requirements | None:
    content = _read_toml(file)
    if "project" not in content:
        has_poetry = "poetry" in content.get("tool", {})
        return Requirements(file.parent, file.name, lines=poetry_requirements(content)) if has_poetry else None
    project: dict[str, Any] = content["project"]
    if "dependencies" in project.get("dynamic", []):
        raise PackagingError(
            f"{file} declares its dependencies as dynamic, so that they are unknown before a build. Name a "
            "requirements file with --requirements."
        )
    return Requirements(file.parent, file.name, lines=list(project.get("dependencies", [])))


_READERS: dict[str, Callable[[Path], Requirements | None]] = {
    "requirements.txt": _from_requirements_txt,
    "uv.lock": _from_uv_lock,
    "poetry.lock": _from_poetry_lock,
    "Pipfile.lock": _from_pipfile_lock,
    "pyproject.toml": _from_pyproject,
}


def _pyproject_beside(lock: Path) -> Path:
    file = lock.with_name("pyproject.toml")
    if not file.is_file():
        raise PackagingError(
            f"{lock} cannot be used without the pyproject.toml that it was made from. Add that file to {lock.parent}, "
            "or name a requirements file with --requirements."
        )
    return file


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PackagingError(f"{file} cannot be read: {error}.") from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise PackagingError(f"{file} is not valid TOML: {error}.") from None
