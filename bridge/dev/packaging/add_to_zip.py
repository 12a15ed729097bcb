"""Adds the bridge to a zip file that another tool has built, such as serverless-python-requirements."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.application import SETTINGS_FILE, check_application, relative_name, settings_content
from bridge.dev.packaging.archive import make_entry, read_zip, write_zip
from bridge.dev.packaging.bridge_wheel import DISTRIBUTION, cached_wheel
from bridge.dev.packaging.bytecode import TASK_FOLDER, BytecodeOptions, interpreter_finder
from bridge.dev.packaging.compression import compress_packages
from bridge.dev.packaging.install_cache import installed_requirements
from bridge.dev.packaging.report import Artifact, package_sizes
from bridge.dev.packaging.requirement_files import collect_requirement_files
from bridge.dev.packaging.requirements import Requirements

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.packaging.archive import ZipEntry
    from bridge.dev.packaging.options import PackageOptions

# Where serverless-python-requirements puts the requirements with its option `zip`. Modules in it cannot be checked.
_ZIPPED_REQUIREMENTS = ".requirements.zip"


def add_to_zip(options: PackageOptions, on_progress: Callable[[str, float], None]) -> Artifact:
    """Add the bridge, asgiref and the settings file to the zip file ``options.output``.

    Other files in it stay, and take precedence over those of asgiref.

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
        entries = {entry.path: entry for entry in read_zip(options.output) if not entry.path.endswith("/")}
        with zipfile.ZipFile(options.output) as archive:
            files: dict[str, Any] = {path: zipfile.Path(archive, path) for path in entries}
            if _ZIPPED_REQUIREMENTS not in entries:
                check_application(app, files, (), options.target.python)
            settings = settings_content(app, options.text_types, files)
        entries[SETTINGS_FILE] = make_entry(SETTINGS_FILE, settings)
        if "bridge/__init__.py" not in entries:
            for package, own in _bridge_packages(options, temporary, warnings, on_progress).items():
                if entries.keys().isdisjoint(entry.path for entry in own):
                    entries |= {entry.path: entry for entry in own}
                elif package == DISTRIBUTION:
                    raise PackagingError(
                        f"{options.output.name} has a folder `bridge` with files of the project, which hide the bridge "
                        "itself. Give that folder another name."
                    )
        on_progress("Writing", 0.9)
        write_zip(options.output, entries.values())
        return Artifact([options.output], package_sizes({"everything": list(entries.values())}), warnings)
    except zipfile.BadZipFile as error:
        raise PackagingError(
            f"--add-to {options.output}: {error}. Name a zip file that another tool has built."
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
        collected = collect_requirement_files(root, options.target, temporary)
        packages, _ = compress_packages(
            collected.files,
            collected.packages,
            bytecode,
            temporary / "compiled",
            lambda share: on_progress("Adding the bridge", 0.1 + 0.8 * share),
        )
    return packages
