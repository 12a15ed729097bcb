"""The options that may have a default in ``[tool.bridge]``, and the values that each of them takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bridge.dev.deploying.stack_settings import DEPLOYABLE_FRONT_DOORS, RETENTION_DAYS
from bridge.dev.gateway import FRONT_DOORS
from bridge.dev.packaging.target import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WEBSOCKET = "websocket"  # a front door beside the one for HTTP requests
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


def sources_of(value: Any) -> tuple[str | None, bool] | None:
    """The front door for HTTP requests, and whether there is a WebSocket API; None if the value is invalid."""
    names = value if isinstance(value, list) and len(value) == 2 else [value]
    doors = [name for name in names if name != WEBSOCKET]
    if len(doors) > 1 or not all(isinstance(name, str) and name in FRONT_DOORS for name in doors):
        return None
    return next(iter(doors), None), WEBSOCKET in names


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
        lambda value: sources_of(value) is not None,
        f'one of {", ".join(FRONT_DOORS)}, {WEBSOCKET}, or a list of two, as in source = ["http-api", "{WEBSOCKET}"]',
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
    "front-door": _choice(DEPLOYABLE_FRONT_DOORS),
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
