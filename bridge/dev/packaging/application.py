"""The application that the artifact is to run: where its module is, before anything is imported."""

from __future__ import annotations

import ast
import json
import sys
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging import PackagingError
from bridge.loading import _parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SETTINGS_FILE = ".serverless-wsgi"


def relative(app: str, folder: Path) -> str:
    """The application's name as it is in the artifact: its folder as seen from the project's.

    Raises:
        PackagingError: it is outside the project.
        ApplicationNotFoundError: it names no application.
    """
    _parts(app)
    place, colon, attribute = app.strip().partition(":")
    inside, slash, module = place.rpartition("/")
    if not slash:
        return app.strip()
    root = folder.resolve()
    real = (root / (inside or "/")).resolve()
    if not real.is_relative_to(root):
        raise PackagingError(f"{app}: {real} is not in the project, {root}. Package it from a folder that has both.")
    below = real.relative_to(root).as_posix()
    return f"{'' if below == '.' else below + '/'}{module}{colon}{attribute}"


def folder_of(app: str | None) -> str:
    """The folder in the artifact that the application's module is looked for in, first; ``""`` without one."""
    return "" if app is None else _parts(app)[3]


def check(app: str, files: Mapping[str, Path], modules: Iterable[str], target: str) -> None:
    """Refuse an application that will not be found, or does not parse.

    Args:
        app: its name in the artifact.
        files: the project's files.
        modules: the top-level modules of the requirements.
        target: the Python version that it is for.

    Raises:
        PackagingError: so it is.
    """
    module, _, _, folder = _parts(app)
    words = module.split(".")
    if not folder and words[0] in modules and not _is_module(words[0], "", files):
        return
    if folder and not any(path.startswith(f"{folder}/") for path in files):
        raise PackagingError(f"{app}: the project has no folder {folder!r}, or none that is packed.")
    places = [f"{folder}/" if folder else "", ""]
    if not any(_is_module("/".join(words), place, files) for place in places):
        # A package's attribute may be a module: shop.wsgi.
        near = sorted(path for path in files if path.endswith(".py") and path.count("/") <= 1)[:8]
        raise PackagingError(
            f"{app}: there is no module {module!r} among the files of the project that are packed, nor in its "
            f"requirements. Python files there: {', '.join(near) or 'none'}."
        )
    own = next((files[path] for place in places for path in _paths("/".join(words), place) if path in files), None)
    if own is None or sys.version_info[:2] < tuple(map(int, target.split("."))):
        return  # a namespace package; or of a grammar that may be newer than ours
    try:
        ast.parse(own.read_bytes(), own.name)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise PackagingError(f"{app} cannot be imported: {own.name}{line}: {error}") from None


def settings(app: str, text_types: Sequence[str], files: Mapping[str, Path]) -> bytes:
    """The file that tells ``bridge.entrypoint`` the application; what the project's own one says besides stays.

    Raises:
        PackagingError: the project's own one is not JSON.
    """
    content: dict[str, Any] = {}
    if SETTINGS_FILE in files:
        try:
            content = json.loads(files[SETTINGS_FILE].read_text(encoding="utf-8"))
        except ValueError as error:
            raise PackagingError(f"{SETTINGS_FILE} is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise PackagingError(f"{SETTINGS_FILE} holds no JSON object.")
    content["app"] = app
    if text_types:
        content["text_mime_types"] = list(text_types)
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _paths(name: str, place: str) -> tuple[str, str]:
    return f"{place}{name}.py", f"{place}{name}/__init__.py"


def _is_module(name: str, place: str, files: Mapping[str, Path]) -> bool:
    """Whether there is such a module, or a folder of some: a namespace package."""
    return any(path in files for path in _paths(name, place)) or any(
        path.startswith((f"{place}{name}/", f"{place}{name}.cpython-", f"{place}{name}.abi3.")) for path in files
    )
