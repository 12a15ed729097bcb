"""``[tool.bridge]`` in pyproject.toml: defaults for the options of the command line."""

from __future__ import annotations

import re
import shlex
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import CommandError, UsageError
from bridge.dev.gateway import SOURCES
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_FILE_NAME = "pyproject.toml"
RESPONSE_MODES = ("stream", "buffer")


def is_stage(value: Any) -> bool:
    """Whether *value* is the name of a stage of API Gateway, ``$default`` included."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]+|\$default", value.strip("/")) is not None


def _is_string(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# A check of a key's value, and the values that pass it.
_Rule = tuple["Callable[[Any], bool]", str]
_SWITCH: _Rule = (lambda value: isinstance(value, bool), "true or false")
_COUNT: _Rule = (
    lambda value: _is_number(value) and isinstance(value, int) and value >= 1,
    "a whole number of at least 1",
)


def _string(example: str) -> _Rule:
    return _is_string, f"a string, as in {example}"


def _strings(example: str) -> _Rule:
    return lambda value: isinstance(value, list) and all(map(_is_string, value)), f"a list of strings, as in {example}"


def _choice(values: Iterable[str]) -> _Rule:
    choices = list(values)  # `in` a mapping raises TypeError for a list
    return lambda value: value in choices, f"one of {', '.join(choices)}"


# The rule of each key, which is the name of the long option that it is the default of.
KEYS: dict[str, _Rule] = {
    "app": _string('app = "app:app"'),
    "source": _choice(SOURCES),
    "stage": (is_stage, 'a string, as in stage = "prod"'),
    "base-path": _string('base-path = "/shop"'),
    "binary-media-types": _strings('binary-media-types = ["image/*"]'),
    "timeout": (lambda value: _is_number(value) and 0 < value < float("inf"), "a number of seconds above 0"),
    "env-file": _string('env-file = ".env"'),
    "host": _string('host = "0.0.0.0"'),
    "port": (
        lambda value: _is_number(value) and isinstance(value, int) and 0 <= value < 65_536,
        "a number from 0 to 65535",
    ),
    "threads": _COUNT,
    "reload": _SWITCH,
    "debugger": _SWITCH,
    "runtime": _SWITCH,
    "response-mode": _choice(RESPONSE_MODES),
    "concurrency": _COUNT,
    "sandboxes": _COUNT,
    "python": (
        lambda value: isinstance(value, str) and re.fullmatch(r"3\.\d+", value) is not None,
        'a string, as in python = "3.13"',
    ),
    "arch": _choice(MACHINES),
    "platform": _string('platform = "manylinux_2_28"'),
    "requirements": _strings('requirements = ["requirements/prod.txt"]'),
    "pip-args": _strings('pip-args = ["--index-url", "https://pypi.example.com/simple"]'),
    "exclude": _strings('exclude = ["/docs/"]'),
    "include": _strings('include = ["/static/"]'),
    "slim": _SWITCH,
    "text-types": _strings('text-types = ["application/x-tex"]'),
}


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
    for key, value in table.items():
        _check(key, value)
    return table


def options(folder: Path) -> dict[str, Any]:
    """Return the table as the command line has its options, by their names in :mod:`argparse`.

    ``app`` is missing: the environment variable ``BRIDGE_APP`` takes precedence over it.

    Raises:
        UsageError: a key is unknown, or its value is invalid.
        CommandError: the file cannot be read.
    """
    defaults = {key.replace("-", "_"): value for key, value in read(folder).items() if key != "app"}
    for name in ("binary_media_types", "text_types"):
        if name in defaults:
            defaults[name] = ",".join(defaults[name])
    if "pip_args" in defaults:
        defaults["pip_args"] = shlex.join(defaults["pip_args"])
    patterns = [*defaults.pop("exclude", []), *(f"!{pattern}" for pattern in defaults.pop("include", []))]
    return defaults | {"patterns": patterns} if patterns else defaults


def _check(key: str, value: Any) -> None:
    if key not in KEYS:
        near = get_close_matches(key.replace("_", "-").lower(), KEYS, 1)
        hint = f"did you mean {near[0]!r}? The" if near else "the"
        raise UsageError(f"{_FILE_NAME}: [tool.bridge] has no key {key!r}; {hint} keys are: {', '.join(KEYS)}.")
    is_valid, valid_values = KEYS[key]
    if not is_valid(value):
        near = get_close_matches(value, SOURCES, 1) if key == "source" and isinstance(value, str) else []
        hint = f"did you mean {near[0]!r}? It" if near else "it"
        raise UsageError(f"{_FILE_NAME}: [tool.bridge] {key} is {value!r}; {hint} must be {valid_values}.")
