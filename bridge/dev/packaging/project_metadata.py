"""The metadata of the project itself, which ``importlib.metadata`` reads in the function."""

from __future__ import annotations

import configparser
import re
import tomllib
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.installer import find_pip, find_uv
from bridge.dev.packaging.installer_commands import run_command
from bridge.dev.packaging.local_projects import build_command, build_local_project
from bridge.dev.packaging.pylock import normalized_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENTRY_POINTS = {"scripts": "console_scripts", "gui-scripts": "gui_scripts"}


def project_metadata(project: Path, temporary: Path, warnings: list[str]) -> dict[str, str]:
    """Return the files of the ``.dist-info`` folder of a project by their paths; none if it is not a package.

    A project is a package if its pyproject.toml has a build system, as for uv and pip, or its setup.cfg a name and a
    version. The metadata is that of ``[project]``; the project is built only if its version or its entry points are
    dynamic.

    Args:
        project: the folder of pyproject.toml.
        temporary: an existing folder for temporary files.
        warnings: a list that a message is appended to if the project cannot be built.
    """
    try:
        content = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        content = {}
    table: dict[str, Any] = content.get("project") or _poetry_table(content.get("tool", {}).get("poetry", {}))
    if "project" not in content and "name" not in table and (project / "setup.cfg").is_file():
        table = _setup_cfg_table(project / "setup.cfg")
        if "version" not in table and not _is_package(content):
            return {}
    elif not _is_package(content):
        return {}
    dynamic = {*table.get("dynamic", [])}
    if "name" not in table or "version" not in table or dynamic & {"scripts", "gui-scripts", "entry-points"}:
        return _built_metadata(project, temporary, warnings)
    folder = f"{re.sub(r'[-_.]+', '_', table['name'])}-{table['version']}.dist-info"
    files = {f"{folder}/METADATA": "".join(f"{line}\n" for line in _metadata_lines(table))}
    if entry_points := "".join(f"{line}\n" for line in _entry_point_lines(table)):
        files[f"{folder}/entry_points.txt"] = entry_points
    return files


def _is_package(content: dict[str, Any]) -> bool:
    tool = content.get("tool", {})
    if tool.get("poetry", {}).get("package-mode") is False:
        return False
    return bool(tool.get("uv", {}).get("package", "build-system" in content))


def _poetry_table(poetry: dict[str, Any]) -> dict[str, Any]:
    """Return the table ``[tool.poetry]`` as ``[project]``, without requirements."""
    table: dict[str, Any] = {key: poetry[key] for key in ("name", "version", "description") if key in poetry}
    scripts = {name: value for name, value in poetry.get("scripts", {}).items() if isinstance(value, str)}
    return {**table, "scripts": scripts, "entry-points": poetry.get("plugins", {})}


def _setup_cfg_table(file: Path) -> dict[str, Any]:
    """Return a setup.cfg as ``[project]``; without a version that is in another file.

    https://setuptools.pypa.io/en/latest/userguide/declarative_config.html
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    metadata = dict(parser.items("metadata")) if parser.has_section("metadata") else {}
    table: dict[str, Any] = {key: metadata[key] for key in ("name", "version") if key in metadata}
    if "name" not in table or table.get("version", "").startswith(("attr:", "file:")):
        return {}
    requires = parser.get("options", "install_requires", fallback="")
    table["dependencies"] = [line.strip() for line in requires.splitlines() if line.strip()]
    if parser.has_section("options.entry_points"):
        groups = dict(parser.items("options.entry_points"))
        lines = {
            group: [line.partition("=") for line in text.splitlines() if "=" in line] for group, text in groups.items()
        }
        table["entry-points"] = {
            group: {name.strip(): value.strip() for name, _, value in each} for group, each in lines.items()
        }
    return table


def _metadata_lines(table: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of METADATA: https://packaging.python.org/en/latest/specifications/core-metadata/."""
    yield "Metadata-Version: 2.1"
    yield f"Name: {table['name']}"
    yield f"Version: {table['version']}"
    if "description" in table:
        yield f"Summary: {' '.join(table['description'].split())}"
    if "requires-python" in table:
        yield f"Requires-Python: {table['requires-python']}"
    for requirement in table.get("dependencies", []):
        yield f"Requires-Dist: {requirement}"
    for extra, requirements in table.get("optional-dependencies", {}).items():
        yield f"Provides-Extra: {normalized_name(extra)}"
        for requirement in requirements:
            specifier, semicolon, marker = requirement.partition(";")
            condition = f"extra == '{normalized_name(extra)}'"
            marker = f"({marker.strip()}) and {condition}" if semicolon else condition
            yield f"Requires-Dist: {specifier.strip()} ; {marker}"


def _entry_point_lines(table: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of entry_points.txt: https://packaging.python.org/en/latest/specifications/entry-points/."""
    groups = {group: table[key] for key, group in _ENTRY_POINTS.items() if table.get(key)}
    for group, entries in {**groups, **table.get("entry-points", {})}.items():
        yield f"[{group}]"
        yield from (f"{name} = {reference}" for name, reference in entries.items())


def _built_metadata(project: Path, temporary: Path, warnings: list[str]) -> dict[str, str]:
    """Return the metadata in the wheel of a project."""
    try:
        uv = find_uv()
        wheel = build_local_project(project, temporary, build_command(uv, find_pip()), run_command)
    except PackagingError as error:
        warnings.append(
            f"The artifact has no metadata of the project, so importlib.metadata does not find it in the function. "
            f"{error}"
        )
        return {}
    with ZipFile(wheel) as archive:
        return {
            name: archive.read(name).decode()
            for name in archive.namelist()
            if name.endswith((".dist-info/METADATA", ".dist-info/entry_points.txt"))
        }
