"""Adds the bridge to a zip file that another tool has built, such as serverless-python-requirements."""

from __future__ import annotations

import posixpath
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.application_check import check_application, relative_name, settings_content
from bridge.dev.packaging.archive import add_entries, make_entry
from bridge.dev.packaging.bridge_wheel import DISTRIBUTION, cached_wheel
from bridge.dev.packaging.bytecode import TASK_FOLDER, BytecodeOptions, interpreter_finder
from bridge.dev.packaging.compression import compress_packages
from bridge.dev.packaging.install_cache import installed_requirements
from bridge.dev.packaging.installed_files import collect_installed_files
from bridge.dev.packaging.project_requirements import Requirements
from bridge.dev.packaging.report import Artifact, PackageSize
from bridge.loading import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.packaging.archive import ZipEntry
    from bridge.dev.packaging.package_options import PackageOptions

# Where serverless-python-requirements puts the requirements with its option `zip`. Modules in it cannot be checked.
_ZIPPED_REQUIREMENTS = ".requirements.zip"
_ENCRYPTED = 0x1  # a flag of an entry


def add_to_zip(options: PackageOptions, on_progress: Callable[[str, float], None]) -> Artifact:
    """Add the bridge, asgiref and the settings file to the zip file ``options.output``.

    All other entries stay as they are, and take precedence over those of asgiref.

    Args:
        options: the application, the zip file, and how to compile.
        on_progress: called with the name of each step, and the share of the work that is done, from 0 to 1.

    Raises:
        PackagingError: the file is not a zip file, or the application is not in it. The file is unchanged.
        OSError: a file cannot be read or written.
    """
    if options.app is None:
        raise PackagingError("--add-to needs the name of an application.")
    app = relative_name(options.app, options.project)
    warnings: list[str] = []
    temporary = Path(tempfile.mkdtemp(prefix="bridge-package-"))
    try:
        on_progress("Adding the bridge", 0.1)
        with zipfile.ZipFile(options.output) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            files: dict[str, Any] = {name: zipfile.Path(archive, _link_target(archive, name)) for name in names}
            if _ZIPPED_REQUIREMENTS not in files:
                check_application(app, files, (), options.target.python)
            settings = settings_content(app, options.text_types, files)
        new: list[ZipEntry] = []
        if "bridge/__init__.py" not in files:
            for package, own in _bridge_packages(options, temporary, warnings, on_progress).items():
                if files.keys().isdisjoint(entry.path for entry in own):
                    new += own
                elif package == DISTRIBUTION:
                    raise PackagingError(
                        f"{options.output.name} has a folder `bridge` with files of the project, which hide the bridge "
                        "itself. Give that folder another name."
                    )
        on_progress("Writing", 0.9)
        new.sort(key=lambda entry: entry.path)
        # The settings come last, where they are when the application is added again, with the same bytes.
        add_entries(options.output, [*new, make_entry(SETTINGS_FILE, settings)])
        with zipfile.ZipFile(options.output) as archive:
            infos = archive.infolist()
        size = PackageSize("everything", sum(i.file_size for i in infos), sum(i.compress_size for i in infos))
        return Artifact([options.output], [size], warnings)
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError if the application's module is encrypted
        raise PackagingError(
            f"--add-to {options.output}: {error}. Name a zip file that another tool has built."
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _link_target(archive: zipfile.ZipFile, name: str) -> str:
    """Return the entry that a symbolic link leads to; *name* for other entries, and if the target is not there."""
    info = archive.getinfo(name)
    if not stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & _ENCRYPTED:
        return name
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), archive.read(name).decode(errors="replace")))
    return target if target in archive.NameToInfo else name


def _bridge_packages(
    options: PackageOptions, temporary: Path, warnings: list[str], on_progress: Callable[[str, float], None]
) -> dict[str, list[ZipEntry]]:
    """Return the entries of the bridge and of asgiref."""
    python = options.target.python
    bytecode = None
    if options.bytecode:
        bytecode = BytecodeOptions(
            python, TASK_FOLDER, interpreter_finder(python, warnings, fetch=options.fetch_python)
        )
    with installed_requirements(
        Requirements(options.project),
        options.target,
        temporary,
        wheels=[cached_wheel(temporary)],
        pip_args=options.pip_args,
    ) as root:
        collected = collect_installed_files(root, options.target, temporary)
        packages, _ = compress_packages(
            collected.files,
            collected.packages,
            bytecode,
            temporary / "compiled",
            lambda share: on_progress("Adding the bridge", 0.1 + 0.8 * share),
            level=options.compression_level,
        )
    return packages
