"""The user's cache of compressed packages, installations and wheels."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from zipfile import BadZipFile

from bridge.dev.packaging.archive import ZipEntry, read_zip, write_zip

# Entries that have not been used for a month are deleted.
MAX_AGE_SECONDS = 30 * 24 * 60 * 60


def cache_folder() -> Path:
    """Return the bridge's folder among the user's caches: https://specifications.freedesktop.org/basedir-spec/."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "serverless-bridge"


def load_package(key: str) -> list[ZipEntry] | None:
    """Return the entries stored under *key*; None if there are none or they cannot be read."""
    file = _package_file(key)
    try:
        entries = read_zip(file)
        os.utime(file)
    except (OSError, BadZipFile):
        return None
    return entries


def store_package(key: str, entries: list[ZipEntry]) -> None:
    """Store *entries* under *key*, and delete old packages. A cache that cannot be written is ignored."""
    file = _package_file(key)
    with contextlib.suppress(OSError):
        write_zip(file, entries)
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
