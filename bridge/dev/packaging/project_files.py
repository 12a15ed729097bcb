"""Chooses which of the project's own files go into the artifact."""

from __future__ import annotations

import errno
import functools
import json
import os
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.earlier_artifacts import EarlierArtifacts
from bridge.dev.packaging.gitignore import expression_of, is_excluded, last_match, parse_pattern, parse_patterns
from bridge.dev.packaging.secret_files import MAX_TEXT_SIZE, find_secret, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.dev.packaging.gitignore import IgnorePattern

# Files above this size in bytes are reported.
_LARGE_FILE = 5 * 1024 * 1024
_SQLITE = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html#magic_header_string
# Files of development tools. The folder `build` is not among them: some applications serve a bundler's output from it.
_TOOL_FILES = parse_patterns([
    ".git", ".hg", ".svn", ".gitignore", ".gitattributes", ".dockerignore", ".github/", "__pycache__/", "*.pyc",
    "*.pyo", ".venv/", "node_modules/", "*.egg-info/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/",
    ".hypothesis/", ".tox/", ".nox/", ".coverage", ".coverage.*", ".cache/", ".serverless/", ".serverless_plugins/",
    ".requirements/",
    ".aws-sam/", ".terraform/", ".terraform.lock.hcl", "cdk.out/", ".idea/", ".vscode/", ".DS_Store", "*.swp",
])  # fmt: skip
# Files of the project that its function does not use.
_DEVELOPMENT_FILES = parse_patterns([
    "/tests/", "/test/", "/serverless.yml", "/serverless.yaml", "uv.lock", "poetry.lock", "Pipfile", "Pipfile.lock",
    "pdm.lock", "pylock.toml", "pylock.*.toml", "/samconfig.toml", "/cdk.json", "/cdk.context.json",
])  # fmt: skip

_NOT_PACKAGED = [*_TOOL_FILES, *_DEVELOPMENT_FILES]
_ANY_NOT_PACKAGED = expression_of(_NOT_PACKAGED)


@dataclass
class ProjectFiles:
    """The project's files that go into the artifact, and those that are left out for a reason to report.

    Attributes:
        files: the location of each file by its path in the artifact.
        secrets: the files and folders that are left out because their names are those of secrets.
        contained_secrets: what the content of a file shows, by its path. Such a file is left out unless it is Python.
        ignored: the files and folders that are left out because of a ``.gitignore``.
        tracked: the files among the ignored ones that git tracks.
        artifacts: the zip files and folders that earlier builds and deployments have made.
        outside_links: the symbolic links that lead out of the project, which are left out.
        broken_links: the symbolic links whose targets do not exist.
        undecodable: the files whose names are not UTF-8, with escapes in place of the other bytes.
        sizes: the bytes of each large file, and each database, in *files*.
    """

    files: dict[str, Path] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    contained_secrets: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    outside_links: list[str] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    undecodable: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, file: Path, *, is_named: bool = False) -> None:
        """Add a file, or record why it is left out; what is neither a file nor a link is skipped.

        Args:
            path: the path in the artifact.
            file: the location.
            is_named: whether the user names the file, so that its content is not checked for secrets.

        Raises:
            PackagingError: the file is a symbolic link that leads back to itself.
        """
        try:
            status = file.stat()
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise PackagingError(
                    f"{path} is a symbolic link that leads back to itself, to {file.readlink()}. Delete it, or leave "
                    f"it out: --exclude {shlex.quote(f'/{path}')}"
                ) from None
            if file.is_symlink():
                self.broken_links.append(path)
            return
        if not stat.S_ISREG(status.st_mode):
            return
        content = _read(file, MAX_TEXT_SIZE if status.st_size <= MAX_TEXT_SIZE else len(_SQLITE))
        if not is_named and status.st_size <= MAX_TEXT_SIZE and (sign := find_secret(content)):
            self.contained_secrets[path] = sign
            if file.suffix != ".py":  # the application would not start without a module
                return
        self.files[path] = file
        if status.st_size > _LARGE_FILE or content.startswith(_SQLITE):
            self.sizes[path] = status.st_size


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
            '"asked", which is optional, is such a list as well.'
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
        PackagingError: a folder cannot be read, or a symbolic link leads back to itself.
    """
    chooser = _FileChooser(folder.resolve(), parse_patterns(patterns), {path.resolve() for path in without})
    chooser.visit(chooser.root, "", _gitignore_above(chooser.root), ())
    chosen = chooser.chosen
    if chosen.ignored:
        ignored = set(chosen.ignored)
        chosen.tracked = [
            path for path in _tracked_files(chooser.root) if any(part in ignored for part, _ in _ancestry(path))
        ]
    return chosen


class _FileChooser:
    def __init__(self, root: Path, user_patterns: list[IgnorePattern], without: set[Path]) -> None:
        self.root = root
        self.chosen = ProjectFiles()
        self._artifacts = EarlierArtifacts(root)
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
        parents = (*parents, resolved)
        for entry in _scan(folder):
            entry_path = f"{path}/{entry.name}" if path else entry.name
            file = Path(entry.path)
            location = Path(os.path.realpath(file)) if entry.is_symlink() else resolved / entry.name
            if location in self._without:
                continue
            if not _is_utf8(entry.name):
                if not is_left_out:
                    self.chosen.undecodable.append(_with_escapes(entry_path))
                continue
            is_folder = file.is_dir()
            match = last_match(entry_path, self._user_patterns, is_folder=is_folder)
            if match is not None:
                leave_out = match.excludes
            else:
                leave_out = is_left_out or self._leaves_out(entry_path, file, gitignore, parents, is_folder=is_folder)
            if not is_folder and not leave_out:
                self.chosen.add(entry_path, file, is_named=match is not None)
            elif is_folder and (not leave_out or self._includes_some_of(entry_path)):
                self.visit(file, entry_path, gitignore, parents, is_left_out=leave_out)

    def _leaves_out(
        self, path: str, file: Path, gitignore: list[IgnorePattern], parents: tuple[Path, ...], *, is_folder: bool
    ) -> bool:
        """Return whether a file or folder is left out that the user's patterns do not name; record why."""
        if _ANY_NOT_PACKAGED.fullmatch(path) and is_excluded(path, _NOT_PACKAGED, is_folder=is_folder):
            return True
        is_left_out_for: dict[str, Callable[[], bool]] = {
            "secrets": lambda: is_secret_name(path, file, is_folder=is_folder),
            "ignored": lambda: is_excluded(path, gitignore, is_folder=is_folder),
            "outside_links": lambda: _leads_out(file, parents),
            "artifacts": lambda: self._artifacts.has(file),
        }
        for reason, applies in is_left_out_for.items():
            if applies():
                getattr(self.chosen, reason).append(path)
                return True
        return is_folder and _is_virtual_environment(file)

    def _includes_some_of(self, folder: str) -> bool:
        return any(not pattern.excludes and pattern.leads_into(folder) for pattern in self._user_patterns)


