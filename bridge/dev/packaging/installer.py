"""Requirements installed for a target, by uv or else by pip, into a folder of their own."""

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
from bridge.dev.packaging.local_projects import with_copies
from bridge.dev.packaging.pip_options import for_uv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.dev.packaging.requirements import Requirements
    from bridge.dev.packaging.target import Target

# What uv says of a package that has only sources, or none of whose wheels fits.
_NO_WHEEL = re.compile(r"no usable wheels|no wheels with a matching|[Bb]uilding .*source.* is disabled")
# uv's lines for people who watch.
_CHATTER = re.compile(r"(Using|Resolved|Prepared|Installed|Building|Built|Downloading|Downloaded|Updated|warning:|\+ )")


def find_uv() -> str | None:
    """The program uv: the one of the installed package, or one on the PATH."""
    if importlib.util.find_spec("uv") is not None:
        import uv  # type: ignore[import-not-found, unused-ignore]

        try:
            return str(uv.find_uv_bin())
        except FileNotFoundError:
            pass
    return shutil.which("uv")


def find_pip() -> list[str] | None:
    """The command pip: of this Python, or one on the PATH."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    return [found] if found else None


def installer() -> str:
    """Which installer it is: another one, or another version of it, may choose other files."""
    program = find_uv() or " ".join(find_pip() or [])
    file = Path(program)
    return f"{program} {file.stat().st_mtime if file.is_file() else 0}"


def install(
    wanted: Requirements, target: Target, into: Path, temporary: Path, *, also: Sequence[str], more: Sequence[str] = ()
) -> None:
    """Install *wanted* for *target*.

    Args:
        wanted: the requirements.
        target: what they are for.
        into: the folder; made if it is not there.
        temporary: a folder for files that nobody needs afterwards.
        also: more requirements, the bridge itself.
        more: the user's own options for the installer.

    Raises:
        PackagingError: a requirement does not exist, or not for the target, or there is no installer.
    """
    into.mkdir(exist_ok=True)
    uv = find_uv()
    lines = list(wanted.lines)
    if wanted.project is not None:
        lines = _exported(uv, wanted.project)
    lines = with_copies(lines, wanted.folder, temporary / "folders") or lines
    files = [_with_copies_in(file, temporary, f"copied-{place}-{file.name}") for place, file in enumerate(wanted.files)]
    if lines:
        files.append(_written(temporary / "requirements.txt", lines))
    constraints = [_written(temporary / "constraints.txt", wanted.constraints)] if wanted.constraints else []
    told = [word for file in files for word in ("-r", file)] + [word for file in constraints for word in ("-c", file)]
    if not (told or also):  # uv calls that wrong
        return
    if uv is not None:
        own, variables = for_uv(more)
        _with_uv(uv, target, into, [*told, *also, *own], wanted, variables)
    elif (pip := find_pip()) is not None:
        _with_pip(pip, target, into, told, list(also), list(more), wanted)
    else:
        raise PackagingError("There is neither uv nor pip to install the requirements: pip install uv")


def _with_copies_in(file: Path, temporary: Path, name: str) -> str:
    """The requirements file, or one called *name* with copies of the folders that it names."""
    text = file.read_text(encoding="utf-8", errors="replace")
    lines = with_copies(text.splitlines(), file.parent, temporary / "folders")
    return str(file) if lines is None else _written(temporary / name, lines)


def _with_uv(
    uv: str, target: Target, into: Path, words: list[str], wanted: Requirements, variables: Mapping[str, str]
) -> None:
    place = ["--target", str(into), "--python", sys.executable]
    what = ["--python-version", target.python, "--python-platform", target.uv_platform]
    command = [uv, "pip", "install", "--no-progress", *place, *what]
    done = _run([*command, "--only-binary", ":all:", *words], wanted, variables)
    if done.returncode and _NO_WHEEL.search(done.stderr):
        # What has only sources may be plain Python all the same: then it is right for every target.
        again = _run([*command, *words], wanted, variables)
        if again.returncode == 0:
            return
        if not _NO_WHEEL.search(again.stderr):
            done = again
        raise PackagingError(
            f"A requirement has no wheel for {target}, and cannot be built for that here either:\n{_said(done.stderr)}"
        )
    if done.returncode:
        raise PackagingError(f"The requirements ({wanted.origin}) cannot be installed:\n{_said(done.stderr)}")


def _with_pip(
    pip: list[str], target: Target, into: Path, told: list[str], also: list[str], more: list[str], wanted: Requirements
) -> None:
    tag = f"cp{target.python.replace('.', '')}"
    command = [
        *pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", str(into),
        "--python-version", target.python, "--implementation", "cp", "--abi", tag, "--abi", "abi3", "--abi", "none",
        *(word for platform in target.wheel_platforms for word in ("--platform", platform)), "--only-binary", ":all:",
    ]  # fmt: skip
    # The bridge comes first and by itself: where the user's lines have hashes, pip wants one for every line.
    for words in ([*command, *also, *more], [*command, "--upgrade", *told, *more] if told else None):
        if words is None:
            continue
        done = _run(words, wanted)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
            raise PackagingError(
                f"The requirements ({wanted.origin}) cannot be installed for {target}:\n"
                + "\n".join(f"  {line.removeprefix('ERROR: ')}" for line in lines)
                + "\n  (uv says more, and takes packages that have only sources: pip install uv)"
            )


def _exported(uv: str | None, project: Path) -> list[str]:
    """The lines of a uv.lock."""
    if uv is None:
        raise PackagingError("To read uv.lock it takes uv: pip install uv")
    words = ["--frozen", "--no-default-groups", "--no-emit-project", "--no-editable", "--no-header", "--no-annotate"]
    done = subprocess.run(  # noqa: S603
        [uv, "export", "--quiet", "--format", "requirements-txt", *words, "--project", str(project)],
        cwd=project, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise PackagingError(f"uv.lock cannot be read:\n{_said(done.stderr)}")
    return done.stdout.splitlines()


def _run(
    command: list[str], wanted: Requirements, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, cwd=wanted.folder, env={**_environment(), **(variables or {})}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    """The user's settings of the installer count; an editable installation would be a path of this machine."""
    dropped = ("VIRTUAL_ENV", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    if kept.get("UV_LINK_MODE") == "symlink":  # what is kept would lead nowhere once uv's own cache is cleaned
        kept["UV_LINK_MODE"] = "copy"
    return {**kept, "UV_NO_EDITABLE": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}


def _written(file: Path, lines: Sequence[str]) -> str:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def _said(stderr: str) -> str:
    """What an installer says of an error, without what it said before."""
    lines = [line for line in stderr.splitlines() if line.strip() and not _CHATTER.match(line.strip())]
    start = next((place for place, line in enumerate(lines) if line.startswith("error:")), 0)
    return "\n".join(f"  {line}" for line in lines[start:])
