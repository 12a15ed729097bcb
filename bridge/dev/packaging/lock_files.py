"""Poetry's pyproject.toml and poetry.lock as lines of requirements.

The lock pins and hashes everything, and what of it a target needs the installer finds from what the project asks for:
so the lock is a file of constraints, and its groups, extras and conditions need no second reading here.
"""

from __future__ import annotations

import re
from typing import Any

from bridge.dev.packaging import PackagingError


def requirements(content: dict[str, Any]) -> list[str]:
    """What the project asks for, from the content of its pyproject.toml."""
    lines = list(content.get("project", {}).get("dependencies", []))
    asked: dict[str, Any] = content.get("tool", {}).get("poetry", {}).get("dependencies", {})
    known = {_name(line) for line in lines}
    for name, wanted in asked.items():
        if name.lower() == "python" or (_name(name) in known and not isinstance(wanted, dict)):
            continue
        for each in wanted if isinstance(wanted, list) else [wanted]:
            line = _line(name, each)
            if line is not None and not (_name(name) in known and "@" not in line):
                lines.append(line)
    return lines


def pins(content: dict[str, Any]) -> list[str]:
    """The content of a poetry.lock as constraints, with hashes."""
    versions: dict[str, int] = {}
    packages = content.get("package", [])
    for package in packages:
        versions[package["name"]] = versions.get(package["name"], 0) + 1
    lines = []
    for package in packages:
        source = package.get("source", {})
        if source.get("type") in ("git", "directory", "file", "url"):
            continue  # what the project asks for names it
        line = f"{package['name']}=={package['version']}"
        marker = package.get("markers")
        if versions[package["name"]] > 1:
            # One version for each of several conditions: without a condition (before Poetry 2) none is right for all.
            if not marker:
                continue
            marker = " or ".join(f"({each})" for each in marker.values()) if isinstance(marker, dict) else marker
            line += f" ; {marker}"
        hashes = [file["hash"] for file in package.get("files", []) if "hash" in file]
        lines.append(" ".join([line, *(f"--hash={each}" for each in hashes)]))
    return lines


def _line(name: str, wanted: Any) -> str | None:
    table = wanted if isinstance(wanted, dict) else {"version": wanted}
    if table.get("optional"):
        return None
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    place = _place(table)
    version = _version(name, str(table.get("version", "*"))) if place is None else f" @ {place}"
    conditions = [f"({table['markers']})"] if table.get("markers") else []
    if "python" in table:
        conditions += [f"python_version {each}" for each in _clauses(name, str(table["python"]), quoted=True)]
    return f"{name}{extras}{version}" + (f" ; {' and '.join(conditions)}" if conditions else "")


def _place(table: dict[str, Any]) -> str | None:
    if "git" in table:
        revision = table.get("rev") or table.get("tag") or table.get("branch")
        below = f"#subdirectory={table['subdirectory']}" if "subdirectory" in table else ""
        address = re.sub(r"^git@([^:]+):", r"ssh://git@\1/", table["git"])
        return f"git+{address}{'@' + revision if revision else ''}{below}"
    return table.get("url") or table.get("path")


def _version(name: str, text: str) -> str:
    return ",".join(_clauses(name, text))


def _clauses(name: str, text: str, *, quoted: bool = False) -> list[str]:
    """Poetry's version ranges as those of PEP 440: https://python-poetry.org/docs/dependency-specification/."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"\s*,\s*|(?<=[\d*])\s+(?=[<>=!~^])", text.strip()):
        match = re.fullmatch(r"(\^|~=|~|>=|<=|==|!=|>|<|=)?\s*([\w.*+!-]+)", part)
        if match is None:
            raise PackagingError(f"{name} = {text!r} in pyproject.toml is no version that is understood here.")
        sign, version = match[1] or "==", match[2]
        if version == "*":
            continue
        if sign in ("^", "~"):
            found += [(">=", version), ("<", _next(version, caret=sign == "^"))]
        else:
            found.append(("==" if sign == "=" else sign, version))
    quote = "'" if quoted else ""
    return [f"{sign}{' ' if quoted else ''}{quote}{version}{quote}" for sign, version in found]


def _next(version: str, *, caret: bool) -> str:
    """The first version that ``^version`` or ``~version`` leaves out."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(number) for number in found[0].split(".")] if found else [0]
    if caret:
        place = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    else:
        place = min(1, len(numbers) - 1)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1]))


def _name(line: str) -> str:
    """The name at the beginning of a requirement, as PEP 503 writes it."""
    found = re.match(r"[\w.-]+", line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
