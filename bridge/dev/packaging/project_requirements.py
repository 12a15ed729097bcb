"""Finds a project's requirements, in a requirements file, a lock file or pyproject.toml."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError, uv_workspace
from bridge.dev.packaging.pipfile_lock import pipenv_requirements
from bridge.dev.packaging.poetry_lock import (
    is_complete_poetry_lock,
    is_current,
    locked_poetry_packages,
    poetry_constraints,
    poetry_indexes,
    poetry_requirements,
    poetry_sources,
)
from bridge.dev.packaging.pylock import Pylock, normalized_name, read_pylock, sha256
from bridge.dev.packaging.requirements_txt import (
    LinesByIndex,
    absolute_requirement,
    local_folder,
    read_requirements_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class RequirementSelection:
    """The parts of a project's dependencies to install in addition to those that it always needs.

    Attributes:
        groups: dependency groups: https://peps.python.org/pep-0735/.
        extras: extras of the project.
    """

    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.groups or self.extras)


NOTHING_SELECTED = RequirementSelection()


@dataclass
class Requirements:
    """The packages to install.

    Attributes:
        folder: the folder in which the installer runs, whose settings it reads.
        origin: the name of the file, or files, that the requirements come from; None without any.
        lines: lines of a requirements file, with absolute paths.
        by_index: further lines, by the URL of the index that they are installed from.
        constraints: lines of a constraints file.
        places: the file, and the line in it, of each line that is from a requirements file.
        is_complete: whether the lines name every package, so that dependencies are not resolved.
        default_index: the URL of the index in the place of PyPI.
        extra_indexes: URLs of indexes in addition to the default one.
        package_indexes: the URL of the index of each package that comes from a certain one.
        uv_project: the folder of a uv project, whose lock takes the place of the lines.
        uv_root: the folder of the uv.lock of that project.
        pyproject: a pyproject.toml with sources that uv reads, which takes the place of the lines.
        pylock: a lock file, which takes the place of the lines.
        selection: the groups and extras that uv reads.
        overrides: requirements that take the place of all others for the same package.
        locked_python: the versions of Python that a poetry.lock is for.
        replaced_wheel: the URL of a wheel in the lines, whose content is part of its path.
    """

    folder: Path
    origin: str | None = None
    lines: list[str] = field(default_factory=list)
    by_index: LinesByIndex = field(default_factory=dict)
    constraints: list[str] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    is_complete: bool = False
    default_index: str | None = None
    extra_indexes: list[str] = field(default_factory=list)
    package_indexes: dict[str, str] = field(default_factory=dict)
    uv_project: Path | None = None
    uv_root: Path | None = None
    pyproject: Path | None = None
    pylock: Pylock | None = None
    selection: RequirementSelection = NOTHING_SELECTED
    overrides: list[str] = field(default_factory=list)
    locked_python: str = ""
    replaced_wheel: str | None = None

    @property
    def requires_python(self) -> str:
        """The versions of Python that a lock is for; ``""`` for all."""
        return self.pylock.content.get("requires-python", "") if self.pylock is not None else self.locked_python

    @property
    def all_lines(self) -> list[str]:
        """The lines of all indexes."""
        return [*self.lines, *(line for lines in self.by_index.values() for line in lines)]

    @property
    def is_local(self) -> bool:
        """Whether a requirement is, or may be, a folder of this machine, whose content is not in the lines."""
        if self.pylock is not None:
            return any("directory" in package for package in self.pylock.packages)
        return self.pyproject is not None or bool(self.local_folders())

    def local_folders(self) -> list[Path]:
        """Return the folders of the local projects that the lines, or the pyproject.toml in their place, name."""
        if self.pyproject is not None:
            return [self.pyproject.parent]
        return [folder for line in self.all_lines if (folder := local_folder(line)) is not None]

    def texts(self) -> list[str]:
        """Return the texts that decide what is installed."""
        files = [self.uv_root / "uv.lock"] if self.uv_root is not None else []
        files += [folder / "pyproject.toml" for folder in (self.uv_project, self.uv_root) if folder is not None]
        files += [self.pyproject] if self.pyproject is not None else []
        texts = [_read_text(file) for file in files]
        if self.pylock is not None:
            texts.append(json.dumps(self.pylock.content, default=str))
        lines = ["\n".join(each) for each in (self.lines, *self.by_index.values(), self.constraints) if each]
        return [*texts, *lines, repr(self.selection), repr([self.indexes, self.package_indexes])]

    @property
    def indexes(self) -> list[str]:
        """The URLs of all indexes but PyPI and those that uv and pip are configured with."""
        urls = [*self.by_index, self.default_index, *self.extra_indexes, *self.package_indexes.values()]
        return list(dict.fromkeys(url for url in urls if url is not None))

    def mention(self, package: str) -> bool:
        """Return whether a line begins with the name of *package*, or a lock file has it."""
        if self.pylock is not None:
            return any(normalized_name(each["name"]) == normalized_name(package) for each in self.pylock.packages)
        expression = _name_expression(r'(?:^\s*"?|name = "|")', package)
        return any(expression.search(text) for text in self.texts())

    def with_wheel(self, package: str, wheel: Path) -> tuple[Requirements, bool]:
        """Return the same requirements with a wheel as the source of *package*, and whether they name that package.

        If only a constraint names it, the constraint is removed.
        """
        name = normalized_name(package)
        digest = f"sha256:{sha256(wheel)}"

        def replaced(line: str) -> str:
            if normalized_name(line) != name:
                return line
            match = re.match(r"[\w.-]+\s*(\[[^]]*])?", line)
            assert match is not None
            marker = re.search(r"\s*;[^#]*?(?=\s--|$)", line)
            hashes = f" --hash={digest}" if "--hash" in line else ""
            return f"{match[0]} @ {wheel.as_uri()}{f' {marker[0].lstrip()}' if marker else ''}{hashes}"

        lines = [replaced(line) for line in self.lines]
        by_index = {index: [replaced(line) for line in each] for index, each in self.by_index.items()}
        constraints = [line for line in self.constraints if normalized_name(line) != name]
        result = replace(self, lines=lines, by_index=by_index, constraints=constraints)
        is_named = result.all_lines != self.all_lines
        if self.pylock is not None:
            archive = {"name": name, "archive": {"path": str(wheel), "hashes": {"sha256": sha256(wheel)}}}
            packages = [
                {**archive, **{key: each[key] for key in ("marker", "dependencies") if key in each}}
                if normalized_name(each["name"]) == name else each
                for each in self.pylock.packages
            ]  # fmt: skip
            is_named = packages != self.pylock.packages
            result.pylock = Pylock({**self.pylock.content, "packages": packages}, self.pylock.folder)
        elif self.pyproject is not None:
            is_named = self.mention(package)
            result.overrides = [f"{name} @ {wheel.as_uri()}"] if is_named else []
        result.replaced_wheel = wheel.as_uri() if is_named else None
        return result, is_named


def _name_expression(prefix: str, package: str) -> re.Pattern[str]:
    """Return an expression that finds the name of *package*, in any spelling, after *prefix*."""
    name = "[-_.]+".join(map(re.escape, re.split(r"[-_.]+", package)))
    return re.compile(rf"{prefix}{name}(?![-_.]*\w)", re.IGNORECASE | re.MULTILINE)


def find_requirements(
    folders: Sequence[Path], named_files: Sequence[Path] = (), selection: RequirementSelection = NOTHING_SELECTED
) -> Requirements:
    """Return the requirements of a project; without packages if no file has any.

    The lock of a uv workspace is found above the folder of a member. If the application is in a member of the
    project's own workspace, the requirements are those of the member.

    Args:
        folders: the folders to search, first that of the project. The first one with a file decides, and in it the
            first file in the order of :func:`file_names`.
        named_files: files that the user names; *folders* are not searched then.
        selection: groups and extras to install.

    Raises:
        PackagingError: a file cannot be read, or its dependencies cannot be determined.
    """
    if named_files:
        return _from_named_files(named_files, folders, selection)
    for folder in _search_order(folders):
        for name, read in _READERS.items():
            if name == "uv.lock":
                requirements = _from_uv_project(folder, selection)
            else:
                file = folder / name
                requirements = read(file, folders[0], selection) if file.is_file() else None
            if requirements is not None:
                return requirements
    return Requirements(folders[0])


def file_names() -> list[str]:
    """Return the names of the files that are searched, in the order in which they decide."""
    return list(_READERS)


def ignored_files(requirements: Requirements, folders: Sequence[Path]) -> list[str]:
    """Return the names of requirements and lock files in *folders* that *requirements* do not come from."""
    names = [name for folder in folders for name in _READERS if name != "pyproject.toml" and (folder / name).is_file()]
    return [name for name in dict.fromkeys(names) if name != requirements.origin]


def unread_files(requirements: Requirements, folders: Sequence[Path]) -> list[Path]:
    """Return the files in *folders* that ``--requirements`` would read, if nothing is pinned by those that are read.

    Args:
        requirements: the requirements that were found.
        folders: the folders that were searched.
    """
    if requirements.origin not in (None, "pyproject.toml"):
        return []
    patterns = ["pylock.*.toml", "requirements*.lock"]
    patterns += ["requirements*.txt", "requirements/*.txt"] if requirements.origin is None else []
    found = [file for folder in folders for pattern in patterns for file in sorted(folder.glob(pattern))]
    return list(dict.fromkeys(found))


def _search_order(folders: Sequence[Path]) -> list[Path]:
    """Return the folders to search: a member of the project's workspace that has the application comes first."""
    project, application = folders[0], folders[-1]
    member = uv_workspace.project_around(application.resolve(), project.resolve())
    if member is None or member == project.resolve() or (project / "requirements.txt").is_file():
        return list(folders)
    root = uv_workspace.workspace_root(member)
    is_of_project = root == uv_workspace.workspace_root(project) or root == project.resolve()
    return list(dict.fromkeys([member, *folders] if is_of_project else [project, member, *folders[1:]]))


