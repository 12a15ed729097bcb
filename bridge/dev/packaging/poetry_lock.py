"""Converts a poetry.lock, or the pyproject.toml of Poetry, to the lines of a requirements file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.pylock import normalized_name
from bridge.dev.packaging.requirements_txt import extras_suffix, git_url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bridge.dev.packaging.requirements_txt import LinesByIndex

# Locks since Poetry 2.1 have the groups and the marker of each package: https://python-poetry.org/blog/announcing-poetry-2.1.0
_FIRST_POETRY_LOCK_WITH_MARKERS = (2, 1)


def is_complete_poetry_lock(lock: dict[str, Any]) -> bool:
    """Return whether a poetry.lock has the groups and markers of its packages, so that it needs no pyproject.toml."""
    version = re.match(r"(\d+)\.(\d+)", str(lock.get("metadata", {}).get("lock-version", "")))
    return version is not None and (int(version[1]), int(version[2])) >= _FIRST_POETRY_LOCK_WITH_MARKERS


def is_current(lock: dict[str, Any], pyproject: dict[str, Any]) -> bool:
    """Return whether a poetry.lock was made from the dependencies in pyproject.toml, by the digest of them in the lock.

    https://github.com/python-poetry/poetry/blob/2.5.1/src/poetry/packages/locker.py (``_get_content_hash``)
    """
    digest = lock.get("metadata", {}).get("content-hash")
    if digest is None:
        return True
    project, poetry = pyproject.get("project", {}), pyproject.get("tool", {}).get("poetry", {})
    project = {
        key: project[key] for key in ("requires-python", "dependencies", "optional-dependencies") if key in project
    }
    groups = pyproject.get("dependency-groups", {})
    own = {
        key: poetry[key] for key in ("dependencies", "source", "extras", "dev-dependencies", "group") if key in poetry
    }
    # Without [project], and for Poetry before 2.0, keys that are missing are null.
    older = {**dict.fromkeys(("dependencies", "source", "extras", "dev-dependencies")), **own}
    with_project = {"project": project, "tool": {"poetry": own}} if project else {"tool": {"poetry": own}}
    contents = [older, with_project, {**with_project, "dependency-groups": groups}]
    return digest in {
        hashlib.sha256(json.dumps(each, sort_keys=True, default=str).encode()).hexdigest() for each in contents
    }


def locked_poetry_packages(
    lock: dict[str, Any], pyproject: dict[str, Any], groups: Collection[str] = (), extras: Collection[str] = ()
) -> LinesByIndex:
    """Return the packages that a complete poetry.lock installs, with versions and hashes, by the URL of their index.

    Args:
        lock: the lock file.
        pyproject: the project's pyproject.toml, which has the names of the indexes.
        groups: dependency groups to install in addition to ``main``.
        extras: extras of the project to install.

    Raises:
        PackagingError: the lock file has no such group or extra.
    """
    packages = lock.get("package", [])
    _check_names(
        "--group", groups, _poetry_groups(pyproject) | {g for each in packages for g in each.get("groups", [])}
    )
    _check_names("--extra", extras, lock.get("extras", {}))
    chosen = {"main", *groups}
    by_index: LinesByIndex = {}
    for package in packages:
        package_groups = chosen.intersection(package.get("groups", ["main"]))
        if not package_groups:
            continue
        marker = _poetry_marker(package.get("markers"), package_groups, extras)
        if marker is None:
            continue
        source = package.get("source", {})
        index = _with_poetry_credentials(source) if source.get("type") == "legacy" else None
        line = f"{package['name']}{_locked_version(package)}{f' ; {marker}' if marker else ''}"
        if source.get("type") in (None, "legacy", "file", "url"):
            line += "".join(f" --hash={file['hash']}" for file in package.get("files", []) if "hash" in file)
        by_index.setdefault(index, []).append(line)
    return by_index


def _locked_version(package: dict[str, Any]) -> str:
    """Return the version or the location of a package in a poetry.lock, as in a requirement."""
    source = package.get("source", {})
    match source.get("type"):
        case "git":
            revision = source.get("resolved_reference") or source.get("reference")
            return f" @ {git_url({**source, 'git': source['url']}, revision)}"
        case "directory" | "file":
            path = source["url"]
            return f" @ {path if path.startswith(('/', '.')) else f'./{path}'}"
        case "url":
            return f" @ {source['url']}"
    return f"=={package['version']}"


def _poetry_marker(
    markers: str | dict[str, str] | None, groups: Collection[str], extras: Collection[str]
) -> str | None:
    """Return the marker of a locked package, without conditions on extras; ``""`` without one, None if none applies.

    Args:
        markers: one marker for all groups, or one for each group, or none.
        groups: those of the package's groups that are installed.
        extras: the extras that are installed.
    """
    if isinstance(markers, dict):
        each = [markers.get(group) for group in sorted(groups)]
        markers = None if None in each else " or ".join(f"({marker})" for marker in each)
    if not markers:
        return ""
    unmet = {name for name in re.findall(r'extra == "([^"]*)"', markers) if name not in extras}

    def condition(match: re.Match[str]) -> str:
        return f'python_version {"<" if match[1] in unmet else ">"} "0"'

    markers = re.sub(r'extra == "([^"]*)"', condition, markers)
    return None if markers == 'python_version < "0"' else markers


def _poetry_groups(pyproject: dict[str, Any]) -> set[str]:
    return {*pyproject.get("tool", {}).get("poetry", {}).get("group", {}), *pyproject.get("dependency-groups", {})}


def _check_names(option: str, names: Collection[str], known: Collection[str]) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise PackagingError(
            f"{option} {unknown[0]}: poetry.lock has no such name. It has: {', '.join(sorted(known)) or 'none'}."
        )


def _with_poetry_credentials(source: dict[str, Any]) -> str:
    """Return the URL of an index with the user and password that Poetry is configured with.

    https://python-poetry.org/docs/repositories/#configuring-credentials
    """
    url: str = source["url"]
    name: str = source.get("reference", "")
    variable = f"POETRY_HTTP_BASIC_{re.sub(r'[-.]', '_', name).upper()}"
    user, password = os.environ.get(f"{variable}_USERNAME"), os.environ.get(f"{variable}_PASSWORD", "")
    if user is None:
        config = Path(os.environ.get("POETRY_CONFIG_DIR") or Path.home() / ".config" / "pypoetry")
        try:
            auth = tomllib.loads((config / "auth.toml").read_text(encoding="utf-8")).get("http-basic", {}).get(name, {})
        except (OSError, ValueError):
            auth = {}
        user, password = auth.get("username"), auth.get("password", "")
    parts = urlsplit(url)
    if user is None or parts.username:
        return url
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}").geturl()


def poetry_indexes(lock: dict[str, Any]) -> list[str]:
    """Return the URLs of the indexes that the packages in a poetry.lock come from, in addition to the default one."""
    sources = [package.get("source", {}) for package in lock.get("package", [])]
    urls = [_with_poetry_credentials(source) for source in sources if source.get("type") == "legacy"]
    return list(dict.fromkeys(urls))


def poetry_sources(pyproject: dict[str, Any]) -> tuple[str | None, list[str], dict[str, str]]:
    """Return the indexes of a Poetry project without a lock.

    https://python-poetry.org/docs/repositories/#package-sources

    Returns:
        The URL of the index that takes the place of PyPI, or None; the URLs of additional indexes; and the URL of the
        index of each package that comes from a certain one.
    """
    poetry = pyproject.get("tool", {}).get("poetry", {})
    urls: dict[str, str] = {"pypi": "https://pypi.org/simple"}
    primary: list[str] = []
    extra: list[str] = []
    for source in poetry.get("source", []):
        name = str(source.get("name", ""))
        url = source.get("url", urls["pypi"])
        urls[name.lower()] = _with_poetry_credentials({"url": url, "reference": name})
        older = "default" if source.get("default") else "secondary" if source.get("secondary") else "primary"
        priority = source.get("priority", older)
        if priority != "explicit":
            (primary if priority in ("default", "primary") else extra).append(urls[name.lower()])
    tables = [
        poetry.get("dependencies", {}),
        *(group.get("dependencies", {}) for group in poetry.get("group", {}).values()),
    ]
    explicit = {
        normalized_name(name): urls[value["source"].lower()]
        for table in tables
        for name, value in table.items()
        if isinstance(value, dict) and str(value.get("source", "")).lower() in urls
    }
    return next(iter(primary), None), [*primary[1:], *extra], explicit


def poetry_requirements(
    pyproject: dict[str, Any],
    lock: dict[str, Any] | None = None,
    groups: Collection[str] = (),
    extras: Collection[str] = (),
) -> list[str]:
    """Return the dependencies in a Poetry project's pyproject.toml, without optional ones.

    Args:
        pyproject: the content of pyproject.toml.
        lock: the content of a poetry.lock, which decides versions, and the commits of repositories.
        groups: dependency groups to add.
        extras: extras whose optional dependencies are added.

    Raises:
        PackagingError: a version is neither Poetry's nor PEP 440's, or there is no such group or extra.
    """
    project, poetry = pyproject.get("project", {}), pyproject.get("tool", {}).get("poetry", {})
    tables = [poetry.get("dependencies", {})]
    poetry_groups = {"dev": {"dependencies": poetry.get("dev-dependencies", {})}, **poetry.get("group", {})}
    for group in groups:
        if group not in poetry_groups:
            raise PackagingError(f"--group {group}: pyproject.toml has only the groups {', '.join(poetry_groups)}.")
        tables.append(poetry_groups[group].get("dependencies", {}))
    lines: list[str] = list(project.get("dependencies", []))
    optional: set[str] = set()
    for extra in extras:
        if extra not in {**project.get("optional-dependencies", {}), **poetry.get("extras", {})}:
            raise PackagingError(f"--extra {extra}: pyproject.toml has no such extra.")
        lines += project.get("optional-dependencies", {}).get(extra, [])
        optional |= {normalized_name(name) for name in poetry.get("extras", {}).get(extra, [])}
    locked = {normalized_name(package["name"]): package for package in (lock or {}).get("package", [])}
    # A package in both tables has its version in [project]; Poetry's table adds only where it comes from.
    in_project = {normalized_name(line) for line in lines}
    for name, value in ((name, value) for table in tables for name, value in table.items()):
        normalized = normalized_name(name)
        if normalized == "python" or (normalized in in_project and not isinstance(value, dict)):
            continue
        for each in value if isinstance(value, list) else [value]:
            dependency = each if isinstance(each, dict) else {"version": each}
            if dependency.get("optional") and normalized not in optional:
                continue
            line = _poetry_line(name, dependency, locked.get(normalized))
            if "@" in line or normalized not in in_project:
                lines = [other for other in lines if "@" not in line or normalized_name(other) != normalized]
                lines.append(line)
    return [_pinned_location(line, locked.get(normalized_name(line)), lock or {}) for line in lines]


def _pinned_location(line: str, locked: dict[str, Any] | None, lock: dict[str, Any]) -> str:
    """Return a requirement from a repository at the commit in the lock, or from a file with its hashes.

    Other requirements are returned unchanged.
    """
    before, at, after = line.partition("@")
    if locked is None or not at:
        return line
    kind = locked.get("source", {}).get("type")
    if kind == "git":
        marker = re.search(r"\s;.*$", after)
        return f"{before.rstrip()}{_locked_version(locked)}{marker[0] if marker else ''}"
    return " ".join([line, *_hashes(locked, lock)]) if kind in ("file", "url") else line


def _hashes(package: dict[str, Any], lock: dict[str, Any]) -> list[str]:
    """Return the options with the hashes of a package's files.

    Locks before Poetry 1.3 have the files of all packages in one table.
    """
    files = package.get("files") or lock.get("metadata", {}).get("files", {}).get(package["name"], [])
    return [f"--hash={file['hash']}" for file in files if "hash" in file]


def poetry_constraints(lock: dict[str, Any]) -> list[str]:
    """Return the packages of a poetry.lock as pip constraints, with versions and hashes.

    As constraints, because a lock without markers does not have the packages that a target needs; the installer finds
    them from the project's dependencies.
    """
    packages = lock.get("package", [])
    versions = Counter(package["name"] for package in packages)
    lines = []
    for package in packages:
        source = package.get("source", {})
        if source.get("type") in ("directory", "file", "url"):
            continue  # the project's dependency names the source
        line = f"{package['name']}{_locked_version(package)}"
        if versions[package["name"]] > 1:
            # One version for each marker. Locks before Poetry 2 have no markers, so that no version is known to apply.
            marker = package.get("markers")
            if not marker:
                continue
            marker = " or ".join(f"({each})" for each in marker.values()) if isinstance(marker, dict) else marker
            line += f" ; {marker}"
        hashes = [] if source.get("type") == "git" else _hashes(package, lock)
        lines.append(" ".join([line, *hashes]))
    return lines


def _poetry_line(name: str, dependency: dict[str, Any], locked: dict[str, Any] | None) -> str:
    if "git" in dependency:
        revision = dependency.get("rev") or dependency.get("tag") or dependency.get("branch")
        version = f" @ {git_url(dependency, revision)}"
    elif location := dependency.get("url") or dependency.get("path"):
        is_path = "url" not in dependency and not re.match(r"[./]|\w:", location)
        version = f" @ {'./' if is_path else ''}{location}"
    else:
        clauses = [] if locked else _version_clauses(name, str(dependency.get("version", "*")))
        version = ",".join(f"{operator}{number}" for operator, number in clauses)
    markers = [f"({dependency['markers']})"] if dependency.get("markers") else []
    markers += [f"({marker})" for marker in _python_markers(name, str(dependency.get("python", "*")))]
    marker = " and ".join(markers)
    return f"{name}{extras_suffix(dependency)}{version}" + (f" ; {marker}" if marker else "")


def _python_markers(name: str, text: str) -> Iterator[str]:
    """Yield a marker for a range of Python versions, unless it is ``*``."""
    alternatives = []
    for alternative in re.split(r"\s*\|\|?\s*", text):
        clauses = _version_clauses(name, alternative)
        alternatives.append(
            " and ".join(
                f"{'python_version' if number.count('.') < 2 or '*' in number else 'python_full_version'} "
                f"{operator} '{number}'"
                for operator, number in clauses
            )
        )
    if all(alternatives):
        yield " or ".join(alternatives)


def _version_clauses(name: str, text: str) -> list[tuple[str, str]]:
    """Return a version range of Poetry as PEP 440's operators with their versions.

    https://python-poetry.org/docs/dependency-specification/
    """
    clauses: list[tuple[str, str]] = []
    for part in re.split(r"\s*,\s*|(?<=[\d*])\s+(?=[<>=!~^])", text.strip()):
        match = re.fullmatch(r"(\^|~=|~|>=|<=|==|!=|>|<|=)?\s*([\w.*+!-]+)", part)
        if match is None:
            raise PackagingError(
                f"pyproject.toml: {name} has the version {text!r}, which is not supported without a lock file. Create "
                "one with `poetry lock`, write the version as in ^1.2 or >=1.2,<2, or name a requirements file with "
                "--requirements."
            )
        operator, version = match[1] or "==", match[2]
        if version == "*":
            continue
        if operator in ("^", "~"):
            clauses += [(">=", version), ("<", _upper_bound(version, is_caret=operator == "^"))]
        else:
            clauses.append(("==" if operator == "=" else operator, version))
    return clauses


def _upper_bound(version: str, *, is_caret: bool) -> str:
    """Return the lowest version that ``^version`` or ``~version`` excludes."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(number) for number in match[0].split(".")] if match else [0]
    if is_caret:  # the first number that is not 0 may not change
        index = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    else:
        index = min(1, len(numbers) - 1)
    return ".".join(map(str, [*numbers[:index], numbers[index] + 1]))
