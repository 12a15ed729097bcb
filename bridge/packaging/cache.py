"""What was packed before, kept by what went into it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from zipfile import BadZipFile

from bridge.packaging.archive import Entry, read_zip, write_zip

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
    """Keep *entries*, and drop what nobody has asked for in a month. A cache that cannot be written is none."""
    with contextlib.suppress(OSError):
        write_zip(_file(key), entries)
        oldest = time.time() - KEPT_SECONDS
        for file in _file(key).parent.iterdir():
            if file.stat().st_mtime < oldest:
                file.unlink()


def _file(key: str) -> Path:
    return folder() / "parts" / f"{key}.zip"
