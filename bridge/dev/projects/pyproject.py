"""``[tool.bridge]`` in pyproject.toml: defaults for the options of the command line.

A table such as ``[tool.bridge.stages.prod]`` has the defaults that apply to one stage instead.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.stack_settings import FRONT_DOORS, RETENTION_DAYS
from bridge.dev.errors import CommandError, UsageError
from bridge.dev.gateway import SOURCES
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

_FILE_NAME = "pyproject.toml"
_WEBSOCKET = "websocket"  # a front door beside the one for HTTP requests
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
_COUNT: _Rule = (lambda value: _is_whole_number(value, 1), "a whole number of at least 1")


def _string(example: str) -> _Rule:
    return _is_string, f"a string, as in {example}"


def _strings(example: str) -> _Rule:
    return lambda value: isinstance(value, list) and all(map(_is_string, value)), f"a list of strings, as in {example}"


def _choice(values: Iterable[str | int]) -> _Rule:
    choices = list(values)  # `in` a mapping raises TypeError for a list
    return lambda value: value in choices, f"one of {', '.join(map(str, choices))}"


def _sources_of(value: Any) -> tuple[str | None, bool] | None:
    """The front door for HTTP requests, and whether there is a WebSocket API; None if the value is invalid."""
    names = value if isinstance(value, list) and len(value) == 2 else [value]
    doors = [name for name in names if name != _WEBSOCKET]
    if len(doors) > 1 or not all(isinstance(name, str) and name in SOURCES for name in doors):
        return None
    return next(iter(doors), None), _WEBSOCKET in names


def _table(example: str) -> _Rule:
    def is_valid(value: Any) -> bool:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())

    return is_valid, f"a table of strings, as in {example}"


def _is_whole_number(value: Any, least: int) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= least


# The rule of each key, which is the name of the long option that it is the default of.
KEYS: dict[str, _Rule] = {
    "app": _string('app = "app:app"'),
    "source": (
        lambda value: _sources_of(value) is not None,
        f'one of {", ".join(SOURCES)}, {_WEBSOCKET}, or a list of two, as in source = ["http-api", "{_WEBSOCKET}"]',
    ),
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
    "inspector": _SWITCH,
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
    "group": _strings('group = ["aws"]'),
    "extra": _strings('extra = ["postgres"]'),
    "build": _strings('build = ["pandas"]'),
    "pip-args": _strings('pip-args = ["--index-url", "https://pypi.example.com/simple"]'),
    "exclude": _strings('exclude = ["/docs/"]'),
    "include": _strings('include = ["/static/"]'),
    "best-compression": _SWITCH,
    "slim": _SWITCH,
    "text-types": _strings('text-types = ["application/x-tex"]'),
    "name": _string('name = "shop"'),
    "front-door": _choice(FRONT_DOORS),
    "stream": _SWITCH,
    "memory": _COUNT,
    "env": _table('env = { TEA = "sencha" }'),
    "secret": _table('secret = { PASSWORD = "secretsmanager:shop:password" }'),
    "vpc": _strings('vpc = ["subnet-1", "subnet-2", "sg-1"]'),
    "reserved-concurrency": (lambda value: _is_whole_number(value, 0), "a whole number of at least 0"),
    "snap-start": _SWITCH,
    "listener": _string('listener = "arn:aws:elasticloadbalancing:…"'),
    "priority": _COUNT,
    "domain": _string('domain = "shop.example.com"'),
    "certificate": _string('certificate = "arn:aws:acm:…"'),
    "log-retention": _choice(RETENTION_DAYS),
    "bucket": _string('bucket = "my-artifacts"'),
    "tag": _table('tag = { team = "tea" }'),
    "region": _string('region = "eu-west-1"'),
    "profile": _string('profile = "work"'),
    "endpoint-url": _string('endpoint-url = "http://localhost:4566"'),
}
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
        source, has_websockets = _sources_of(defaults.pop("source")) or (None, False)
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
            near = get_close_matches(value, SOURCES, 1) if key == "source" and isinstance(value, str) else []
            hint = f"did you mean {near[0]!r}? It" if near else "it"
            raise UsageError(f"{_FILE_NAME}: {name} {key} is {value!r}; {hint} must be {valid_values}.")
