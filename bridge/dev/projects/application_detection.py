"""Detecting the applications of a project in its source code."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.dev.projects.source_analysis import SourceAnalysis, analyze_source

if TYPE_CHECKING:
    from collections.abc import Iterator

# Folders in which no project has the application to deploy.
_SKIPPED_FOLDERS = {"tests", "test", "docs", "node_modules", "site-packages", "build", "dist", "migrations"}
_MAX_DEPTH = 3  # of folders
_MAX_FILE_SIZE = 1 << 20  # bytes
# If several files call the same factory, the application is that of the first of these.
_CONVENTIONAL_NAMES = ("wsgi.py", "asgi.py", "app.py", "application.py", "main.py")


@dataclass(frozen=True)
class DetectedApplication:
    """An application in the source code.

    Attributes:
        app: the application, as ``BRIDGE_APP`` names one.
        framework: the framework; ``"function"`` for a function with the parameters of an application.
        interface: ``WSGI`` or ``ASGI``; ``""`` if the code does not show it.
        file: the file, relative to the project.
        line: the line of the file, from 1.
        factory: the function of the project that makes the application; ``""`` without one.
    """

    app: str
    framework: str
    interface: str
    file: str
    line: int
    factory: str = ""

    @property
    def is_handler(self) -> bool:
        """Whether the object is a Lambda handler with an application inside."""
        return self.framework.startswith("handler")

    @property
    def description(self) -> str:
        """The framework, the interface and the place, for messages."""
        interface = f" ({self.interface})" if self.interface else ""
        return f"{self.framework}{interface} in {self.file}, line {self.line}"


def detect_applications(folder: Path) -> list[DetectedApplication]:
    """Return the applications in the Python files below *folder*, without importing them.

    Applications at the top of a file come before factories that nothing calls; plain functions count only if there is
    neither. Of several objects with the same application inside, one is returned.
    """
    analyses = {path: analysis for path in _files(folder) if (analysis := _analyze(folder / path)) is not None}
    factories = {name: made for analysis in analyses.values() for name, (made, _) in analysis.factories.items()}
    applications: list[DetectedApplication] = []
    for path, analysis in analyses.items():
        module = _module_name(path, folder)
        own = [
            DetectedApplication(f"{module}:{name}", *made, path, line)
            for name, (made, line) in analysis.applications.items()
        ]
        own += [
            DetectedApplication(f"{module}:{name}", *factories[factory], path, line, factory)
            for name, (factory, line) in analysis.calls.items()
            if factory in factories
        ]
        applications += [each for each in own if each.app.rpartition(":")[2] not in analysis.mounted] or own
    called = {each.factory for each in applications}
    applications += [
        DetectedApplication(f"{_module_name(path, folder)}:{name}()", *made, path, line)
        for path, analysis in analyses.items()
        for name, (made, line) in analysis.factories.items()
        if name not in called
    ]
    return _without_duplicates(applications) or [
        DetectedApplication(f"{_module_name(path, folder)}:{name}", "function", interface, path, line)
        for path, analysis in analyses.items()
        for name, (interface, line) in analysis.functions.items()
    ]


def find_syntax_errors(folder: Path) -> list[str]:
    """Return the places of syntax errors in the Python files below *folder*: ``"app.py, line 3"``."""
    places = []
    for path in _files(folder):
        try:
            ast.parse((folder / path).read_bytes())
        except SyntaxError as error:
            places.append(f"{path}, line {error.lineno}" if error.lineno else path)
        except (OSError, ValueError, RecursionError, MemoryError):
            continue
    return places


def _without_duplicates(applications: list[DetectedApplication]) -> list[DetectedApplication]:
    """Keep handlers before the applications in them, Django's WSGI before its ASGI, and one call of each factory."""
    applications = [each for each in applications if each.is_handler] or applications
    wsgi_folders = {_folder(each) for each in applications if (each.framework, each.interface) == ("Django", "WSGI")}
    unique: dict[object, DetectedApplication] = {}
    for each in sorted(applications, key=_rank):
        if (each.framework, each.interface) != ("Django", "ASGI") or _folder(each) not in wsgi_folders:
            unique.setdefault(each.factory or each, each)
    return sorted(unique.values(), key=lambda each: (each.file.count("/"), each.file, each.line))


def _rank(application: DetectedApplication) -> int:
    name = Path(application.file).name
    return _CONVENTIONAL_NAMES.index(name) if name in _CONVENTIONAL_NAMES else len(_CONVENTIONAL_NAMES)


def _folder(application: DetectedApplication) -> str:
    return Path(application.file).parent.as_posix()


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths of the project's own modules, relative to *folder*, without tests and virtual environments."""
    for place, folders, names in os.walk(folder):
        relative = Path(place).relative_to(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED_FOLDERS
            and len(relative.parts) < _MAX_DEPTH
            and not (Path(place) / name / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            is_tool_file = name.startswith("test_") or name in ("conftest.py", "setup.py")
            if name.endswith(".py") and name.removesuffix(".py").isidentifier() and not is_tool_file:
                yield (relative / name).as_posix()


def _analyze(file: Path) -> SourceAnalysis | None:
    try:
        return analyze_source(file.read_bytes()) if file.stat().st_size <= _MAX_FILE_SIZE else None
    except OSError:
        return None


def _module_name(path: str, folder: Path) -> str:
    """Return the module of a file as applications are named: a folder to import from, and the dotted name in it."""
    place, words = Path(path).parent, [Path(path).stem]
    while place.parts and (folder / place / "__init__.py").is_file() and not (folder / place / "manage.py").is_file():
        words.insert(0, place.name)
        place = place.parent
    name = ".".join(words).removesuffix(".__init__")
    return name if place == Path() else f"{place.as_posix()}/{name}"
