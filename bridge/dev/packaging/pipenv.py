"""Pipfile.lock as lines of requirements."""

from __future__ import annotations

import json
import re
from typing import Any


def requirements(text: str) -> list[str]:
    """What a Pipfile.lock installs without ``--dev``, pinned and with hashes.

    Raises:
        ValueError: it is none.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get("default"), dict):
        raise ValueError("it has no default packages")
    sources = content.get("_meta", {}).get("sources", [])
    urls = [source["url"] for source in sources if "url" in source and "${" not in source["url"]]
    options = [f"{'--extra-index-url' if place else '--index-url'} {url}" for place, url in enumerate(urls)]
    return [*options, *(_line(name, package) for name, package in content["default"].items())]


def _line(name: str, package: dict[str, Any]) -> str:
    extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
    marker = f" ; {package['markers']}" if package.get("markers") else ""
    if "git" in package:
        address = re.sub(r"^git@([^:]+):", r"ssh://git@\1/", package["git"])
        below = f"#subdirectory={package['subdirectory']}" if "subdirectory" in package else ""
        return f"{name}{extras} @ git+{address}@{package.get('ref', 'HEAD')}{below}{marker}"
    if place := package.get("path") or package.get("file"):
        return f"{place}{extras}{marker}"
    hashes = "".join(f" --hash={each}" for each in package.get("hashes", []))
    return f"{name}{extras}{package.get('version', '').replace('*', '')}{marker}{hashes}"
