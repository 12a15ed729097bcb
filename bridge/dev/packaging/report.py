"""The report of ``bridge package`` about an artifact: the size of each package, and warnings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.dev.limits import UNZIPPED_LIMIT, ZIPPED_LIMIT
from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.application_check import application_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from bridge.dev.packaging.archive import ZipEntry
    from bridge.dev.packaging.imported_modules import ImportTimes
    from bridge.dev.packaging.installed_files import InstalledFiles
    from bridge.dev.packaging.project_files import ProjectFiles

_MAX_ROWS = 15
_MAX_NAMES = 5


@dataclass(frozen=True)
class PackageSize:
    """The size of a package in an artifact.

    Attributes:
        name: the package.
        unzipped: the bytes of its files.
        zipped: the bytes of its compressed files.
    """

    name: str
    unzipped: int
    zipped: int


@dataclass
class Artifact:
    """An artifact that was built.

    Attributes:
        files: the zip file and, with ``--layer``, that of the layer; or the folder of an image.
        sizes: the size of each package.
        warnings: messages for the user.
        explanation: the lines of ``--explain``.
        import_times: the lines of ``--import-time``.
    """

    files: list[Path]
    sizes: list[PackageSize]
    warnings: list[str] = field(default_factory=list)
    explanation: list[str] = field(default_factory=list)
    import_times: list[str] = field(default_factory=list)


def package_sizes(packages: Mapping[str, Iterable[ZipEntry]]) -> list[PackageSize]:
    """Return the size of each package, the largest first."""
    sizes = []
    for name, entries in packages.items():
        pairs = [(entry.size, len(entry.data)) for entry in entries]
        sizes.append(PackageSize(name, sum(unzipped for unzipped, _ in pairs), sum(zipped for _, zipped in pairs)))
    return sorted(sizes, key=lambda size: (-size.zipped, size.name))


def size_table(sizes: list[PackageSize]) -> list[str]:
    """Return the lines of a table of sizes, with the smallest packages in one row and the total in the last."""
    rows, rest = sizes[:_MAX_ROWS], sizes[_MAX_ROWS:]
    if rest:
        rows.append(_total(f"{len(rest)} more", rest))
    rows.append(_total("total", sizes))
    width = max(len(row.name) for row in rows)
    header = f"{'':{width}}   unzipped     zipped"
    return [header, *(f"{r.name:{width}} {format_size(r.unzipped):>10} {format_size(r.zipped):>10}" for r in rows)]


def _total(name: str, sizes: list[PackageSize]) -> PackageSize:
    return PackageSize(name, sum(size.unzipped for size in sizes), sum(size.zipped for size in sizes))


def format_size(size: int) -> str:
    """Return a number of bytes in KiB or MiB."""
    if size < 1024 * 1024:
        return f"{size / 1024:.1f} KiB"
    return f"{size / 1024 / 1024:.1f} MiB"


def import_table(times: ImportTimes) -> list[str]:
    """Return the lines of a table of the packages whose imports take the longest."""
    packages = times.most_expensive()
    width = max((len(package.name) for package in packages), default=0)
    header = f"{'':{width}}      itself    share   with all that it imports"
    return [
        header,
        *(
            f"{each.name:{width}} {each.own / 1000:>8.1f} ms {times.share(each.own):>6.1f} % "
            f"{each.total / 1000:>10.1f} ms"
            for each in packages
        ),
    ]


def size_warnings(files: list[Path], sizes: list[PackageSize]) -> list[str]:
    """Return a warning for each of Lambda's limits that the zip files of an artifact exceed."""
    warnings = []
    for file in files:
        zipped = file.stat().st_size
        if zipped > ZIPPED_LIMIT:
            warnings.append(
                f"{file.name} has {format_size(zipped)}: Lambda takes up to {format_size(ZIPPED_LIMIT)} in an upload. "
                "Deploy it through S3, or leave files out with --slim and --exclude."
            )
    unzipped = _total("", sizes).unzipped
    if unzipped > UNZIPPED_LIMIT:
        warnings.append(
            f"Unzipped, the artifact has {format_size(unzipped)}: Lambda takes up to {format_size(UNZIPPED_LIMIT)}, "
            "layers included. Leave files out with --slim and --exclude, or build an image with --image, which may "
            "have 10 GB."
        )
    return warnings