def _from_named_files(files: Sequence[Path], folders: Sequence[Path], selection: RequirementSelection) -> Requirements:
    project, application = folders[0], folders[-1]
    for file in files:
        if not file.is_file():
            raise PackagingError(f"--requirements {file}: there is no such file.")
    if len(files) == 1 and files[0].name == "uv.lock":
        root = files[0].resolve().parent
        member = uv_workspace.project_around(application.resolve(), root)
        if member is not None and uv_workspace.workspace_root(member) == root:
            return _from_uv_lock(member / "uv.lock", project, selection)
    if len(files) == 1 and (read := _reader(files[0].name)):
        requirements = read(files[0].absolute(), project, selection)
        if requirements is None:
            raise PackagingError(
                f"--requirements {files[0]}: the file has neither a table [project] nor [tool.poetry]. Add one with "
                "the dependencies, or name a requirements file."
            )
        return requirements
    if locks := [file for file in files if _reader(file.name) and file.suffix != ".txt"]:
        raise PackagingError(
            f"--requirements {locks[0]}: this file cannot be combined with others, only requirements files can. Name "
            "it alone, or leave it out."
        )
    return _from_requirements_files(files, project, selection)


def _reader(name: str) -> Callable[[Path, Path, RequirementSelection], Requirements | None] | None:
    return _from_pylock if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name) else _READERS.get(name)