def choose_listed_files(
    folder: Path, file_list: FileList, patterns: Sequence[str] = (), *, without: Sequence[Path] = ()
) -> ProjectFiles:
    """Return those of the listed files that go into the artifact.

    A pattern such as ``web/**`` in the other tool includes a ``.env`` or a virtual environment there by accident. So
    files of development tools, secrets, earlier artifacts and links out of the project are left out unless one of the
    list's patterns names them.

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
    artifacts = EarlierArtifacts(root)

    @functools.cache
    def reason_to_leave_out(path: str, is_folder: bool) -> str | None:
        """Return the attribute of :class:`ProjectFiles` for a file or folder that is left out; ``""`` for none."""
        file = root / path
        if is_excluded(path, _TOOL_FILES, is_folder=is_folder) or (is_folder and _is_virtual_environment(file)):
            return ""
        if is_secret_name(path, file, is_folder=is_folder):
            return "secrets"
        # A link below another one that leads out counts with that one.
        if _leads_out(file, (root, file.parent.resolve())):
            return "outside_links"
        return "artifacts" if artifacts.has(file) else None

    for name in sorted(set(file_list.files)):
        path = os.path.normpath(name).replace(os.sep, "/")
        file = root / path
        if path.startswith("../") or Path(path).is_absolute():
            raise PackagingError(
                f"--files lists {name}, which is not in the project, {root}. List only files below that folder."
            )
        if Path(os.path.realpath(file)) in left_out:
            continue
        if not _is_utf8(path):
            chosen.undecodable.append(_with_escapes(path))
            continue
        user_match = None
        for part, is_folder in _ancestry(path):
            user_match = last_match(part, user_patterns, is_folder=is_folder) or user_match
        if user_match is not None:
            if not user_match.excludes:
                chosen.add(path, file, is_named=True)
            continue
        for part, is_folder in _ancestry(path):
            reason = reason_to_leave_out(part, is_folder)
            if reason is None:
                continue
            if any(_names(pattern, part, path) for pattern in file_list.patterns):
                chosen.add(path, file, is_named=True)
            elif reason and part not in getattr(chosen, reason):
                getattr(chosen, reason).append(part)
            break
        else:
            is_named = any(_names(pattern, path, path) for pattern in file_list.patterns)
            chosen.add(path, file, is_named=is_named)
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


def _is_utf8(name: str) -> bool:
    """Return whether a name can be written into a zip file, which encodes it as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with_escapes(path: str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def _leads_out(file: Path, parents: Sequence[Path]) -> bool:
    """Return whether a file is a symbolic link to an existing place that is below none of the folders that it is in."""
    if not file.is_symlink() or not file.exists():
        return False
    return not any(Path(os.path.realpath(file)).is_relative_to(folder) for folder in parents)


def _read(file: Path, size: int) -> bytes:
    """Return the beginning of a file; nothing if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(size)
    except OSError:  # the build reports it when it copies the file
        return b""


def _is_virtual_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def _tracked_files(root: Path) -> list[str]:
    """Return the files below *root* that git tracks although a ``.gitignore`` names them; none without git."""
    git = shutil.which("git")
    if git is None:
        return []
    command = [git, "-C", str(root), "ls-files", "-z", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    return [_with_escapes(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]
