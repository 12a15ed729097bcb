"""A Python of the target's version on this machine: only such a one makes the bytecode that the target can use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.installer import find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASK = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.version_info.releaselevel)"


def find(version: str, *, fetch: bool = False) -> str | None:
    """The path of a CPython of *version*, ``3.12``; None if there is none.

    Args:
        version: major and minor.
        fetch: whether uv may download one.

    Raises:
        PackagingError: uv cannot download it.
    """
    if sys.version_info[:2] == tuple(map(int, version.split("."))) and sys.implementation.name == "cpython":
        return sys.executable
    for path in _candidates(version):
        if _is_right(path, version):
            return path
    return _fetched(version) if fetch else None


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    if on_path := shutil.which(name):
        yield on_path
    # pyenv's own programs on the PATH run only what `pyenv global` names.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}*/bin/{name}"), reverse=True))
    if (uv := find_uv()) is not None:
        words = ["python", "find", "--python-preference", "only-managed", "--no-python-downloads", "--no-project"]
        done = subprocess.run([uv, *words, version], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode == 0:
            yield done.stdout.strip()


def _is_right(path: str, version: str) -> bool:
    try:
        done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    # The bytecode of a version changes until its release.
    return done.returncode == 0 and done.stdout.split() == ["cpython", version, "final"]


def _fetched(version: str) -> str:
    uv = find_uv()
    if uv is None:
        raise PackagingError("--fetch-python takes uv: pip install uv")
    done = subprocess.run([uv, "python", "install", "--no-bin", version], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        words = ["python", "find", "--python-preference", "only-managed", "--no-project"]
        found = subprocess.run([uv, *words, version], capture_output=True, text=True, check=False)  # noqa: S603
        if found.returncode == 0 and _is_right(found.stdout.strip(), version):
            return found.stdout.strip()
        done = found
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    raise PackagingError(f"Python {version} cannot be fetched: " + "\n".join(lines[-4:] or ["uv does not say why."]))