def _from_requirements_txt(file: Path, project: Path, selection: RequirementSelection) -> Requirements:
    return _from_requirements_files([file], project, selection)


def _from_requirements_files(files: Sequence[Path], project: Path, selection: RequirementSelection) -> Requirements:
    origin = ", ".join(file.name for file in files)
    if selection:
        option = f"--group {selection.groups[0]}" if selection.groups else f"--extra {selection.extras[0]}"
        raise PackagingError(
            f"{option}: the requirements are those in {origin}, which has no groups and extras. Name a file that has "
            "them: --requirements uv.lock, poetry.lock, pylock.toml or pyproject.toml"
        )
    content = read_requirements_files(files, project)
    folder = files[0].absolute().parent
    return Requirements(folder, origin, content.lines, constraints=content.constraints, places=content.places)


def _from_uv_lock(file: Path, _project: Path, selection: RequirementSelection) -> Requirements:
    _pyproject_beside(file)
    requirements = _from_uv_project(file.parent, selection)
    assert requirements is not None
    return requirements


def _from_uv_project(folder: Path, selection: RequirementSelection) -> Requirements | None:
    """Return the requirements in the uv.lock of a project, or of the workspace that it is a member of."""
    if not (folder / "pyproject.toml").is_file():
        if (folder / "uv.lock").is_file():
            _pyproject_beside(folder / "uv.lock")
        return None
    root = uv_workspace.workspace_root(folder)
    if not (root / "uv.lock").is_file():
        return None
    content = _read_toml(folder / "pyproject.toml")
    if "project" not in content and (members := uv_workspace.member_folders(root)) and not selection:
        names = ", ".join(member.relative_to(root).as_posix() for member in members)
        raise PackagingError(
            f"{root / 'pyproject.toml'} is a workspace without a project, whose uv.lock has the requirements of its "
            f"members: {names}. Name an application in one of them, such as "
            f"{members[0].relative_to(root).as_posix()}/app:app, or run the command in its folder."
        )
    return Requirements(folder, "uv.lock", uv_project=folder, uv_root=root, selection=selection)


