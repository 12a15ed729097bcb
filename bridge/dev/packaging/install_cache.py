"""Installations that are kept: asking an index again takes longer than all the rest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import cache
from bridge.dev.packaging.installer import install, installer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.dev.packaging.requirements import Requirements
    from bridge.dev.packaging.target import Target

_EDITION = "1"
# What names no exact files may be something else tomorrow. PyPI itself lets its answers be kept for ten minutes.
_FRESH_SECONDS = 600
# Lines whose meaning lies elsewhere: in other files, in folders of this machine, at the tip of a branch.
_ELSEWHERE = re.compile(
    r"^\s*(-r|-c|-e|--requirement|--constraint|--editable|\.|/|[a-z]:\\)|@|file:|git\+|://\S+\.(whl|t)", re.I
)


@contextlib.contextmanager
def installation(
    wanted: Requirements, target: Target, temporary: Path, *, also: Sequence[Path], more: Sequence[str]
) -> Iterator[Path]:
    """The folder in which *wanted* is installed for *target*; nobody may write to it.

    Args:
        wanted: the requirements.
        target: what they are for.
        temporary: a folder for what nobody needs afterwards.
        also: wheels that are installed, too, named by what is in them.
        more: the user's own options for the installer.

    Raises:
        PackagingError: a requirement does not exist, or not for the target, or there is no installer.
    """
    texts = wanted.texts()
    seconds = _seconds(wanted, texts)
    extra = [str(path) for path in also]
    home = cache.folder() / "installed"
    if seconds and _can_write(home):
        place = home / _key(texts, target, [*extra, *more], wanted.folder)
        with _locked(place.with_suffix(".lock")):
            if not _is_fresh(place, seconds):
                # Beside its place, so that it takes it in one step.
                new = Path(tempfile.mkdtemp(prefix=".", dir=home))
                try:
                    install(wanted, target, new, temporary, also=extra, more=more)
                    shutil.rmtree(place, ignore_errors=True)
                    new.rename(place)
                finally:
                    shutil.rmtree(new, ignore_errors=True)
                os.utime(place)
                cache.drop_old(home)
            yield place
    else:
        place = temporary / "installed"
        install(wanted, target, place, temporary, also=extra, more=more)
        yield place


def _seconds(wanted: Requirements, texts: Sequence[str]) -> float:
    """How long an installation is as good as a new one."""
    if wanted.project is not None:
        places = re.findall(r'(?:directory|editable) = "([^"]*)"', texts[0])
        return 0 if any(place != "." for place in places) else cache.KEPT_SECONDS
    lines = [line for text in texts for line in re.sub(r"\\\n", " ", text).splitlines()]
    lines = [line for line in lines if line.strip() and not line.strip().startswith(("#", "--"))]
    if any(_ELSEWHERE.search(line.partition(" #")[0]) for line in lines):
        return 0
    return cache.KEPT_SECONDS if lines and all("--hash=" in line for line in lines) else _FRESH_SECONDS


def _key(texts: Sequence[str], target: Target, words: Sequence[str], folder: Path) -> str:
    settings = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_"))}
    files = [
        file.read_text(errors="replace") for name in ("uv.toml", "pyproject.toml") if (file := folder / name).is_file()
    ]
    told = [_EDITION, str(target), list(texts), list(words), settings, files, installer()]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _is_fresh(place: Path, seconds: float) -> bool:
    try:
        return time.time() - place.stat().st_mtime < seconds
    except OSError:
        return False


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep others from replacing what is read; where there is no such lock, on Windows, nothing does."""
    with file.open("w") as lock:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
