"""Finds uv projects, and the workspaces that they are members of.

https://docs.astral.sh/uv/concepts/projects/workspaces/
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from bridge.dev.packaging.pylock import normalized_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


# What is before, and after, the versions in a requirement.
_SPECIFIER = re.compile(r"^\s*[\w.-]+\s*(\[[^]]*\])?|;.*$")


def workspace_root(project: Path) -> Path:
    """Return the folder of the workspace that a project is a member of; *project* itself if there is none."""
    project = project.resolve()
    for folder in (project, *project.parents):
        workspace = _table(folder / "pyproject.toml", "tool", "uv", "workspace")
        if workspace is not None and (folder == project or _is_member(project, folder, workspace)):
            return folder
    return project


def member_folders(root: Path) -> list[Path]:
    """Return the folders of the members of a workspace, without the root."""
    workspace = _table(root / "pyproject.toml", "tool", "uv", "workspace") or {}
    members, excluded = (
        {folder for pattern in workspace.get(key, []) for folder in root.glob(pattern)}
        for key in ("members", "exclude")
    )
    return sorted(folder for folder in members - excluded if (folder / "pyproject.toml").is_file())


def project_around(folder: Path, top: Path) -> Path | None:
    """Return the closest folder from *folder* up to *top* with a ``[project]`` in pyproject.toml; None without one."""
    for each in (folder, *folder.parents):
        if not each.is_relative_to(top):
            return None
        if _table(each / "pyproject.toml", "project") is not None:
            return each
    return None


def sources(project: Path) -> dict[str, Any]:
    """Return the tables ``[tool.uv.sources]`` of a project and of its workspace."""
    tables = [
        _table(folder / "pyproject.toml", "tool", "uv", "sources") for folder in (workspace_root(project), project)
    ]
    return {name: source for table in tables for name, source in (table or {}).items()}


def with_path_sources(projects: Iterable[Path]) -> set[Path]:
    """Return the folders of projects, and of the projects that their ``[tool.uv.sources]`` name by a path."""
    found: set[Path] = set()
    pending = [project.resolve() for project in projects]
    while pending:
        project = pending.pop()
        if project in found:
            continue
        found.add(project)
        paths = [source.get("path") for source in sources(project).values() if isinstance(source, dict)]
        pending += [(project / path).resolve() for path in paths if isinstance(path, str)]
    return found


def outdated_in_uv_lock(project: Path, lock: Path) -> list[str]:
    """Return the requirements of a project with which a uv.lock was not made, as far as their texts show it.

    Markers, and versions other than numbers, are not compared.
    """
    table = _table(project / "pyproject.toml", "project") or {}
    packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
    names = {package["name"] for package in packages}
    required = list(table.get("dependencies", []))
    outdated = [line for line in required if normalized_name(line) not in names]
    own: dict[str, Any] = next(
        (each for each in packages if each["name"] == normalized_name(table.get("name", ""))), {}
    )
    metadata = own.get("metadata", {})
    if "requires-dist" not in metadata:
        return outdated
    groups = _table(project / "pyproject.toml", "dependency-groups") or {}
    parts = [required, *table.get("optional-dependencies", {}).values(), *groups.values()]
    locked = [each for part in (metadata["requires-dist"], *metadata.get("requires-dev", {}).values()) for each in part]
    # A package from a path or a repository has no versions in the lock.
    places = {"directory", "editable", "git", "path", "url", "virtual"}
    without_versions = {each["name"] for each in locked if places & each.keys()}
    versions = {(each["name"], _clauses(each.get("specifier", ""))) for each in locked}
    for line in (line for part in parts for line in part if isinstance(line, str)):
        name, clauses = normalized_name(line), _clauses(_SPECIFIER.sub("", line))
        if "@" not in line and name not in without_versions and clauses is not None and (name, clauses) not in versions:
            outdated.append(line)
    return list(dict.fromkeys(outdated))


def _clauses(specifier: str) -> frozenset[str] | None:
    """Return the parts of a range of versions; None if one has another version than a number."""
    clauses = frozenset(part for part in re.sub(r"[\s()]", "", specifier).split(",") if part)
    return clauses if all(re.fullmatch(r"(~=|==|!=|<=|>=|<|>)\d+(\.\d+)*(\.\*)?", part) for part in clauses) else None


def _is_member(project: Path, root: Path, workspace: dict[str, Any]) -> bool:
    def matches(patterns: list[str]) -> bool:
        return any(project in (path.resolve() for path in root.glob(pattern)) for pattern in patterns)

    return matches(workspace.get("members", [])) and not matches(workspace.get("exclude", []))


def _table(file: Path, *names: str) -> dict[str, Any] | None:
    """Return a table of a TOML file; None if there is none, or if the file cannot be read."""
    try:
        content: Any = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else None
