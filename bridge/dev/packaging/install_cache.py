"""Reuses earlier installations of the same requirements, because resolving them takes longer than all other steps."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging.cache import MAX_AGE_SECONDS, cache_folder, delete_old, file_digests
from bridge.dev.packaging.installer import install_requirements, installer_identity
from bridge.dev.packaging.pip_config import uv_index_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.dev.packaging.project_requirements import Requirements
    from bridge.dev.packaging.target import Target

# Part of every key; increase it when the same requirements have to be installed differently.
_FORMAT_VERSION = "3"
# PyPI allows clients to cache its index for ten minutes, so requirements without exact files are that old at most.
_UNPINNED_MAX_AGE_SECONDS = 600
# The option of pip, and of uv, for an installation without files of its cache.
_WITHOUT_CACHE = "--no-cache-dir"
# Requirements of a certain file or commit.
_FIXED = re.compile(r"--hash=|@[0-9a-f]{40}(#|\s|$)")
# Requirements whose content may change without a change of the line: included URLs, archives, branches.
_CHANGEABLE = re.compile(
    r"^-(r|c|-requirement|-constraint)\b|git\+(?!.*@[0-9a-f]{40}(#|\s|$))|(hg|svn|bzr)\+|"
    r"://\S+\.(whl|t|zip)(?!.*--hash=)",
    re.IGNORECASE,
)


@contextlib.contextmanager
def installed_requirements(
    requirements: Requirements,
    target: Target,
    temporary: Path,
    *,
    wheels: Sequence[Path] = (),
    pip_args: Sequence[str] = (),
    build: Sequence[str] = (),
) -> Iterator[Path]:
    """Yield a folder in which the requirements are installed, which must not be modified.

    Args:
        requirements: the packages.
        target: the environment that they are for.
        temporary: an existing folder for temporary files.
        wheels: wheels to install as well, with a digest of their content in their paths.
        pip_args: the user's options for ``pip install``.
        build: names of packages that are built from their sources if they have no wheel for the target.

    Raises:
        PackagingError: as :func:`bridge.dev.packaging.installer.install_requirements` does.
    """
    wheel_paths = [str(wheel) for wheel in wheels]

    def install(folder: Path, *more_args: str) -> None:
        install_requirements(
            requirements, target, folder, temporary, wheels=wheel_paths, pip_args=[*pip_args, *more_args], build=build
        )

    max_age = _max_age(requirements)
    cache = cache_folder() / "installed"
    if not max_age or not _is_writable(cache):
        folder = Path(tempfile.mkdtemp(prefix="installed-", dir=temporary))
        install(folder)
        if not matches_records(folder):
            shutil.rmtree(folder)
            install(folder, _WITHOUT_CACHE)
        yield folder
        return
    folder = cache / _key(requirements, target, [*wheel_paths, *pip_args, *build])
    with _lock(folder.with_suffix(".lock")):
        manifest = folder.with_suffix(".json")
        if not _is_younger(folder, max_age) or not _is_intact(folder, manifest):
            for more_args in ([], [_WITHOUT_CACHE]):
                partial = Path(tempfile.mkdtemp(prefix=".", dir=cache))
                try:
                    install(partial, *more_args)
                    manifest.unlink(missing_ok=True)
                    shutil.rmtree(folder, ignore_errors=True)
                    partial.rename(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
                if matches_records(folder):
                    break
            manifest.write_text(json.dumps(_digests(folder)), encoding="utf-8")
            os.utime(folder)
            delete_old(cache)
        yield folder


def matches_records(folder: Path) -> bool:
    """Return whether the files of an installation have the digests in the wheels that they are from.

    uv and pip do not compare them, and link or copy files from caches, in which a file may be damaged.
    https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    expected: dict[Path, set[str]] = {}
    for record in folder.glob("*.dist-info/RECORD"):
        for row in csv.reader(record.read_text(encoding="utf-8", errors="replace").splitlines()):
            path, digest = (*row, "", "")[:2]
            algorithm, _, text = digest.partition("=")
            if algorithm == "sha256" and not path.startswith(("../", "bin/")):
                # Several packages may have a file of the same name, such as tests/__init__.py; the last one stays.
                with contextlib.suppress(ValueError):
                    hexadecimal = base64.urlsafe_b64decode(f"{text}==").hex()
                    expected.setdefault(folder / path, set()).add(hexadecimal)
    if not all(file.is_file() for file in expected):
        return False
    found = zip(file_digests(expected), expected.values(), strict=True)
    return all(digest in digests for digest, digests in found)


def _max_age(requirements: Requirements) -> float:
    """Return for how many seconds an installation may be reused."""
    if requirements.is_local:
        return 0
    if requirements.pylock is not None:
        return MAX_AGE_SECONDS
    lines = [line for line in [*requirements.all_lines, *requirements.constraints] if not line.startswith("--")]
    lines = [line for line in lines if not requirements.replaced_wheel or requirements.replaced_wheel not in line]
    if any(_CHANGEABLE.search(line) for line in lines):
        return 0
    return MAX_AGE_SECONDS if lines and all(_FIXED.search(line) for line in lines) else _UNPINNED_MAX_AGE_SECONDS


def _key(requirements: Requirements, target: Target, args: Sequence[str]) -> str:
    """Return a digest of everything that decides what is installed."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_"))}
    settings_files = [requirements.folder / "uv.toml", requirements.folder / "pyproject.toml"]
    settings = [file.read_text(errors="replace") for file in settings_files if file.is_file()]
    # Passwords in the URLs of indexes, such as the tokens of CodeArtifact, change more often than what is installed.
    settings += [re.sub(r"//[^/@]*@", "//", option) for option in uv_index_options(requirements.folder)]
    parts = [_FORMAT_VERSION, str(target), requirements.texts(), list(args), variables, settings, installer_identity()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _is_younger(folder: Path, seconds: float) -> bool:
    try:
        return time.time() - folder.stat().st_mtime < seconds
    except OSError:
        return False


def _is_intact(folder: Path, manifest: Path) -> bool:
    """Return whether an installation has all its files, with the content that they had after the installation."""
    try:
        return bool(json.loads(manifest.read_text(encoding="utf-8")) == _digests(folder))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file below *folder* by its path."""
    paths = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    start = len(str(folder)) + 1
    return {str(path)[start:]: digest for path, digest in zip(paths, file_digests(paths), strict=True)}


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that no other process replaces the installation; a no-op on Windows."""
    with file.open("w") as stream:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