def _from_poetry_lock(file: Path, _project: Path, selection: RequirementSelection) -> Requirements:
    pyproject, lock = _read_toml(_pyproject_beside(file)), _read_toml(file)
    _check_poetry_lock(file, pyproject, lock)
    python = lock.get("metadata", {}).get("python-versions", "")
    if is_complete_poetry_lock(lock):
        by_index = locked_poetry_packages(lock, pyproject, selection.groups, selection.extras)
        by_index = {index: _absolute(lines, file) for index, lines in by_index.items()}
        return Requirements(
            file.parent, file.name, by_index.pop(None, []), by_index, is_complete=True, locked_python=python
        )
    lines = poetry_requirements(pyproject, lock, selection.groups, selection.extras)
    constraints, indexes = poetry_constraints(lock), poetry_indexes(lock)
    lines = _absolute(lines, file)
    return Requirements(
        file.parent, file.name, lines, constraints=constraints, extra_indexes=indexes, locked_python=python
    )


def _check_poetry_lock(file: Path, pyproject: dict[str, Any], lock: dict[str, Any]) -> None:
    """Raise an error if the lock was made from other dependencies than those of the project."""
    locked = {normalized_name(package["name"]) for package in lock.get("package", [])}
    poetry = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
    tables = {name: value for name, value in poetry.items() if not isinstance(value, dict) or not value.get("optional")}
    required = [*pyproject.get("project", {}).get("dependencies", []), *tables]
    if missing := [name for name in required if normalized_name(name) not in {*locked, "python"}]:
        raise PackagingError(
            f"{file} is older than pyproject.toml: it does not have {normalized_name(missing[0])}. Create it again "
            "with `poetry lock`."
        )
    if not is_current(lock, pyproject):
        raise PackagingError(
            f"{file} is older than the dependencies in pyproject.toml. Create it again with `poetry lock`."
        )


def _from_pipfile_lock(file: Path, _project: Path, selection: RequirementSelection) -> Requirements:
    if selection.extras:
        raise PackagingError(f"--extra {selection.extras[0]}: {file.name} has no extras, only groups.")
    try:
        by_index = pipenv_requirements(_read_text(file), selection.groups)
    except ValueError as error:
        raise PackagingError(f"{file} cannot be read: {error}. Create it again with `pipenv lock`.") from None
    by_index = {index: _absolute(lines, file) for index, lines in by_index.items()}
    return Requirements(file.parent, file.name, by_index.pop(None, []), by_index, is_complete=True)


