"""The user's cache of compressed packages, installations and wheels."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.archive import ZipEntry, is_intact, read_zip, write_zip

if TYPE_CHECKING:
    from collections.abc import Iterable

# Entries that have not been used for a month are deleted.
MAX_AGE_SECONDS = 30 * 24 * 60 * 60
# How many files a thread reads in turn; one after another, handing them over would take longer than reading.
_BATCH_SIZE = 100


def cache_folder() -> Path:
    """Return the bridge's folder among the user's caches: https://specifications.freedesktop.org/basedir-spec/."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "serverless-bridge"


def file_digests(files: Iterable[Path]) -> list[str]:
    """Return a digest of the content of each file.

    In one process a file is read once, as long as its size and its times are the same.
    """
    paths = list(files)
    batches = [paths[start : start + _BATCH_SIZE] for start in range(0, len(paths), _BATCH_SIZE)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return [digest for batch in threads.map(lambda each: list(map(_digest, each)), batches) for digest in batch]


def _digest(file: Path) -> str:
    status = file.stat()
    return _digest_of(str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@functools.cache
def _digest_of(file: str, _size: int, _modified: int, _changed: int) -> str:
    with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - called for each file
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_package(key: str) -> list[ZipEntry] | None:
    """Return the entries stored under *key*; None if there are none, or the file is damaged."""
    file = _package_file(key)
    try:
        if not is_intact(file):
            return None
        entries = read_zip(file)
        os.utime(file)
    except (OSError, BadZipFile):
        return None
    return entries


def store_package(key: str, entries: list[ZipEntry]) -> None:
    """Store *entries* under *key*, and delete old packages.

    A cache that cannot be written is ignored, and a package with more files than a zip file can hold is not stored.
    """
    file = _package_file(key)
    with contextlib.suppress(OSError, PackagingError):
        write_zip(file, entries, with_digest=True)
    delete_old(file.parent)


def delete_old(folder: Path) -> None:
    """Delete the files and folders in *folder* whose time of modification is older than ``MAX_AGE_SECONDS``."""
    oldest = time.time() - MAX_AGE_SECONDS
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _package_file(key: str) -> Path:
    return cache_folder() / "packages" / f"{key}.zip"