def hidden_module_warnings(app: str | None, project_files: ProjectFiles, installed_files: InstalledFiles) -> list[str]:
    """Return a warning for each of the project's modules that is imported in place of a requirement's.

    Raises:
        PackagingError: a module of the project hides the bridge.
    """
    app_folder = application_folder(app)
    # The folders on the import path that come before the requirements.
    prefixes = ["", f"{app_folder}/"] if app_folder else [""]
    own_modules: dict[str, str] = {}
    for prefix in prefixes:
        for path in project_files.files:
            top, slash, _ = path.removeprefix(prefix).partition("/")
            if path.startswith(prefix) and (slash or top.endswith(".py")):
                own_modules[top.removesuffix(".py")] = top
    shared_paths = project_files.files.keys() & installed_files.files.keys()
    warnings = []
    for module, package in sorted(installed_files.modules.items()):
        own = own_modules.get(module)
        if own is None:
            continue
        if module == "bridge":
            raise PackagingError(f"{own} of the project hides the bridge itself. Give it another name.")
        is_package = any(f"{prefix}{module}/__init__.py" in project_files.files for prefix in prefixes)
        overwrites = any(path.startswith(f"{module}/") for path in shared_paths)
        if own.endswith(".py") or is_package or overwrites:  # otherwise both are parts of a namespace package
            warnings.append(
                f"{own} of the project hides the requirement {package}. If that is not intended, give it another name "
                "or leave it out with --exclude."
            )
    return warnings


def omission_warnings(
    project_files: ProjectFiles, installed_files: InstalledFiles, *, is_file_list: bool = False
) -> list[str]:
    """Return a warning for each kind of file that the artifact lacks or has although the user may not expect it.

    Args:
        project_files: the project's files.
        installed_files: the files of the requirements.
        is_file_list: whether another tool has chosen the project's files, with its own patterns.
    """
    warnings = []
    if secrets := project_files.secrets:
        hint = "name it in a pattern" if is_file_list else _include(secrets[0])
        warnings.append(f"Left out, because they may contain secrets: {_names(secrets)}. To include one: {hint}")
    for path, sign in project_files.contained_secrets.items():
        if path in project_files.files:
            warnings.append(f"{path} is packaged, and contains {sign}. Move it to a place outside of the code.")
        else:
            hint = "name it in a pattern" if is_file_list else _include(path)
            warnings.append(f"Left out, because it contains {sign}: {path}. To include it: {hint}")
    if ignored := project_files.ignored:
        noun = "file or folder" if len(ignored) == 1 else "files or folders"
        warnings.append(f"Left out, because of .gitignore: {len(ignored)} {noun}. To include some: --include PATTERN")
    if tracked := project_files.tracked:
        warnings.append(
            f"Left out, because .gitignore names them, although git tracks them: {_names(tracked)}. To include one: "
            f"{_include(tracked[0])}"
        )
    if artifacts := project_files.artifacts:
        warnings.append(
            f"Left out, because earlier builds have made them: {_names(artifacts)}. To include one: "
            f"{_include(artifacts[0])}"
        )
    if links := project_files.outside_links:
        warnings.append(
            f"Left out, because they are symbolic links that lead out of the project: {_names(links)}. To include "
            f"what one leads to: {_include(links[0])}"
        )
    if links := project_files.broken_links:
        warnings.append(f"Left out, because their targets do not exist: the symbolic links {_names(links)}.")
    if names := project_files.undecodable:
        warnings.append(f"Left out, because their names are not UTF-8: {_names(names)}. To include one, rename it.")
    if sizes := project_files.sizes:
        files = [f"{path} ({format_size(size)})" for path, size in sorted(sizes.items(), key=lambda item: -item[1])]
        largest = max(sizes, key=lambda path: sizes[path])
        warnings.append(
            f"Packaged, though large or a database: {_names(files)}. To leave one out: "
            f"--exclude {shlex.quote(f'/{largest}')}"
        )
    if packages := installed_files.in_lambda_runtime:
        warnings.append(
            f"Left out, because Lambda's runtime has them: {', '.join(packages)}. To include them: --no-slim"
        )
    return warnings


def _names(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_MAX_NAMES]) + (f" and {len(paths) - _MAX_NAMES} more" if len(paths) > _MAX_NAMES else "")


def _include(path: str) -> str:
    return f"--include {shlex.quote(path)}"
