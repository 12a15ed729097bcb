"""Reads the indexes of pip's configuration, which uv ignores.

https://pip.pypa.io/en/stable/topics/configuration/
"""

from __future__ import annotations

import configparser
import os
import sys
import tomllib
from pathlib import Path

# https://docs.astral.sh/uv/reference/environment/
_UV_VARIABLES = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
_UV_SETTINGS = ("index-url", "extra-index-url", "find-links", "no-index")


def uv_index_options(folder: Path) -> list[str]:
    """Return options of uv for the indexes in pip's configuration; none if uv is configured with indexes.

    All indexes are then searched for the best version, as pip does.

    Args:
        folder: the folder in which uv runs.
    """
    if any(os.environ.get(name) for name in _UV_VARIABLES) or _configures_index(folder):
        return []
    settings = _pip_settings()
    options = []
    if index := settings.get("index-url"):
        options += ["--default-index", index]
    for url in settings.get("extra-index-url", "").split():
        options += ["--index", url]
    for location in settings.get("find-links", "").split():
        options += ["--find-links", location]
    for host in settings.get("trusted-host", "").split():
        options += ["--allow-insecure-host", host]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    return [*options, "--index-strategy", "unsafe-best-match"] if options else []


def _pip_settings() -> dict[str, str]:
    """Return pip's settings: files, and before them environment variables."""
    settings: dict[str, str] = {}
    for file in _files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def _files() -> list[Path]:
    """Return the paths of pip's configuration files, the one with the last word last."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path.home()
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = [Path(each) / "pip" for each in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")]
    if sys.platform == "darwin":
        system, config_home = [Path("/Library/Application Support/pip")], home / "Library" / "Application Support"
        config_home = config_home if (config_home / "pip").is_dir() else home / ".config"
    files = [*(folder / "pip.conf" for folder in system), Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
    files += [config_home / "pip" / "pip.conf", Path(os.environ.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf"]
    return [*files, Path(named)] if named else files


def _configures_index(folder: Path) -> bool:
    """Return whether a configuration file of uv names an index."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    candidates = [
        config / "uv" / "uv.toml",
        Path("/etc/uv/uv.toml"),
        Path(os.environ.get("UV_CONFIG_FILE") or "uv.toml"),
    ]
    for parent in (folder, *folder.parents):
        candidates += [parent / "uv.toml", parent / "pyproject.toml"]
    for file in candidates:
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        table = content.get("tool", {}).get("uv", {}) if file.name == "pyproject.toml" else content
        indexes = [index for index in table.get("index", []) if not index.get("explicit")]
        if indexes or any(name in settings for settings in (table, table.get("pip", {})) for name in _UV_SETTINGS):
            return True
    return False
