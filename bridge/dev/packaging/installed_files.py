"""Chooses which files of the installed requirements go into the artifact, and which package each belongs to."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.gitignore import is_excluded, parse_patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.dev.packaging.target import Target

# Records of the installer in dist-info, which differ between machines.
_INSTALLER_RECORDS = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
# The developer's half of the bridge, which the function's half never imports.
_NOT_DEPLOYED = parse_patterns(["/bridge/dev/"])
# boto3, which Lambda's runtimes contain, and its dependencies:
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-dependencies
_IN_LAMBDA_RUNTIME = {"boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "urllib3", "six"}
# Licences, METADATA and entry points stay: the first must be distributed, importlib.metadata reads the others.
_SLIM = parse_patterns([
    "tests/", "*.pyi", "py.typed", "*.c", "*.h", "*.pyx", "*.pxd", "*.cpp",
    "/*.dist-info/RECORD", "/*.dist-info/WHEEL", "/*.dist-info/sboms/",
])  # fmt: skip


@dataclass
class InstalledFiles:
    """The files of the requirements that go into the artifact.

    Attributes:
        files: the location of each file by its path in the artifact.
        packages: the normalized name of the package of each path.
        in_lambda_runtime: the packages that are left out because Lambda's runtime contains them.
    """

    files: dict[str, Path] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    in_lambda_runtime: list[str] = field(default_factory=list)

    @property
    def modules(self) -> dict[str, str]:
        """The package of each top-level module."""
        modules: dict[str, str] = {}
        for path, package in self.packages.items():
            top = path.partition("/")[0]
            if not top.endswith((".dist-info", ".data", ".libs", ".pth")) and path.endswith((".py", ".so")):
                modules.setdefault(top.partition(".")[0], package)
        return modules


def collect_installed_files(
    root: Path, target: Target, temporary: Path, patterns: Sequence[str] = (), *, slim: bool = False
) -> InstalledFiles:
    """Return the files of an installation that go into the artifact.

    Args:
        root: the folder of the installation.
        target: the environment that it is for.
        temporary: a folder for changed copies of files.
        patterns: the user's patterns as for :func:`bridge.dev.packaging.project_files.choose_files`.
        slim: whether to leave out packages of Lambda's runtime, tests, type stubs and sources of native modules.

    Raises:
        PackagingError: a package is for another target.
    """
    owners = _packages_by_path(root, target)
    dropped = _IN_LAMBDA_RUNTIME.intersection(owners.values()) if slim else set()
    exclusions = [*_NOT_DEPLOYED, *(_SLIM if slim else []), *parse_patterns(patterns)]
    collected = InstalledFiles(in_lambda_runtime=sorted(dropped))
    for folder, folders, names in os.walk(root):
        relative = Path(folder).relative_to(root).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        folders[:] = sorted(
            name
            for name in folders
            if name != "__pycache__" and not is_excluded(prefix + name, exclusions, is_folder=True)
        )
        for name in sorted(names):
            path, file = prefix + name, Path(folder, name)
            package = owners.get(path) or owners.get(path.partition("/")[0]) or "?"
            if package not in dropped and not is_excluded(path, exclusions) and not _is_machine_specific(path, file):
                collected.files[path] = file
                collected.packages[path] = package
    collected.files = dict(sorted(collected.files.items()))
    _rewrite_dist_info(collected, temporary / "dist-info", slim=slim)
    return collected


def _is_machine_specific(path: str, file: Path) -> bool:
    """Return whether a file is of no use in the function: bytecode, a console script, or an installer's record."""
    if path.endswith((".pyc", ".pyo")) or path == ".lock":
        return True
    if path.startswith("bin/"):
        with file.open("rb") as stream:
            start = stream.read(300)
        return start.startswith(b"#!") and b"python" in start
    return file.parent.name.endswith(".dist-info") and file.name in _INSTALLER_RECORDS


def _packages_by_path(root: Path, target: Target) -> dict[str, str]:
    """Return the package of each installed path, and of each dist-info folder."""
    packages: dict[str, str] = {}
    foreign = []
    for info in sorted(root.glob("*.dist-info")):
        package = re.sub(r"[-_.]+", "-", info.name.removesuffix(".dist-info").rpartition("-")[0]).lower()
        packages[info.name] = package
        for row in _record_rows(info / "RECORD"):
            packages.setdefault(os.path.normpath(row[0]), package)
        tags = re.findall(r"^Tag: *(\S+)", _read_text(info / "WHEEL"), re.MULTILINE)
        if tags and not any(_runs_on(tag, target) for tag in tags):
            foreign.append(f"  {package}: built for {', '.join(tags)}")
        if json.loads(_read_text(info / "direct_url.json") or "{}").get("dir_info", {}).get("editable"):
            raise PackagingError(
                f"{package} was installed as a link to a folder of this machine (editable), because this version of uv "
                "ignores UV_NO_EDITABLE. Update uv: pip install --upgrade uv"
            )
    if foreign:
        raise PackagingError(
            f"A requirement has no wheel for {target}, and its sources build one for this machine only:\n"
            + "\n".join(foreign)
            + "\nRequire a version that has a wheel for this target, or change the target with --python, --arch or "
            "--platform."
        )
    return packages


def _runs_on(tag: str, target: Target) -> bool:
    """Return whether a wheel with the compatibility tag *tag* runs on the target.

    The C library is not compared: a wheel that was built here has the tag ``linux_x86_64``.
    """
    python, _, rest = tag.partition("-")
    abi, _, platforms = rest.partition("-")
    if platforms == "any":
        return True
    fits_python = abi in ("abi3", "none") or python == f"cp{target.python.replace('.', '')}"
    return fits_python and any(platform.endswith(f"_{target.machine}") for platform in platforms.split("."))


def _rewrite_dist_info(collected: InstalledFiles, folder: Path, *, slim: bool) -> None:
    """Replace each RECORD by one that lists the collected files only, and with *slim* drop READMEs from METADATA.

    An installer's RECORD lists files that differ between machines.
    """
    for path, file in list(collected.files.items()):
        if path.endswith(".dist-info/RECORD"):
            rows = sorted(row for row in _record_rows(file) if os.path.normpath(row[0]) in collected.files)
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            collected.files[path] = write_text(folder / path, text.getvalue())
        elif slim and path.endswith(".dist-info/METADATA"):
            headers, _, _ = _read_text(file).partition("\n\n")
            collected.files[path] = write_text(folder / path, f"{headers}\n")


def _record_rows(file: Path) -> Iterator[list[str]]:
    return (row for row in csv.reader(io.StringIO(_read_text(file))) if row)


def _read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""


def write_text(file: Path, text: str) -> Path:
    """Write a file that everybody may read, and the folders above it, and return its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    file.chmod(0o644)
    return file
