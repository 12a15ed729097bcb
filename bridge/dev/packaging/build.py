"""Builds an artifact from a project."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.application_check import (
    check_application,
    missing_imports,
    module_folder,
    relative_name,
    settings_content,
)
from bridge.dev.packaging.archive import write_zip
from bridge.dev.packaging.bridge_wheel import DISTRIBUTION, cached_wheel, is_local_install
from bridge.dev.packaging.bytecode import LAYER_FOLDER, TASK_FOLDER, BytecodeOptions, interpreter_finder
from bridge.dev.packaging.compression import compress_packages
from bridge.dev.packaging.explain import explain_files, explain_requirements
from bridge.dev.packaging.image import check_replaceable, write_image_folder
from bridge.dev.packaging.import_time import add_import_times, interpreter_for_imports
from bridge.dev.packaging.install_cache import installed_requirements
from bridge.dev.packaging.installed_files import InstalledFiles, collect_installed_files, write_text
from bridge.dev.packaging.installer import prepare_requirements
from bridge.dev.packaging.local_projects import version_files
from bridge.dev.packaging.project_files import ProjectFiles, choose_files, choose_listed_files
from bridge.dev.packaging.project_metadata import project_metadata
from bridge.dev.packaging.project_requirements import (
    Requirements,
    file_names,
    find_requirements,
    ignored_files,
    unread_files,
)
from bridge.dev.packaging.pylock import normalized_name
from bridge.dev.packaging.report import (
    Artifact,
    hidden_module_warnings,
    omission_warnings,
    package_sizes,
    size_warnings,
)
from bridge.dev.packaging.uv_workspace import project_around
from bridge.loading import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bridge.dev.packaging.archive import ZipEntry
    from bridge.dev.packaging.package_options import PackageOptions

_PROJECT = "your code"  # the name of the project's files in the table of sizes


def build_artifact(options: PackageOptions, on_progress: Callable[[str, float], None]) -> Artifact:
    """Build the artifact that *options* describe.

    Args:
        options: what to package, and how.
        on_progress: called with the name of each step, and the share of the work that is done, from 0 to 1.

    Raises:
        PackagingError: the artifact cannot be built. An earlier one is unchanged.
        OSError: a file cannot be read or written.
    """
    # uv writes paths into locks that are relative to this folder, so no symbolic link may lead to it.
    temporary = Path(tempfile.mkdtemp(prefix="bridge-package-")).resolve()
    try:
        interpreter = interpreter_for_imports(options) if options.import_time else None
        artifact = _Build(options, temporary, on_progress).run()
        if interpreter is not None:
            on_progress("Importing the application", 1)
            add_import_times(artifact, options, interpreter, temporary / "import-time")
        return artifact
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Build:
    """The state of one build.

    Args:
        options: what to package, and how.
        temporary: an empty folder for temporary files.
        on_progress: called with the name of each step and the share that is done.
    """

    def __init__(self, options: PackageOptions, temporary: Path, on_progress: Callable[[str, float], None]) -> None:
        self._options, self._temporary, self._on_progress = options, temporary, on_progress
        self._warnings: list[str] = []
        self._explanation: list[str] = []
        self._app = None if options.app is None else relative_name(options.app, options.project)
        self._find_interpreter = interpreter_finder(options.target.python, self._warnings, fetch=options.fetch_python)

    def run(self) -> Artifact:
        options = self._options
        if options.image:
            check_replaceable(options.output)
        elif options.output.is_dir():
            raise PackagingError(f"{options.output} is a folder. Name a zip file: --output build/function.zip")
        elif options.output.exists() and not is_zipfile(options.output):
            raise PackagingError(
                f"{options.output} is not a zip file, and would be overwritten. Name a zip file: --output "
                "build/function.zip"
            )
        self._on_progress("Choosing files", 0)
        project_files = self._choose_project_files()
        self._on_progress("Installing requirements", 0.05)
        with self._installed_requirements() as root:
            installed_files = collect_installed_files(
                root, options.target, self._temporary, options.patterns, slim=options.slim
            )
            if self._app is not None:
                check_application(self._app, project_files.files, installed_files.modules, options.target.python)
                self._warn_of_missing_imports(self._app, project_files, installed_files)
            if options.explain:
                self._explanation += explain_files(project_files, installed_files)
            self._warnings += hidden_module_warnings(self._app, project_files, installed_files)
            self._warnings += omission_warnings(
                project_files, installed_files, is_file_list=options.file_list is not None
            )
            project, requirements = self._compress(project_files, installed_files)
        self._on_progress("Writing", 0.95)
        files = self._write(_entries(project), _entries(requirements))
        sizes = package_sizes({**project, **requirements})
        if not options.image:
            self._warnings += size_warnings(files, sizes)
        self._on_progress("Done", 1)
        return Artifact(files, sizes, self._warnings, self._explanation)

    def _warn_of_missing_imports(self, app: str, project_files: ProjectFiles, installed_files: InstalledFiles) -> None:
        source, missing = missing_imports(app, project_files.files, installed_files.modules)
        if missing:
            self._warnings.append(
                f"{source} imports {', '.join(missing)}, which the artifact does not have. Add what provides it to the "
                "requirements, unless a layer of the function has it."
            )

    def _choose_project_files(self) -> ProjectFiles:
        options = self._options
        without = [options.output, options.layer_file, options.import_time_file]
        if options.file_list is None:
            patterns = [*self._version_file_patterns(), *options.patterns]
            return choose_files(options.project, patterns, without=without)
        return choose_listed_files(options.project, options.file_list, options.patterns, without=without)

    def _version_file_patterns(self) -> Iterator[str]:
        """Yield patterns that include the project's files with its version, which git ignores and its code imports."""
        root = self._options.project.resolve()
        for file in sorted(version_files(self._project_folder())):
            if file.is_file() and file.is_relative_to(root):
                yield f"!/{file.relative_to(root).as_posix()}"

    def _project_folder(self) -> Path:
        """Return the folder of the pyproject.toml that the application belongs to."""
        root = self._options.project.resolve()
        return project_around(root / module_folder(self._app, root), root) or root

    @contextlib.contextmanager
    def _installed_requirements(self) -> Iterator[Path]:
        options = self._options
        folders = list(dict.fromkeys([options.project, options.project / module_folder(self._app, options.project)]))
        requirements = find_requirements(folders, options.requirements, options.selection)
        requirements = prepare_requirements(requirements, self._temporary)
        if requirements.origin is None:
            self._warnings.append(
                f"No requirements are installed, because the project has none of {', '.join(file_names())} that lists "
                f"them.{self._hint_about_locks_above()}"
            )
        elif not options.requirements and (ignored := ignored_files(requirements, folders)):
            self._warnings.append(
                f"The requirements are those in {requirements.origin}. Not read: {', '.join(ignored)}. To choose a "
                "file: --requirements FILE"
            )
        if not options.requirements and (unread := unread_files(requirements, folders)):
            names = [str(file.relative_to(options.project)) for file in unread]
            self._warnings.append(f"Not read: {', '.join(names)}. To read one: --requirements {shlex.quote(names[0])}")
        # A project that requires the bridge chooses its version, unless the running one is from no index.
        adds_bridge = is_local_install() if requirements.mention(DISTRIBUTION) else self._app is not None
        with self._install(requirements, adds_bridge=adds_bridge) as root:
            if adds_bridge or self._app is None or (root / "bridge" / "__init__.py").is_file():
                self._explain(requirements, root, adds_bridge=adds_bridge)
                yield root
                return
        # A lock file has the bridge for development only.
        with self._install(requirements, adds_bridge=True) as root:
            self._explain(requirements, root, adds_bridge=True)
            yield root

    def _hint_about_locks_above(self) -> str:
        """Return a sentence that names a lock file above the project; ``""`` without one."""
        names = [name for name in file_names() if name.endswith((".lock", ".txt")) or name == "pylock.toml"]
        files = (folder / name for folder in self._options.project.resolve().parents for name in names)
        found = next((file for file in files if file.is_file()), None)
        return "" if found is None else f" To install those above the project: --requirements {shlex.quote(str(found))}"

    def _explain(self, requirements: Requirements, root: Path, *, adds_bridge: bool) -> None:
        if self._options.explain:
            self._explanation += explain_requirements(requirements, root, adds_bridge=adds_bridge)

    def _install(self, requirements: Requirements, *, adds_bridge: bool) -> contextlib.AbstractContextManager[Path]:
        options = self._options
        wheels = []
        if adds_bridge:
            wheel = cached_wheel(self._temporary)
            requirements, is_named = requirements.with_wheel(DISTRIBUTION, wheel)
            wheels = [] if is_named else [wheel]
        return installed_requirements(
            requirements,
            options.target,
            self._temporary,
            wheels=wheels,
            pip_args=options.pip_args,
            build=options.build,
        )

    def _compress(
        self, project_files: ProjectFiles, installed_files: InstalledFiles
    ) -> tuple[dict[str, list[ZipEntry]], dict[str, list[ZipEntry]]]:
        """Return the entries of the project, and those of each requirement."""
        options = self._options
        copies = self._copy_project_files(project_files, self._project_metadata(installed_files))
        requirements, _ = compress_packages(
            installed_files.files,
            installed_files.packages,
            self._bytecode_options(LAYER_FOLDER if options.layer else TASK_FOLDER),
            self._temporary / "compiled-requirements",
            lambda share: self._on_progress("Packing requirements", 0.4 + 0.4 * share),
            level=options.compression_level,
        )
        project, invalid_files = compress_packages(
            copies,
            dict.fromkeys(copies, _PROJECT),
            self._bytecode_options(TASK_FOLDER, columns=True),
            self._temporary / "compiled-project",
            lambda share: self._on_progress("Packing your code", 0.8 + 0.15 * share),
            level=options.compression_level,
        )
        if invalid_files:
            self._warnings.append(
                f"Packaged without bytecode, because they are not valid Python {options.target.python}: "
                f"{', '.join(invalid_files)}. To leave a file out: --exclude PATTERN"
            )
        return project, requirements

    def _bytecode_options(self, folder: str, *, columns: bool = False) -> BytecodeOptions | None:
        if not self._options.bytecode:
            return None
        return BytecodeOptions(self._options.target.python, folder, self._find_interpreter, columns)

    def _project_metadata(self, installed_files: InstalledFiles) -> dict[str, str]:
        """Return the files of the project's metadata, unless a requirement is the project itself."""
        files = project_metadata(self._project_folder(), self._temporary, self._warnings)
        packages = set(installed_files.packages.values())
        return {path: text for path, text in files.items() if normalized_name(path.rpartition("-")[0]) not in packages}

    def _copy_project_files(self, project_files: ProjectFiles, metadata: Mapping[str, str]) -> dict[str, Path]:
        """Copy the project's files, which may change during the build, and add its metadata and the settings file."""
        root = self._temporary / "project"
        root.mkdir()
        copies = {}
        for path, source in project_files.files.items():
            copy = root / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as stream:
                for chunk in _read_chunks(path, source):
                    stream.write(chunk)
            copy.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
            copies[path] = copy
        for path, text in metadata.items():
            copies[path] = write_text(root / path, text)
        if self._app is not None:
            settings = settings_content(self._app, self._options.text_types, project_files.files)
            copies[SETTINGS_FILE] = write_text(root / SETTINGS_FILE, settings.decode())
        return dict(sorted(copies.items()))

    def _write(self, project: list[ZipEntry], requirements: list[ZipEntry]) -> list[Path]:
        options = self._options
        if options.image:
            write_image_folder(options.output, options.target, {"requirements": requirements, "code": project})
            return [options.output]
        if options.layer:
            write_zip(options.layer_file, [entry.in_folder("python") for entry in requirements])
            write_zip(options.output, project)
            return [options.output, options.layer_file]
        paths = {entry.path for entry in project}
        write_zip(options.output, [*project, *(entry for entry in requirements if entry.path not in paths)])
        return [options.output]


def _read_chunks(path: str, source: Path) -> Iterator[bytes]:
    """Yield the content of a project's file. Errors here are those of reading, unlike an OSError of the caller."""
    try:
        with source.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk
    except OSError as error:
        raise PackagingError(
            f"{path} cannot be read: {error.strerror}. Make it readable, or leave it out: --exclude "
            f"{shlex.quote(f'/{path}')}"
        ) from None


def _entries(packages: dict[str, list[ZipEntry]]) -> list[ZipEntry]:
    return [entry for entries in packages.values() for entry in entries]
