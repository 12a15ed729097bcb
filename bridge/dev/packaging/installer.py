"""Installs requirements for a target into a folder, with uv or else with pip."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.installer_commands import installed_versions, run_command, subject, uv_error, write_lines
from bridge.dev.packaging.local_projects import (
    build_command,
    build_local_project,
    setuptools_variables,
    version_files_kept,
)
from bridge.dev.packaging.pylock import Pylock, read_pylock, sha256, supports_python
from bridge.dev.packaging.requirements_txt import local_folder, with_location
from bridge.dev.packaging.uv_installer import UvInstaller
from bridge.dev.packaging.uv_workspace import member_folders, outdated_in_uv_lock, with_path_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.dev.packaging.project_requirements import Requirements
    from bridge.dev.packaging.requirements_txt import LinesByIndex
    from bridge.dev.packaging.target import Target


def find_uv() -> str | None:
    """Return the path of the program uv: that of the package ``uv``, or one on the PATH; None without one."""
    if importlib.util.find_spec("uv") is not None:
        import uv  # type: ignore[import-not-found, unused-ignore]

        try:
            return str(uv.find_uv_bin())
        except FileNotFoundError:
            pass
    return shutil.which("uv")


def find_pip() -> list[str] | None:
    """Return the command for pip: that of the running Python, or one on the PATH; None without one."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    program = shutil.which("pip3") or shutil.which("pip")
    return [program] if program else None


def installer_identity() -> str:
    """Return a text that differs between installers and their versions, which may install different files."""
    program = find_uv() or " ".join(find_pip() or [])
    file = Path(program)
    return f"{program} {file.stat().st_mtime if file.is_file() else 0}"


def prepare_requirements(requirements: Requirements, temporary: Path) -> Requirements:
    """Return requirements with the packages of a uv.lock, which uv exports; other requirements unchanged.

    Raises:
        PackagingError: the lock cannot be read.
    """
    if requirements.uv_project is None or requirements.pylock is not None:
        return requirements
    lock = _export_uv_lock(find_uv(), requirements, temporary)
    return replace(requirements, pylock=lock, selection=type(requirements.selection)())


def install_requirements(
    requirements: Requirements,
    target: Target,
    folder: Path,
    temporary: Path,
    *,
    wheels: Sequence[str] = (),
    pip_args: Sequence[str] = (),
    build: Sequence[str] = (),
) -> None:
    """Install requirements for a target.

    Args:
        requirements: the packages.
        target: the environment that they are for.
        folder: the folder to install into; created if needed.
        temporary: an existing folder for temporary files.
        wheels: paths of wheels to install as well, after the requirements and with the versions that those have.
        pip_args: the user's options for ``pip install``.
        build: names of packages that are built from their sources if they have no wheel for the target.

    Raises:
        PackagingError: a package does not exist, or not for the target; or neither uv nor pip is installed.
    """
    folder.mkdir(exist_ok=True)
    requirements = prepare_requirements(requirements, temporary)
    if not supports_python(requirements.requires_python, target.python):
        raise PackagingError(
            f"{subject(requirements)} are for Python {requirements.requires_python}, and the target is {target}. "
            "Change the target with --python."
        )
    if (uv := find_uv()) is not None:
        UvInstaller(uv, requirements, target, folder, temporary, pip_args, build).install(wheels)
    elif (pip := find_pip()) is not None:
        _install_with_pip(pip, requirements, target, folder, temporary, wheels, pip_args)
    elif requirements.all_lines or wheels:
        raise PackagingError(
            "The requirements cannot be installed, because there is neither uv nor pip. Install uv: "
            "https://docs.astral.sh/uv/getting-started/installation/"
        )


