"""Reading ``[tool.bridge]`` in pyproject.toml: defaults for the options of the command line.

A table such as ``[tool.bridge.stages.prod]`` has the defaults that apply to one stage instead.
"""

from __future__ import annotations

import shlex
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError, UsageError
from bridge.dev.gateway import FRONT_DOORS
from bridge.dev.projects.option_defaults import KEYS, sources_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_FILE_NAME = "pyproject.toml"
_STAGES = "stages"
# A project has one application, and a stage one name.
_NOT_IN_STAGES = ("app", "stage")
_TABLES = ("env", "secret", "tag")


def read(folder: Path) -> dict[str, Any]:
    """Return the table by its keys; an empty mapping if there is no file or table.

    Raises:
        UsageError: a key is unknown, or its value is invalid.
        CommandError: the file cannot be read.
    """
    file = folder / _FILE_NAME
    if not file.is_file():
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{_FILE_NAME} cannot be read: {error}") from None
    table = content["tool"].get("bridge", {}) if isinstance(content.get("tool"), dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{_FILE_NAME}: tool.bridge is {table!r}; it must be a table, [tool.bridge], of options.")
    stages = table.pop(_STAGES, {})
    _check_table("[tool.bridge]", table, KEYS)
    if not isinstance(stages, dict) or not all(isinstance(each, dict) for each in stages.values()):
        raise UsageError(
            f"{_FILE_NAME}: tool.bridge.stages is {stages!r}; it must have a table for each stage, such as "
            "[tool.bridge.stages.prod]."
        )
    keys = [key for key in KEYS if key not in _NOT_IN_STAGES]
    for name, stage in stages.items():
        _check_table(f"[tool.bridge.stages.{name}]", stage, keys)
    return table | {_STAGES: stages} if stages else table


def read_stage(folder: Path, stage: str) -> dict[str, Any]:
    """Return the table of a stage by its keys, without those of ``[tool.bridge]``; empty if there is none."""
    table: dict[str, Any] = read(folder).get(_STAGES, {}).get(stage, {})
    return table


def options(folder: Path, stage: str = "") -> dict[str, Any]:
    """Return the table as the command line has its options, by their names in :mod:`argparse`.

    ``app`` is missing: the environment variable ``BRIDGE_APP`` takes precedence over it.

    Args:
        folder: the project.
        stage: the stage whose table wins over ``[tool.bridge]``; the environment variables, secrets and tags of both
            are joined.

    Raises:
        UsageError: a key is unknown, or its value is invalid.
        CommandError: the file cannot be read.
    """
    table = read(folder)
    own = table.pop(_STAGES, {}).get(stage, {})
    table |= {key: {**table.get(key, {}), **value} if key in _TABLES else value for key, value in own.items()}
    defaults = {key.replace("-", "_"): value for key, value in table.items() if key != "app"}
    if "source" in defaults:
        source, has_websockets = sources_of(defaults.pop("source")) or (None, False)
        defaults |= ({"source": source} if source else {}) | ({"websocket": True} if has_websockets else {})
    for name in ("binary_media_types", "text_types", "vpc"):
        if name in defaults:
            defaults[name] = ",".join(defaults[name])
    if "pip_args" in defaults:
        defaults["pip_args"] = shlex.join(defaults["pip_args"])
    patterns = [*defaults.pop("exclude", []), *(f"!{pattern}" for pattern in defaults.pop("include", []))]
    return defaults | {"patterns": patterns} if patterns else defaults


def _check_table(name: str, table: dict[str, Any], keys: Collection[str]) -> None:
    for key, value in table.items():
        if key not in keys:
            near = get_close_matches(key.replace("_", "-").lower(), keys, 1)
            hint = f"did you mean {near[0]!r}? The" if near else "the"
            raise UsageError(f"{_FILE_NAME}: {name} has no key {key!r}; {hint} keys are: {', '.join(keys)}.")
        is_valid, valid_values = KEYS[key]
        if not is_valid(value):
            near = get_close_matches(value, FRONT_DOORS, 1) if key == "source" and isinstance(value, str) else []
            hint = f"did you mean {near[0]!r}? It" if near else "it"
            raise UsageError(f"{_FILE_NAME}: {name} {key} is {value!r}; {hint} must be {valid_values}.")
