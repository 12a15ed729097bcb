"""Installs requirements for a target into a folder, with uv or else with pip."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.local_projects import copy_local_projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.dev.packaging.requirements import Requirements
    from bridge.dev.packaging.target import Target

# uv's messages about a package that has no wheel, or none for the target.
_NO_WHEEL = re.compile(r"no usable wheels|no wheels with a matching|[Bb]uilding .*source.* is disabled")
_UV_PROGRESS = re.compile(
    r"(Using|Resolved|Prepared|Installed|Building|Built|Downloading|Downloaded|Updated|warning:|\+ )"
)

# Options of `pip install` that uv does not have: https://pip.pypa.io/en/stable/cli/pip_install/. uv acts as they say in
# any case, or they are about pip's output, or they describe the target, which the bridge's own options set.
_PIP_ONLY = {
    "-I", "--ignore-installed", "--no-user", "--use-pep517", "--prefer-binary", "--no-input", "--no-clean", "--debug",
    "--require-virtualenv", "--no-warn-script-location", "--no-warn-conflicts", "--no-python-version-warning",
    "--check-build-dependencies",
}  # fmt: skip
_PIP_ONLY_WITH_VALUE = {
    "--platform", "--python-version", "--implementation", "--abi", "--upgrade-strategy", "--src", "--progress-bar",
    "--root-user-action", "--exists-action", "--use-feature", "--use-deprecated", "--resume-retries", "--log",
}  # fmt: skip
_UV_NAMES = {"--no-dependencies": "--no-deps"}
# https://docs.astral.sh/uv/reference/environment/
_UV_VARIABLES = {
    "--timeout": ("UV_HTTP_TIMEOUT",),
    "--default-timeout": ("UV_HTTP_TIMEOUT",),
    "--retries": ("UV_HTTP_RETRIES",),
    "--proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "--client-cert": ("SSL_CLIENT_CERT",),
}


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


def install_requirements(
    requirements: Requirements,
    target: Target,
    folder: Path,
    temporary: Path,
    *,
    wheels: Sequence[str] = (),
    pip_args: Sequence[str] = (),
) -> None:
    """Install requirements for a target.

    Args:
        requirements: the packages.
        target: the environment that they are for.
        folder: the folder to install into; created if needed.
        temporary: an existing folder for temporary files.
        wheels: paths of wheels to install as well.
        pip_args: the user's options for ``pip install``.

    Raises:
        PackagingError: a package does not exist, or not for the target; or neither uv nor pip is installed.
    """
    folder.mkdir(exist_ok=True)
    uv = find_uv()
    lines = requirements.lines if requirements.uv_project is None else _export_uv_lock(uv, requirements.uv_project)
    copies = temporary / "local-projects"
    lines = copy_local_projects(lines, requirements.folder, copies) or lines
    files = []
    for index, file in enumerate(requirements.files):
        text = file.read_text(encoding="utf-8", errors="replace")
        copied = copy_local_projects(text.splitlines(), file.parent, copies)
        files.append(str(file) if copied is None else _write_lines(temporary / f"{index}-{file.name}", copied))
    if lines:
        files.append(_write_lines(temporary / "requirements.txt", lines))
    args = [arg for file in files for arg in ("-r", file)]
    if requirements.constraints:
        args += ["-c", _write_lines(temporary / "constraints.txt", requirements.constraints)]
    if not files and not wheels:
        return
    if uv is not None:
        uv_args, variables = uv_options(pip_args)
        _install_with_uv(uv, requirements, target, folder, [*args, *wheels, *uv_args], variables)
    elif (pip := find_pip()) is not None:
        _install_with_pip(pip, requirements, target, folder, args, wheels, pip_args)
    else:
        raise PackagingError(
            "The requirements cannot be installed, because there is neither uv nor pip. Install uv: "
            "https://docs.astral.sh/uv/getting-started/installation/"
        )


def uv_options(pip_args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return options of ``pip install`` as options of ``uv pip install``, and environment variables for the rest.

    Options without a meaning for uv are left out, so that a project's options for pip need not be changed.
    """
    options: list[str] = []
    variables: dict[str, str] = {}
    rest = iter(pip_args)
    for arg in rest:
        name, equals, value = arg.partition("=")
        if name in _PIP_ONLY_WITH_VALUE or name in _UV_VARIABLES:
            value = value if equals else next(rest, "")
            variables |= dict.fromkeys(_UV_VARIABLES.get(name, ()), value)
        elif arg not in _PIP_ONLY:
            options.append(_UV_NAMES.get(arg, arg))
    return options, variables


