"""Converts the files of Poetry and Pipenv to the lines of a requirements file."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from bridge.dev.packaging import PackagingError


def pipenv_requirements(lock: str) -> list[str]:
    """Return the packages that a Pipfile.lock installs without ``--dev``, with versions and hashes.

    Args:
        lock: the text of the lock file.

    Raises:
        ValueError: the text is not a lock file.
    """
    content = json.loads(lock)
    if not isinstance(content, dict) or not isinstance(content.get("default"), dict):
        raise ValueError('it has no section "default"')
    sources = content.get("_meta", {}).get("sources", [])
    urls = [source["url"] for source in sources if "url" in source and "${" not in source["url"]]
    options = [f"{'--extra-index-url' if index else '--index-url'} {url}" for index, url in enumerate(urls)]
    return [*options, *(_pipenv_line(name, package) for name, package in content["default"].items())]


def _pipenv_line(name: str, package: dict[str, Any]) -> str:
    extras, marker = _extras(package), f" ; {package['markers']}" if package.get("markers") else ""
    if "git" in package:
        return f"{name}{extras} @ {_git_url(package, package.get('ref', 'HEAD'))}{marker}"
    if path := package.get("path") or package.get("file"):
        return f"{path}{extras}{marker}"
    hashes = "".join(f" --hash={each}" for each in package.get("hashes", []))
    return f"{name}{extras}{package.get('version', '').replace('*', '')}{marker}{hashes}"


def poetry_requirements(pyproject: dict[str, Any]) -> list[str]:
    """Return the dependencies in a Poetry project's pyproject.toml, without optional ones and groups.

    Raises:
        PackagingError: a version is neither Poetry's nor PEP 440's.
    """
    lines: list[str] = list(pyproject.get("project", {}).get("dependencies", []))
    table: dict[str, Any] = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
    # A package in both tables has its version in [project]; Poetry's table adds only where it comes from.
    in_project = {_normalized_name(line) for line in lines}
    for name, value in table.items():
        if name.lower() == "python" or (_normalized_name(name) in in_project and not isinstance(value, dict)):
            continue
        for dependency in value if isinstance(value, list) else [value]:
            line = _poetry_line(name, dependency if isinstance(dependency, dict) else {"version": dependency})
            if line is not None and ("@" in line or _normalized_name(name) not in in_project):
                lines.append(line)
    return lines


def poetry_constraints(lock: dict[str, Any]) -> list[str]:
    """Return the packages of a poetry.lock as pip constraints, with versions and hashes.

    As constraints, because the installer finds the packages that a target needs from the project's dependencies; so
    the lock's groups, extras and markers need not be evaluated here.
    """
    packages = lock.get("package", [])
    versions = Counter(package["name"] for package in packages)
    lines = []
    for package in packages:
        if package.get("source", {}).get("type") in ("git", "directory", "file", "url"):
            continue  # the project's dependency names the source
        line = f"{package['name']}=={package['version']}"
        if versions[package["name"]] > 1:
            # One version for each marker. Locks before Poetry 2 have no markers, so that no version is known to apply.
            marker = package.get("markers")
            if not marker:
                continue
            marker = " or ".join(f"({each})" for each in marker.values()) if isinstance(marker, dict) else marker
            line += f" ; {marker}"
        hashes = [f"--hash={file['hash']}" for file in package.get("files", []) if "hash" in file]
        lines.append(" ".join([line, *hashes]))
    return lines


def _poetry_line(name: str, dependency: dict[str, Any]) -> str | None:
    if dependency.get("optional"):
        return None
    if "git" in dependency:
        revision = dependency.get("rev") or dependency.get("tag") or dependency.get("branch")
        version = f" @ {_git_url(dependency, revision)}"
    elif location := dependency.get("url") or dependency.get("path"):
        version = f" @ {location}"
    else:
        clauses = _version_clauses(name, str(dependency.get("version", "*")))
        version = ",".join(f"{operator}{number}" for operator, number in clauses)
    markers = [f"({dependency['markers']})"] if dependency.get("markers") else []
    if "python" in dependency:
        clauses = _version_clauses(name, str(dependency["python"]))
        markers += [f"python_version {operator} '{number}'" for operator, number in clauses]
    return f"{name}{_extras(dependency)}{version}" + (f" ; {' and '.join(markers)}" if markers else "")


def _version_clauses(name: str, text: str) -> list[tuple[str, str]]:
    """Return a version range of Poetry as PEP 440's operators with their versions.

    https://python-poetry.org/docs/dependency-specification/
    """
    clauses: list[tuple[str, str]] = []
    for part in re.split(r"\s*,\s*|(?<=[\d*])\s+(?=[<>=!~^])", text.strip()):
        match = re.fullmatch(r"(\^|~=|~|>=|<=|==|!=|>|<|=)?\s*([\w.*+!-]+)", part)
        if match is None:
            raise PackagingError(
                f"pyproject.toml: {name} has the version {text!r}, which is not supported. Write it as in ^1.2 or "
                ">=1.2,<2, or name a requirements file with --requirements."
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


def _git_url(package: dict[str, Any], revision: str | None) -> str:
    url = re.sub(r"^git@([^:]+):", r"ssh://git@\1/", package["git"])
    subdirectory = f"#subdirectory={package['subdirectory']}" if "subdirectory" in package else ""
    return f"git+{url}{f'@{revision}' if revision else ''}{subdirectory}"


def _extras(package: dict[str, Any]) -> str:
    return f"[{','.join(package['extras'])}]" if package.get("extras") else ""


def _normalized_name(requirement: str) -> str:
    """Return the name at the beginning of a requirement: https://peps.python.org/pep-0503/#normalized-names."""
    match = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""
