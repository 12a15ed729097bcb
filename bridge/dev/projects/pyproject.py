"""``[tool.bridge]`` in pyproject.toml: a project's own defaults for the options of the command line."""

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
    from collections.abc import Callable
    from pathlib import Path

_NAME = "pyproject.toml"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_stage(value: Any) -> bool:
    """Whether it is a stage's name, as API Gateway takes one; an HTTP API's ``$default``, too."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]+|\$default", value.strip("/")) is not None


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any, least: float, most: float = float("inf")) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < most


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_python(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"3\.\d+", value) is not None


RESPONSE_MODES = ("stream", "buffer")
_SWITCH = (_is_switch, "true or false")
# Each key is the long option of that name: whether a value is right, and what is.
KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "app": (_is_text, 'text, as in app = "app:app"'),
    "source": (lambda value: value in list(SOURCES), f"one of {', '.join(SOURCES)}"),
    "stage": (is_stage, 'text, as in stage = "prod"'),
    "base-path": (_is_text, 'text, as in base-path = "/shop"'),
    "binary-media-types": (_are_texts, 'a list of texts, as in binary-media-types = ["image/*"]'),
    "timeout": (lambda value: _is_number(value, 0) and value > 0, "a number of seconds above 0"),
    "env-file": (_is_text, 'text, as in env-file = ".env"'),
    "host": (_is_text, 'text, as in host = "0.0.0.0"'),
    "port": (lambda value: _is_number(value, 0, 65_536) and isinstance(value, int), "a number from 0 to 65535"),
    "threads": (lambda value: _is_number(value, 1) and isinstance(value, int), "a number from 1 on"),
    "reload": _SWITCH,
    "debugger": _SWITCH,
    "runtime": _SWITCH,
    "response-mode": (lambda value: value in RESPONSE_MODES, " or ".join(RESPONSE_MODES)),
    "concurrency": (lambda value: _is_number(value, 1) and isinstance(value, int), "a number from 1 on"),
    "sandboxes": (lambda value: _is_number(value, 1) and isinstance(value, int), "a number from 1 on"),
    "python": (_is_python, 'text, as in python = "3.13"'),
    "arch": (lambda value: value in list(MACHINES), " or ".join(MACHINES)),
    "platform": (_is_text, 'text, as in platform = "manylinux_2_28"'),
    "requirements": (_are_texts, 'a list of texts, as in requirements = ["requirements/prod.txt"]'),
    "pip-args": (_are_texts, 'a list of texts, as in pip-args = ["--index-url", "https://own.example/simple"]'),
    "exclude": (_are_texts, 'a list of texts, as in exclude = ["/docs/"]'),
    "include": (_are_texts, 'a list of texts, as in include = ["/static/"]'),
    "slim": _SWITCH,
    "text-types": (_are_texts, 'a list of texts, as in text-types = ["application/x-tex"]'),
}


def read(folder: Path) -> dict[str, Any]:
    """The project's defaults by key; nothing without the file or the table.

    Raises:
        UsageError: the table has a key that is none, or a wrong value.
        CommandError: the file cannot be read.
    """
    file = folder / _NAME
    if not file.is_file():
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{_NAME} cannot be read: {error}") from None
    table = content["tool"].get("bridge", {}) if isinstance(content.get("tool"), dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{_NAME}: tool.bridge is {table!r}; it must be a table, [tool.bridge], of options.")
    for key, value in table.items():
        _check(key, value)
    return table


def options(folder: Path) -> dict[str, Any]:
    """The same as the command line has them, but for the application, which ``BRIDGE_APP`` comes before."""
    found = {key.replace("-", "_"): value for key, value in read(folder).items() if key != "app"}
    for name in ("binary_media_types", "text_types"):
        if name in found:
            found[name] = ",".join(found[name])
    if "pip_args" in found:
        found["pip_args"] = shlex.join(found["pip_args"])
    patterns = [*found.pop("exclude", []), *(f"!{pattern}" for pattern in found.pop("include", []))]
    return found | {"patterns": patterns} if patterns else found


def _check(key: str, value: Any) -> None:
    if key not in KEYS:
        known = f"the keys are: {', '.join(KEYS)}."
        near = get_close_matches(key.replace("_", "-").lower(), KEYS, 1)
        known = f"did you mean {near[0]!r}? T{known[1:]}" if near else known
        raise UsageError(f"{_NAME}: [tool.bridge] has no key {key!r}; {known}")
    is_right, allowed = KEYS[key]
    if not is_right(value):
        near = get_close_matches(value, SOURCES, 1) if key == "source" and isinstance(value, str) else []
        meant = f"did you mean {near[0]!r}? It is" if near else "it must be"
        raise UsageError(f"{_NAME}: [tool.bridge] {key} is {value!r}; {meant} {allowed}.")