def _install_with_pip(
    pip: list[str],
    requirements: Requirements,
    target: Target,
    folder: Path,
    temporary: Path,
    wheels: Sequence[str],
    pip_args: Sequence[str],
) -> None:
    if requirements.pylock is not None or requirements.pyproject is not None:
        raise PackagingError(
            f"{requirements.origin} can be read only with uv, which is not installed. Install it with `pip install "
            "uv`, or name a requirements file with --requirements."
        )
    tag = f"cp{target.python.replace('.', '')}"
    command = [
        *pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", str(folder),
        # Settings in pip.conf that contradict --target.
        "--no-user", "--prefix", "",
        "--python-version", target.python, "--implementation", "cp", "--abi", tag, "--abi", "abi3", "--abi", "none",
        *(arg for platform in target.wheel_platforms for arg in ("--platform", platform)), "--only-binary", ":all:",
    ]  # fmt: skip

    def run(args: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        done = run_command([*command, *args], requirements.folder, variables)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
            details = "\n".join(f"  {line.removeprefix('ERROR: ')}" for line in lines)
            raise PackagingError(
                f"{subject(requirements)} cannot be installed for {target}:\n{details}\n"
                "uv reports more details, and builds packages that have no wheel. To use it: pip install uv"
            )

    parts: LinesByIndex = {None: requirements.lines} if requirements.lines else {}
    for number, (index, lines) in enumerate((parts | requirements.by_index).items()):
        file = write_lines(temporary / f"requirements-{number}.txt", _with_wheels(lines, temporary))
        args = ["--upgrade", "-r", file]
        if requirements.constraints:
            args += ["-c", write_lines(temporary / "constraints.txt", requirements.constraints)]
        urls = dict.fromkeys([*requirements.extra_indexes, *requirements.package_indexes.values()])
        args += [arg for url in urls for arg in ("--extra-index-url", url)]
        index = index or requirements.default_index
        args += ["--index-url", index] if index is not None else []
        run([*args, *(["--no-deps"] if requirements.is_complete else []), *pip_args])
    if wheels:
        constraints = write_lines(temporary / "installed.txt", installed_versions(folder))
        args = [arg for arg in pip_args if arg not in ("--require-hashes", "--no-deps")]
        run([*wheels, "-c", constraints, *args], {"PIP_REQUIRE_HASHES": "0", "PIP_NO_DEPS": "0"})


def _with_wheels(lines: Sequence[str], temporary: Path) -> list[str]:
    """Return requirements with a wheel in place of each local project."""
    replaced = []
    for line in lines:
        if (folder := local_folder(line)) is not None:
            wheel = build_local_project(folder, temporary, build_command(None, find_pip()), run_command)
            # With the digest, for users who require hashes.
            line = with_location(line, wheel.name.partition("-")[0], f"{wheel.as_uri()}#sha256={sha256(wheel)}")
        replaced.append(line)
    return replaced


def _export_uv_lock(uv: str | None, requirements: Requirements, temporary: Path) -> Pylock:
    """Return the packages that a project needs from the uv.lock of its workspace."""
    assert requirements.uv_project is not None
    assert requirements.uv_root is not None
    if uv is None:
        raise PackagingError(
            "uv.lock can be read only with uv, which is not installed. Install it with `pip install uv`, or name a "
            "requirements file with --requirements."
        )
    file = temporary / "uv" / "pylock.toml"
    file.parent.mkdir(exist_ok=True)
    selection = requirements.selection
    options = ["--no-default-groups", "--no-emit-project", "--no-editable", "--no-header"]
    options += [arg for group in selection.groups for arg in ("--group", group)]
    options += [arg for extra in selection.extras for arg in ("--extra", extra)]
    command = [uv, "export", "--quiet", "--format", "pylock.toml", *options, "--output-file", str(file)]
    command += ["--project", str(requirements.uv_project)]
    lock = requirements.uv_root / "uv.lock"
    # uv builds the metadata of projects that have dynamic metadata.
    variables = setuptools_variables(file.parent)
    # The interpreter is named, because a search for one takes ten times as long.
    members = member_folders(requirements.uv_root)
    with version_files_kept(with_path_sources([requirements.uv_project, requirements.uv_root, *members])):
        done = run_command([*command, "--locked", "--python", sys.executable], requirements.uv_project, variables)
    if "needs to be updated" in done.stderr:
        raise PackagingError(f"{lock} is older than pyproject.toml. Update it with `uv lock`.")
    if done.returncode:
        # The check needs what the lock does not: an interpreter that the project allows, sometimes the network.
        done = run_command([*command, "--frozen"], requirements.uv_project, variables)
        if not done.returncode and (outdated := outdated_in_uv_lock(requirements.uv_project, lock)):
            raise PackagingError(
                f"{lock} is older than pyproject.toml: it was not made with {outdated[0]}. Update it with `uv lock`."
            )
    if done.returncode:
        hint = "Correct --group or --extra." if selection else "Create the file again with `uv lock`."
        raise PackagingError(f"uv cannot read {lock}:\n{uv_error(done.stderr)}\n{hint}")
    return read_pylock(file)
