"""What a project needs, from whichever file says it, as lines that uv and pip understand."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError, lock_files, pipenv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass
class Requirements:
    """What has to be installed.

    Attributes:
        lines: as in a requirements.txt.
        constraints: as in a file for ``--constraint``.
        files: requirements files, taken as they are: what they refer to is relative to where they lie.
        project: the folder with the uv.lock that says it all.
        folder: where paths in the lines are relative to.
        origin: what people call the source of it.
    """

    folder: Path
    origin: str = "none"
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    project: Path | None = None

    def texts(self) -> list[str]:
        """All that they say; that of a uv.lock first."""
        files = [self.project / "uv.lock", self.project / "pyproject.toml"] if self.project is not None else []
        lines = ["\n".join(each) for each in (self.lines, self.constraints) if each]
        return [*map(_text, [*files, *self.files]), *lines]

    def names(self, package: str) -> bool:
        """Whether they ask for *package* by its name, as far as that is seen here."""
        lines = "\n".join(self.texts()).replace('name = "', "\n").splitlines()
        return any(line.strip().lower().replace("_", "-").startswith(package) for line in lines)


def find(folders: Sequence[Path], given: Sequence[Path] = ()) -> Requirements:
    """The requirements of a project.

    Args:
        folders: where to look, the first that has something counts.
        given: files that the user names; they are all that counts then.

    Raises:
        PackagingError: a file cannot be read, or says nothing that can be installed.
    """
    if given:
        return _given(given)
    for folder in folders:
        for name, read in _READERS.items():
            if (folder / name).is_file() and (found := read(folder / name)) is not None:
                return found
    return Requirements(folders[0])


def others(found: Requirements, folders: Sequence[Path]) -> list[str]:
    """The names of files that say something, too, and do not count."""
    names = [name for folder in folders for name in _READERS if name != "pyproject.toml" and (folder / name).is_file()]
    return [name for name in dict.fromkeys(names) if name != found.origin]


def _given(files: Sequence[Path]) -> Requirements:
    for file in files:
        if not file.is_file():
            raise PackagingError(f"--requirements {file}: there is no such file.")
    if len(files) == 1 and (read := _READERS.get(files[0].name)):
        found = read(files[0].absolute())
        if found is None:
            raise PackagingError(f"{files[0]} has no dependencies: it has neither [project] nor [tool.poetry].")
        return found
    if locks := [file.name for file in files if file.name in _READERS and file.suffix != ".txt"]:
        raise PackagingError(f"--requirements {locks[0]} stands alone; only requirements files go together.")
    origin = ", ".join(file.name for file in files)
    return Requirements(files[0].absolute().parent, origin, files=[file.absolute() for file in files])


def _requirements_txt(file: Path) -> Requirements:
    _text(file)
    return Requirements(file.parent, file.name, files=[file])


def _uv_lock(file: Path) -> Requirements:
    if not (file.parent / "pyproject.toml").is_file():
        raise PackagingError(f"{file} has no pyproject.toml beside it.")
    return Requirements(file.parent, file.name, project=file.parent)


def _poetry_lock(file: Path) -> Requirements:
    beside = file.parent / "pyproject.toml"
    if not beside.is_file():
        raise PackagingError(f"{file} has no pyproject.toml beside it.")
    lines = lock_files.requirements(_toml(beside))
    return Requirements(file.parent, file.name, lines=lines, constraints=lock_files.pins(_toml(file)))


def _pipfile_lock(file: Path) -> Requirements:
    try:
        lines = pipenv.requirements(_text(file))
    except ValueError as error:
        raise PackagingError(f"{file} cannot be read: {error}") from None
    return Requirements(file.parent, file.name, lines=lines)


def _pyproject(file: Path) -> Requirements | None:
    content = _toml(file)
    if "project" not in content:
        has_poetry = "poetry" in content.get("tool", {})
        return Requirements(file.parent, file.name, lines=lock_files.requirements(content)) if has_poetry else None
    project: dict[str, Any] = content["project"]
    if "dependencies" in project.get("dynamic", []):
        raise PackagingError(
            f"{file} leaves its dependencies to its build (dynamic). Name a requirements file with --requirements."
        )
    return Requirements(file.parent, file.name, lines=list(project.get("dependencies", [])))


_READERS: dict[str, Callable[[Path], Requirements | None]] = {
    "requirements.txt": _requirements_txt,
    "uv.lock": _uv_lock,
    "poetry.lock": _poetry_lock,
    "Pipfile.lock": _pipfile_lock,
    "pyproject.toml": _pyproject,
}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PackagingError(f"{file} cannot be read: {error}") from None


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise PackagingError(f"{file} cannot be read: {error}") from None