def _install_with_uv(
    uv: str, requirements: Requirements, target: Target, folder: Path, args: list[str], variables: Mapping[str, str]
) -> None:
    command = [
        uv, "pip", "install", "--no-progress", "--target", str(folder), "--python", sys.executable,
        "--python-version", target.python, "--python-platform", target.uv_platform,
    ]  # fmt: skip
    done = _run([*command, "--only-binary", ":all:", *args], requirements.folder, variables)
    if done.returncode == 0:
        return
    if not _NO_WHEEL.search(done.stderr):
        raise PackagingError(f"{_subject(requirements)} cannot be installed:\n{_uv_error(done.stderr)}")
    # A package without a wheel may be pure Python; then a wheel that is built here is right for every target.
    built = _run([*command, *args], requirements.folder, variables)
    if built.returncode:
        cause = done if _NO_WHEEL.search(built.stderr) else built
        raise PackagingError(
            f"A requirement has no wheel for {target}, and building one from its sources failed:\n"
            f"{_uv_error(cause.stderr)}\n"
            "Require a version that has a wheel for this target, or change the target with --python, --arch or "
            "--platform."
        )


def _install_with_pip(
    pip: list[str],
    requirements: Requirements,
    target: Target,
    folder: Path,
    args: list[str],
    wheels: Sequence[str],
    pip_args: Sequence[str],
) -> None:
    tag = f"cp{target.python.replace('.', '')}"
    command = [
        *pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", str(folder),
        "--python-version", target.python, "--implementation", "cp", "--abi", tag, "--abi", "abi3", "--abi", "none",
        *(arg for platform in target.wheel_platforms for arg in ("--platform", platform)), "--only-binary", ":all:",
    ]  # fmt: skip
    # Wheels separately, because pip requires a hash for each of them if one requirement has a hash.
    for step in (wheels, ["--upgrade", *args] if args else []):
        if not step:
            continue
        done = _run([*command, *step, *pip_args], requirements.folder)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
            details = "\n".join(f"  {line.removeprefix('ERROR: ')}" for line in lines)
            raise PackagingError(
                f"{_subject(requirements)} cannot be installed for {target}:\n{details}\n"
                "uv reports more details, and builds packages that have no wheel. To use it: pip install uv"
            )


def _subject(requirements: Requirements) -> str:
    return f"The requirements in {requirements.origin}" if requirements.origin else "The requirements of the bridge"


def _export_uv_lock(uv: str | None, project: Path) -> list[str]:
    """Return the packages in a uv.lock as lines of a requirements file."""
    if uv is None:
        raise PackagingError(
            "uv.lock can be read only with uv, which is not installed. Install it with `pip install uv`, or name a "
            "requirements file with --requirements."
        )
    options = ["--frozen", "--no-default-groups", "--no-emit-project", "--no-editable", "--no-header", "--no-annotate"]
    done = _run([uv, "export", "--quiet", "--format", "requirements-txt", *options, "--project", str(project)], project)
    if done.returncode:
        raise PackagingError(
            f"uv cannot read {project / 'uv.lock'}:\n{_uv_error(done.stderr)}\nCreate the file again with `uv lock`."
        )
    return done.stdout.splitlines()


def _run(
    command: list[str], folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run an installer with the user's environment, but for settings that would break an artifact."""
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    # A cached installation must not link into uv's own cache, which the user may clean.
    if environment.get("UV_LINK_MODE") == "symlink":
        environment["UV_LINK_MODE"] = "copy"
    # An editable installation is a path on this machine.
    environment |= {"UV_NO_EDITABLE": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", **(variables or {})}
    return subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _write_lines(file: Path, lines: Sequence[str]) -> str:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def _uv_error(stderr: str) -> str:
    """Return uv's error message, indented, without the progress messages before it."""
    lines = [line for line in stderr.splitlines() if line.strip() and not _UV_PROGRESS.match(line.strip())]
    start = next((index for index, line in enumerate(lines) if line.startswith("error:")), 0)
    return "\n".join(f"  {line}" for line in lines[start:])
