"""Chooses which of the project's own files go into the artifact."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.gitignore import is_excluded, last_match, parse_pattern, parse_patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.dev.packaging.gitignore import IgnorePattern

# Files of development tools. The folder `build` is not among them: some applications serve a bundler's output from it.
_TOOL_FILES = parse_patterns([
    ".git", ".hg", ".svn", ".gitignore", ".gitattributes", ".dockerignore", ".github/", "__pycache__/", "*.pyc",
    "*.pyo", ".venv/", "node_modules/", "*.egg-info/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/",
    ".hypothesis/", ".tox/", ".nox/", ".coverage", ".coverage.*", ".cache/", ".serverless/", ".requirements/",
    ".aws-sam/", ".terraform/", "cdk.out/", ".idea/", ".vscode/", ".DS_Store", "*.swp",
])  # fmt: skip
# Files of the project that its function does not use.
_DEVELOPMENT_FILES = parse_patterns([
    "/tests/", "/test/", "/serverless.yml", "/serverless.yaml", "uv.lock", "poetry.lock", "Pipfile", "Pipfile.lock",
])  # fmt: skip
_SECRETS = parse_patterns([
    ".env", ".env.*", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "id_rsa", "id_dsa",
    "id_ecdsa", "id_ed25519", ".netrc", ".pypirc", ".npmrc", ".htpasswd", ".aws/", ".ssh/", ".gnupg/", "*.tfstate",
    "*.tfstate.*",
])  # fmt: skip


@dataclass
class ProjectFiles:
    """The project's files that go into the artifact.

    Attributes:
        files: the location of each file by its path in the artifact.
        secrets: the files and folders that are left out because their names are those of secrets.
        ignored: the number of files and folders that are left out because of a ``.gitignore``.
        broken_links: the symbolic links whose targets do not exist.
    """

    files: dict[str, Path] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    ignored: int = 0
    broken_links: list[str] = field(default_factory=list)

    def add(self, path: str, file: Path) -> None:
        """Add a file, or record a broken link; other kinds of files are skipped."""
        if file.is_file():
            self.files[path] = file
        elif file.is_symlink():
            self.broken_links.append(path)


@dataclass(frozen=True)
class FileList:
    """The project's files as another tool has chosen them, such as the Serverless Framework.

    Attributes:
        files: the files, relative to the project.
        patterns: the patterns with which the user has chosen files in that tool.
    """

    files: Sequence[str] = ()
    patterns: Sequence[str] = ()


def read_file_list(file: Path) -> FileList:
    """Read the JSON file of ``--files``: an object with the lists ``files`` and, optionally, ``asked``.

    Raises:
        PackagingError: the file cannot be read or has another content.
    """
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PackagingError(f"--files {file}: the file cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise PackagingError(f"--files {file}: the file is not valid JSON: {error}.") from None
    keys: dict[str, Any] = content if isinstance(content, dict) else {}
    files, patterns = keys.get("files"), keys.get("asked", [])
    if not _is_list_of_strings(files) or not _is_list_of_strings(patterns):
        raise PackagingError(
            f'--files {file}: the file must contain an object with a list of strings, such as {{"files": ["app.py"]}}; '
            '"asked" is a list of strings, too.'
        )
    return FileList(files, patterns)


def _is_list_of_strings(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def choose_files(folder: Path, patterns: Sequence[str] = (), *, without: Sequence[Path] = ()) -> ProjectFiles:
    """Return the files below *folder* that go into the artifact.

    Args:
        folder: the project.
        patterns: the user's patterns as in a .gitignore, which take precedence; ``!`` before one includes files.
        without: files and folders that are left out in any case, such as the artifact itself.

    Raises:
        PackagingError: a folder cannot be read.
    """
    chooser = _FileChooser(folder.resolve(), parse_patterns(patterns), {path.resolve() for path in without})
    chooser.visit(chooser.root, "", _gitignore_above(chooser.root), ())
    return chooser.chosen


class _FileChooser:
    def __init__(self, root: Path, user_patterns: list[IgnorePattern], without: set[Path]) -> None:
        self.root = root
        self.chosen = ProjectFiles()
        self._user_patterns, self._without = user_patterns, without

    def visit(
        self,
        folder: Path,
        path: str,
        gitignore: list[IgnorePattern],
        parents: tuple[Path, ...],
        *,
        is_left_out: bool = False,
    ) -> None:
        """Choose among the files in *folder* and below.

        Args:
            folder: the folder.
            path: its path in the artifact.
            gitignore: the patterns of the ``.gitignore`` files above it.
            parents: the resolved folders above it, which symbolic links may lead back to.
            is_left_out: whether the folder is left out, except for files that the user's patterns name by path.
        """
        resolved = folder.resolve()
        if resolved in parents:
            return
        gitignore = [*gitignore, *parse_patterns(_lines(folder / ".gitignore"), path)]
        for entry in _scan(folder):
            entry_path = f"{path}/{entry.name}" if path else entry.name
            file = Path(entry.path)
            if file.resolve() in self._without or not _is_utf8(entry_path):
                continue
            is_folder = entry.is_dir()
            leave_out = self._leaves_out(entry_path, file, gitignore, is_folder=is_folder, is_left_out=is_left_out)
            if not is_folder and not leave_out:
                self.chosen.add(entry_path, file)
            elif is_folder and (not leave_out or self._includes_some_of(entry_path)):
                self.visit(file, entry_path, gitignore, (*parents, resolved), is_left_out=leave_out)

    def _leaves_out(
        self, path: str, file: Path, gitignore: list[IgnorePattern], *, is_folder: bool, is_left_out: bool
    ) -> bool:
        if (match := last_match(path, self._user_patterns, is_folder=is_folder)) is not None:
            return match.excludes
        if is_left_out or is_excluded(path, [*_TOOL_FILES, *_DEVELOPMENT_FILES], is_folder=is_folder):
            return True
        if is_excluded(path, _SECRETS, is_folder=is_folder) and not _is_certificate(file):
            self.chosen.secrets.append(path)
            return True
        if is_excluded(path, gitignore, is_folder=is_folder):
            self.chosen.ignored += 1
            return True
        return is_folder and _is_virtual_environment(file)

    def _includes_some_of(self, folder: str) -> bool:
        return any(not pattern.excludes and pattern.leads_into(folder) for pattern in self._user_patterns)


def choose_listed_files(
    folder: Path, file_list: FileList, patterns: Sequence[str] = (), *, without: Sequence[Path] = ()
) -> ProjectFiles:
    """Return those of the listed files that go into the artifact.

    A pattern such as ``web/**`` in the other tool includes a ``.env`` or a virtual environment there by accident. So
    files of development tools and secrets are left out unless one of the list's patterns names them.

    Args:
        folder: the project.
        file_list: the files, and the patterns that chose them.
        patterns: the user's patterns as for :func:`choose_files`, which take precedence.
        without: files that are left out in any case, such as the artifact itself.

    Raises:
        PackagingError: a file is outside the project.
    """
    root, chosen = folder.resolve(), ProjectFiles()
    user_patterns = parse_patterns(patterns)
    left_out = {path.resolve() for path in without}
    is_virtual_environment = functools.cache(_is_virtual_environment)
    for name in sorted(set(file_list.files)):
        path = os.path.normpath(name).replace(os.sep, "/")
        file = root / path
        if path.startswith("../") or Path(path).is_absolute():
            raise PackagingError(
                f"--files lists {name}, which is not in the project, {root}. List only files below that folder."
            )
        if file.resolve() in left_out or not _is_utf8(path):
            continue
        user_match = None
        for part, is_folder in _ancestry(path):
            user_match = last_match(part, user_patterns, is_folder=is_folder) or user_match
        if user_match is not None:
            if not user_match.excludes:
                chosen.add(path, file)
            continue
        for part, is_folder in _ancestry(path):
            is_secret = is_excluded(part, _SECRETS, is_folder=is_folder) and not _is_certificate(root / part)
            is_tool_file = is_excluded(part, _TOOL_FILES, is_folder=is_folder) or (
                is_folder and is_virtual_environment(root / part)
            )
            if is_tool_file or is_secret:
                if any(_names(pattern, part, path) for pattern in file_list.patterns):
                    chosen.add(path, file)
                elif not is_tool_file and part not in chosen.secrets:
                    chosen.secrets.append(part)
                break
        else:
            chosen.add(path, file)
    return chosen


def _ancestry(path: str) -> Iterator[tuple[str, bool]]:
    """Yield the folders above a file, from the outermost, and the file; each with whether it is a folder."""
    for index, character in enumerate(path):
        if character == "/":
            yield path[:index], True
    yield path, False


def _names(pattern: str, special: str, path: str) -> bool:
    """Return whether *pattern* matches *path*, and a part of it without wildcards alone matches the name of *special*.

    ``**/.env`` names the file ``web/.env``; ``web/**`` matches it without naming it.
    """
    whole = parse_pattern(f"/{pattern}")
    if whole is None or not any(whole.matches(part, is_folder=is_folder) for part, is_folder in _ancestry(path)):
        return False
    name = special.rpartition("/")[2]
    parts = parse_patterns(part for part in pattern.split("/") if part.strip("*"))
    return any(part.matches(name, is_folder=True) for part in parts)


def _gitignore_above(project: Path) -> list[IgnorePattern]:
    """Return the patterns of the ``.gitignore`` files above a project that is a folder of a repository."""
    patterns: list[IgnorePattern] = []
    folder = project
    while not (folder / ".git").exists():
        if folder.parent == folder:
            return []
        folder = folder.parent
        below = project.relative_to(folder).parts
        patterns = [*_patterns_from_above(_lines(folder / ".gitignore"), below), *patterns]
    return patterns


def _patterns_from_above(lines: list[str], project: tuple[str, ...]) -> list[IgnorePattern]:
    """Return the patterns of a file above the project, rewritten to be relative to the project.

    Args:
        lines: the file's lines.
        project: the names of the folders that lead from the file to the project.
    """
    rewritten = []
    for line in lines:
        pattern = line.strip().removeprefix("!")
        if "/" in pattern.rstrip("/"):
            # A pattern with a path applies if the path leads into the project.
            names, depth = pattern.removeprefix("/").split("/"), len(project)
            if tuple(names[:depth]) != project and names[0] != "**":
                continue
            rest = pattern if names[0] == "**" else "/" + "/".join(names[depth:])
            line = ("!" if line.strip().startswith("!") else "") + rest
        rewritten.append(line)
    return parse_patterns(rewritten)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise PackagingError(
            f"The folder {folder} cannot be read: {error.strerror}. Change its permissions, or leave it out with "
            "--exclude."
        ) from None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _is_utf8(path: str) -> bool:
    """Return whether a path can be written into a zip file, which encodes it as UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_certificate(file: Path) -> bool:
    """Return whether a .pem file has certificates without a private key, such as those of a database's authority."""
    if file.suffix != ".pem":
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE-----" in content and b"PRIVATE KEY-----" not in content


def _is_virtual_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()
