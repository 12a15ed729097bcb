"""Converts a Pipfile.lock of Pipenv to the lines of a requirements file."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge.dev.packaging import PackagingError
from bridge.dev.packaging.requirements_txt import extras_suffix, git_url

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.dev.packaging.requirements_txt import LinesByIndex


def pipenv_requirements(lock: str, groups: Collection[str] = ()) -> LinesByIndex:
    """Return the packages that a Pipfile.lock installs, with versions and hashes, by the URL of their index.

    Args:
        lock: the text of the lock file.
        groups: sections to install in addition to ``default``, such as ``develop``.

    Raises:
        PackagingError: the URL of an index contains an environment variable that is not set.
        ValueError: the text is not a lock file.
    """
    content = json.loads(lock)
    if not isinstance(content, dict) or not isinstance(content.get("default"), dict):
        raise ValueError('it has no section "default"')
    packages = dict(content["default"])
    for group in groups:
        if not isinstance(content.get(group), dict):
            raise PackagingError(
                f"--group {group}: Pipfile.lock has no such section, only "
                f"{', '.join(key for key in content if key != '_meta')}."
            )
        packages |= content[group]
    sources = content.get("_meta", {}).get("sources", [])
    urls = {source.get("name", str(index)): source["url"] for index, source in enumerate(sources)}
    by_index: LinesByIndex = {}
    first = next(iter(urls), None)
    for name, package in packages.items():
        url = urls.get(package.get("index", first), package.get("index"))
        index = None if url is None or "://" not in url else _expand_variables(url)
        by_index.setdefault(index, []).append(_pipenv_line(name, package))
    return by_index


def _expand_variables(url: str) -> str:
    """Return a URL of a Pipfile with environment variables, whose values may have any character."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in os.environ:
            raise PackagingError(
                f"Pipfile.lock: the index {url} needs the environment variable {name}, which is not set. Set it."
            )
        return quote(os.environ[name], safe="%")

    return re.sub(r"\$\{(\w+)\}|\$(\w+)", value, url)


def _pipenv_line(name: str, package: dict[str, Any]) -> str:
    extras, marker = extras_suffix(package), f" ; {package['markers']}" if package.get("markers") else ""
    if "git" in package:
        return f"{name}{extras} @ {git_url(package, package.get('ref', 'HEAD'))}{marker}"
    if path := package.get("path") or package.get("file"):
        return f"{path}{extras}{marker}"
    hashes = "".join(f" --hash={each}" for each in package.get("hashes", []))
    return f"{name}{extras}{package.get('version', '').replace('*', '')}{marker}{hashes}"
