"""What was packed before, kept by what went into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from zipfile import BadZipFile

from bridge.dev.packaging.archive import Entry, read_zip, write_zip

KEPT_SECONDS = 30 * 24 * 60 * 60


def folder() -> Path:
    """The bridge's folder among the user's caches: https://specifications.freedesktop.org/basedir-spec/."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "serverless-bridge"


def load(key: str) -> list[Entry] | None:
    """What is kept under *key*; None if there is nothing, or it is broken."""
    file = _file(key)
    try:
        entries = read_zip(file)
        os.utime(file)
    except (OSError, BadZipFile):
        return None
    return entries


def store(key: str, entries: list[Entry]) -> None:
    """Keep *entries*, and drop what is old. A cache that cannot be written is none."""
    with contextlib.suppress(OSError):
        write_zip(_file(key), entries)
    drop_old(_file(key).parent)


def drop_old(home: Path) -> None:
    """Drop what is in *home* and nobody has asked for in a month."""
    oldest = time.time() - KEPT_SECONDS
    with contextlib.suppress(OSError):
        for place in home.iterdir():
            if place.stat().st_mtime < oldest:
                shutil.rmtree(place) if place.is_dir() else place.unlink()


def _file(key: str) -> Path:
    return folder() / "parts" / f"{key}.zip"
