"""Which of the project's own files go into the artifact."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.gitignore import Rule, rules, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What belongs to a developer's machine. Not the folder `build`, for some applications serve what a bundler put there.
TOOLS = """
    .git .hg .svn .gitignore .gitattributes .dockerignore .github/
    __pycache__/ *.pyc *.pyo .venv/ node_modules/ *.egg-info/
    .mypy_cache/ .pytest_cache/ .ruff_cache/ .hypothesis/ .tox/ .nox/ .coverage .coverage.* .cache/
    .serverless/ .requirements/ .aws-sam/ .terraform/ cdk.out/ .idea/ .vscode/ .DS_Store *.swp
"""
# What belongs to the project, and not to its function.
_PROJECT = "/tests/ /test/ /serverless.yml /serverless.yaml uv.lock poetry.lock Pipfile Pipfile.lock"

# What must not be found in an artifact, which others may read, because nobody thought of it.
SECRETS = """
    .env .env.* .envrc *.pem *.key *.p12 *.pfx *.jks *.keystore id_rsa id_dsa id_ecdsa id_ed25519
    .netrc .pypirc .npmrc .htpasswd .aws/ .ssh/ .gnupg/ *.tfstate *.tfstate.*
"""

_IGNORE_FILE = ".gitignore"


@dataclass
class Chosen:
    """The project's files.

    Attributes:
        files: where each lies, by its path in the artifact.
        secrets: files that are left out because they look like secrets.
        ignored: how many files and folders are left out because of a ``.gitignore``.
        broken: links that lead nowhere.
    """

    files: dict[str, Path] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    ignored: int = 0
    broken: list[str] = field(default_factory=list)


def choose(folder: Path, patterns: Sequence[str] = (), *, without: Sequence[Path] = ()) -> Chosen:
    """The files below *folder* that go into the artifact.

    Args:
        folder: the project.
        patterns: the user's own, in order: they come last, so they count. ``!`` before one takes files back in.
        without: files and folders that are left out whatever the patterns say: the artifact itself.

    Raises:
        PackagingError: a folder cannot be read.
    """
    walk = _Walk(folder.resolve(), rules(patterns), frozenset(path.resolve() for path in without))
    walk.read(walk.root, "", walk.above(), ())
    walk.chosen.files = dict(sorted(walk.chosen.files.items()))
    return walk.chosen


class _Walk:
    def __init__(self, root: Path, own: list[Rule], without: frozenset[Path]) -> None:
        self.root = root
        self.chosen = Chosen()
        self._own, self._without = own, without
        self._tools, self._secrets = rules([*TOOLS.split(), *_PROJECT.split()]), rules(SECRETS.split())

    def above(self) -> list[Rule]:
        """What the files of the repository say that the project is a folder of."""
        if (self.root / ".git").exists():
            return []
        found: list[Rule] = []
        inner: tuple[str, ...] = ()
        place = self.root
        while place.parent != place:
            inner = (place.name, *inner)
            place = place.parent
            found = [*_below(_lines(place / _IGNORE_FILE), inner), *found]
            if (place / ".git").exists():
                return found
        return []

    def read(
        self, folder: Path, name: str, ignored: list[Rule], parents: tuple[Path, ...], *, out: bool = False
    ) -> None:
        """Take in what is in *folder*.

        Args:
            folder: where it is.
            name: its path in the artifact.
            ignored: what the ``.gitignore`` files up to here say.
            parents: the folders that it is in, for links may lead back to one of them.
            out: whether it is left out, but for what the user's patterns name below it.
        """
        real = folder.resolve()
        if real in parents:
            return
        ignored = [*ignored, *rules(_lines(folder / _IGNORE_FILE), name)]
        for entry in _entries(folder):
            path = f"{name}/{entry.name}" if name else entry.name
            if Path(entry.path).resolve() in self._without or not is_text(path):
                continue
            is_folder = entry.is_dir()
            left_out = self._is_left_out(path, ignored, is_folder=is_folder, out=out)
            if is_folder:
                is_environment = not left_out and os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))  # noqa: PTH110, PTH118
                if is_environment and not verdict(path, self._own, is_folder=True):
                    left_out = True
                if not left_out or any(not each.excludes and each.leads_into(path) for each in self._own):
                    self.read(Path(entry.path), path, ignored, (*parents, real), out=left_out)
            elif not left_out:
                if entry.is_file():
                    self.chosen.files[path] = Path(entry.path)
                elif entry.is_symlink():
                    self.chosen.broken.append(path)

    def _is_left_out(self, path: str, ignored: list[Rule], *, is_folder: bool, out: bool) -> bool:
        if (own := verdict(path, self._own, is_folder=is_folder)) is not None:
            return own.excludes
        if out or verdict(path, self._tools, is_folder=is_folder):
            return True
        if verdict(path, self._secrets, is_folder=is_folder) and not is_certificate(self.root / path):
            self.chosen.secrets.append(path)
            return True
        found = verdict(path, ignored, is_folder=is_folder)
        if found is not None and found.excludes:
            self.chosen.ignored += 1
            return True
        return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise PackagingError(
            f"The folder {folder} cannot be read: {error.strerror}. --exclude leaves it out."
        ) from None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def is_text(path: str) -> bool:
    """Whether a name can be written into a zip: one that is no UTF-8 cannot."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_certificate(file: Path) -> bool:
    """Whether a file has certificates and no key, as those of a database's authority: everybody may have them."""
    if file.suffix != ".pem":
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE-----" in content and b"PRIVATE KEY-----" not in content


def _below(lines: list[str], inner: tuple[str, ...]) -> list[Rule]:
    """The rules of a file above the project, as seen from the project, which is its folder *inner*."""
    found = []
    for line in lines:
        pattern = line.strip().removeprefix("!")
        if "/" in pattern.rstrip("/"):
            # One that names a path counts here if that leads into the project.
            names, own = pattern.removeprefix("/").split("/"), len(inner)
            if tuple(names[:own]) != inner and names[0] != "**":
                continue
            rest = pattern if names[0] == "**" else "/" + "/".join(names[own:])
            line = ("!" if line.strip().startswith("!") else "") + rest
        found.append(line)
    return rules(found)