def _from_pylock(file: Path, _project: Path, selection: RequirementSelection) -> Requirements:
    lock = read_pylock(file)
    for option, key, names in (
        ("--group", "dependency-groups", selection.groups),
        ("--extra", "extras", selection.extras),
    ):
        for name in names:
            if name not in lock.content.get(key, []):
                known = ", ".join(lock.content.get(key, [])) or "none"
                raise PackagingError(f"{option} {name}: {file} has no such name. It has: {known}.")
    return Requirements(file.parent, file.name, pylock=lock, selection=selection)


def _from_pdm_lock(file: Path, _project: Path, _selection: RequirementSelection) -> Requirements:
    raise PackagingError(
        f"{file} cannot be read, and without it other versions than those it has would be installed. Convert it with "
        "`pdm export -f pylock -o pylock.toml --prod`, or name another file with --requirements."
    )


def _from_pyproject(file: Path, _project: Path, selection: RequirementSelection) -> Requirements | None:
    content = _read_toml(file)
    has_poetry = "poetry" in content.get("tool", {})
    if "project" not in content:
        if not has_poetry:
            return None
        return _from_poetry_project(file, content, selection)
    project: dict[str, Any] = content["project"]
    if "dependencies" in project.get("dynamic", []) and not has_poetry:
        raise PackagingError(
            f"{file} declares its dependencies as dynamic, so that they are unknown before a build. Name a "
            "requirements file with --requirements."
        )
    if has_poetry and not selection and content["tool"]["poetry"].get("dependencies"):
        return _from_poetry_project(file, content, selection)
    lines = list(project.get("dependencies", []))
    for extra in selection.extras:
        lines += _part(f"--extra {extra}", extra, project.get("optional-dependencies", {}), file)
    for group in selection.groups:
        lines += _group_lines(group, content.get("dependency-groups", {}), file)
    required = {normalized_name(line) for line in lines}
    uses_sources = any(normalized_name(name) in required for name in uv_workspace.sources(file.parent))
    pyproject = file if uses_sources else None
    return Requirements(file.parent, file.name, _absolute(lines, file), pyproject=pyproject, selection=selection)


def _from_poetry_project(file: Path, content: dict[str, Any], selection: RequirementSelection) -> Requirements:
    lines = _absolute(poetry_requirements(content, None, selection.groups, selection.extras), file)
    default, extra, packages = poetry_sources(content)
    return Requirements(
        file.parent, file.name, lines, default_index=default, extra_indexes=extra, package_indexes=packages
    )


def _group_lines(group: str, groups: dict[str, Any], file: Path, parents: Collection[str] = ()) -> list[str]:
    """Return the requirements of a dependency group and of those that it includes."""
    lines = []
    for entry in _part(f"--group {group}", group, groups, file):
        if isinstance(entry, str):
            lines.append(entry)
        elif (included := entry.get("include-group")) is not None and included not in parents:
            lines += _group_lines(included, groups, file, (*parents, group))
    return lines


def _part(option: str, name: str, table: dict[str, Any], file: Path) -> list[Any]:
    for key, value in table.items():
        if normalized_name(key) == normalized_name(name):
            return list(value)
    raise PackagingError(f"{option}: {file} has no such name. It has: {', '.join(table) or 'none'}.")


_READERS: dict[str, Callable[[Path, Path, RequirementSelection], Requirements | None]] = {
    "requirements.txt": _from_requirements_txt,
    "uv.lock": _from_uv_lock,
    "poetry.lock": _from_poetry_lock,
    "Pipfile.lock": _from_pipfile_lock,
    "pylock.toml": _from_pylock,
    "pdm.lock": _from_pdm_lock,
    "pyproject.toml": _from_pyproject,
}


def _absolute(lines: list[str], file: Path) -> list[str]:
    return [absolute_requirement(line, [file.parent], file.name) for line in lines]


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
