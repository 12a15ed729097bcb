"""Builds wheels of local projects, such as ``-e ./lib`` in a requirements file or a member of a uv workspace.

A project is built in its folder, because its build may read files outside of the folder: a version from the
repository, other members of a workspace, targets of links. Setuptools alone writes beside the sources, and is
configured to write elsewhere: https://setuptools.pypa.io/en/latest/userguide/ext_modules.html documents the
configuration files that distutils reads, and ``DIST_EXTRA_CONFIG`` names another one. Files into which setuptools_scm
and hatch-vcs write the version are restored.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tomllib
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from subprocess import CompletedProcess

    Run = Callable[[list[str], Path, Mapping[str, str]], CompletedProcess[str]]

# Files that a build leaves beside the sources where setuptools is too old to read the configuration file.
_LEFT_BEHIND = ("build/lib*", "build/bdist.*", "build/temp.*", "build", "*.egg-info", "src/*.egg-info")


def build_local_project(folder: Path, temporary: Path, command: Sequence[str], run: Run) -> Path:
    """Build the wheel of a local project, each time anew, and return its path.

    Args:
        folder: the folder of the project.
        temporary: an existing folder for temporary files.
        command: the beginning of the command: ``uv build --wheel`` or ``pip wheel``, up to the option of the output.
        run: runs a command in a folder with environment variables.

    Raises:
        PackagingError: the project cannot be built.
    """
    base = temporary / "local-projects"
    base.mkdir(exist_ok=True)
    work = base / str(len(list(base.iterdir())))
    wheels = work / "wheels"
    wheels.mkdir(parents=True)
    before = _build_files(folder)
    # The tools that build a project have no hashes, whatever the user requires of packages from an index.
    variables = {**setuptools_variables(work, is_build=True), "UV_REQUIRE_HASHES": "", "PIP_REQUIRE_HASHES": "0"}
    with version_files_kept([folder]):
        done = run([*command, str(wheels), str(folder)], folder, variables)
    for path in _build_files(folder) - before:
        if path.name != "build":
            _delete(path)
    if folder / "build" not in before:
        with contextlib.suppress(OSError):
            (folder / "build").rmdir()
    files = sorted(wheels.glob("*.whl"))
    if done.returncode or not files:
        details = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines())
        raise PackagingError(f"The local project {folder} cannot be built:\n{details}")
    return files[0]


def setuptools_variables(folder: Path, *, is_build: bool = False) -> dict[str, str]:
    """Return environment variables with which setuptools writes into *folder*, and not beside the sources.

    Args:
        folder: an existing folder.
        is_build: whether one project is built. Only its metadata may be in a folder that projects share.
    """
    config = folder / "setuptools.cfg"
    build = f"[build]\nbuild_base = {folder / 'build'}\n" if is_build else ""
    config.write_text(f"{build}[egg_info]\negg_base = {folder}\n")
    return {"DIST_EXTRA_CONFIG": str(config)}


@contextlib.contextmanager
def version_files_kept(folders: Iterable[Path]) -> Iterator[None]:
    """Restore the version files of projects at the end of the ``with`` block."""
    before = {file: _content(file) for folder in folders for file in version_files(folder)}
    try:
        yield
    finally:
        for file, content in before.items():
            if content is None:
                file.unlink(missing_ok=True)
            elif content != _content(file):
                file.write_bytes(content[0])
                os.utime(file, ns=(content[1], content[1]))


def version_files(folder: Path) -> set[Path]:
    """Return the files into which setuptools_scm or hatch-vcs write the version of a project.

    https://setuptools-scm.readthedocs.io/en/latest/config/ and https://github.com/ofek/hatch-vcs#build-hook
    """
    try:
        tool: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8-sig")).get(
            "tool", {}
        )
    except (OSError, ValueError):
        tool = {}
    scm = tool.get("setuptools_scm", {})
    hatch = tool.get("hatch", {}).get("build", {}).get("hooks", {}).get("vcs", {})
    names = [scm.get("version_file"), scm.get("write_to"), hatch.get("version-file")]
    root = scm.get("root")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        setup = (folder / "setup.py").read_text(encoding="utf-8")
        if "use_scm_version" in setup:
            option = r"""\b%s["']?\s*[=:]\s*["']([^"']+)["']"""
            names += re.findall(option % "(?:write_to|version_file)", setup)
            root = next(iter(re.findall(option % "root", setup)), root)
    places = [folder, folder / str(root or ".")]
    return {(place / name).resolve() for name in names if isinstance(name, str) for place in places}


def _content(file: Path) -> tuple[bytes, int] | None:
    """Return the content of a file, and its time of modification; None if there is no file."""
    try:
        return file.read_bytes(), file.stat().st_mtime_ns
    except OSError:
        return None


def build_command(uv: str | None, pip: Sequence[str] | None) -> list[str]:
    """Return the beginning of the command that builds a wheel."""
    if uv is not None:
        return [uv, "build", "--wheel", "--no-progress", "--python", sys.executable, "--out-dir"]
    return [*(pip or []), "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir"]


def _build_files(folder: Path) -> set[Path]:
    return {path for pattern in _LEFT_BEHIND for path in folder.glob(pattern)}


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
