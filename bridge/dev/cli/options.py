"""Options that several commands have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bridge.dev.errors import UsageError
from bridge.dev.gateway import SOURCES
from bridge.dev.projects.pyproject import RESPONSE_MODES, is_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_SOURCE = "http-api"
THREADS, SANDBOXES = 16, 4
# What describes a front door, with what stands for nothing; and what only some front doors have.
_FRONT_DOOR = {"source": None, "stage": "", "base_path": "", "binary_media_types": "", "timeout": None}
_ONLY = {"stage": ("rest-api", "http-api", "http-api-v1"), "binary_media_types": ("rest-api",)}

# What means nothing beside --runtime, without it, and beside --plain; with what stands for nothing, and why.
_BESIDE_RUNTIME = {
    "debugger": (False, "the debugger is in the server's process, and --runtime has the function in one of its own"),
    "threads": (THREADS, "--sandboxes and --concurrency say how many requests a function answers at once"),
}
_ONLY_WITH_RUNTIME = {"response_mode": None, "concurrency": 1, "sandboxes": SANDBOXES}

_APP_HELP = (
    "the application: module:attribute, module.attribute, dir/module.attribute, path/to/file.py:attribute, or "
    "module:factory(); a module alone has it as app or application. Without it: the one in the variable BRIDGE_APP, in "
    "pyproject.toml ([tool.bridge] app), in serverless.yml or in template.yaml"
)


def add_application(parser: argparse.ArgumentParser) -> None:
    """The application and where its environment comes from."""
    parser.add_argument("app", nargs="?", metavar="APP", help=_APP_HELP)
    parser.add_argument("--env-file", metavar="FILE", help="NAME=value lines, set before the application is imported")


def add_front_door(parser: argparse.ArgumentParser) -> None:
    """Which front door, and how it is set up."""
    add = parser.add_argument
    names = list(SOURCES)
    which = f"one of {', '.join(names)}; default that of the project's functions, else {DEFAULT_SOURCE}"
    add("--source", choices=names, metavar="SOURCE", help=which)
    add("--stage", type=stage, default="", help="API Gateway's stage, with which URLs then begin; default none")
    add_framework_options(parser, "; --stage says it of the stage, too")
    add("--base-path", default="", help="a custom domain's base path, with which URLs then begin")
    add("--binary-media-types", default="", metavar="TYPES", help="a REST API's binaryMediaTypes: 'image/*,*/*'")
    add("--timeout", type=positive, metavar="SECONDS", help="how long the front door waits; default as AWS's")


def add_framework_options(parser: argparse.ArgumentParser, also: str = "") -> None:
    """What serverless.yml may refer to; *also* comes after its help."""
    what = f"what ${{opt:NAME}} in serverless.yml stands for, such as stage=prod{also}"
    parser.add_argument("--opt", action="append", type=_pair, default=[], metavar="NAME=VALUE", help=what)


def framework_options(stage_: str, pairs: Sequence[str]) -> dict[str, str]:
    """The options of the Serverless Framework's own command line, which its file refers to: those of ``--opt``."""
    named = {"stage": stage_} if stage_ and not stage_.startswith("$") else {}
    return named | dict(pair.split("=", 1) for pair in pairs)


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """The function in processes of its own."""
    add = parser.add_argument
    runtime = "run the function in processes of its own, as Lambda does; what comes after -- is the command of one"
    add("--runtime", action=argparse.BooleanOptionalAction, default=False, help=runtime)
    mode = "stream responses or not; default the variable BRIDGE_RESPONSE_MODE, else buffer"
    add("--response-mode", choices=RESPONSE_MODES, help=mode)
    add(
        "--concurrency",
        type=_count,
        default=1,
        metavar="N",
        help="requests that one process answers at once; default 1",
    )
    most = f"processes of a function at most; default {SANDBOXES}"
    add("--sandboxes", type=_count, default=SANDBOXES, metavar="N", help=most)


def add_request(parser: argparse.ArgumentParser) -> None:
    """One request, as curl has its options."""
    add = parser.add_argument
    add("url", nargs="?", metavar="URL", help="the path with its query, or a whole URL; default /")
    add("-X", "--request", metavar="METHOD", help="the method; default GET, or POST with data")
    add("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="a header; repeatable")
    body = parser.add_mutually_exclusive_group().add_argument
    body("-d", "--data", action="append", default=[], help="a form body; @FILE reads one; repeatable, joined by &")
    body("--data-binary", metavar="DATA", help="a body as it is; @FILE reads one, @- standard input")


def settle(chosen: argparse.Namespace, said: Mapping[str, Any]) -> None:
    """Leave out what the project's file says and the command line makes meaningless; refuse it on the command line.

    Args:
        chosen: the options; changed.
        said: those that the file gave.

    Raises:
        UsageError: an option of the command line means nothing to the front door.
    """
    if getattr(chosen, "plain", False) and said.get("runtime") and chosen.runtime:
        chosen.runtime = False
    _settle_runtime(chosen, said)
    settle_front_door(chosen, said)


def settle_front_door(chosen: argparse.Namespace, said: Mapping[str, Any]) -> None:
    """The same for what describes a front door alone; once more where the project's files have told which one it is.

    Raises:
        UsageError: an option of the command line means nothing to it.
    """
    source = getattr(chosen, "source", None)
    is_plain = getattr(chosen, "plain", False)
    for option, nothing in _FRONT_DOOR.items():
        value = getattr(chosen, option, nothing)
        sources = _ONLY.get(option)
        if value == nothing or not (is_plain or (source and sources and source not in sources)):
            continue
        if value == said.get(option):
            setattr(chosen, option, nothing)
        elif sources and not is_plain:
            name = f"--{option.replace('_', '-')} {value}"
            instead = f" (For ${{opt:stage}} in serverless.yml: --opt stage={value}.)" if option == "stage" else ""
            only = " and ".join(sources)
            raise UsageError(f"{name} means nothing to {source}: only {only} have it. Leave it out.{instead}")


def _settle_runtime(chosen: argparse.Namespace, said: Mapping[str, Any]) -> None:
    has_runtime = getattr(chosen, "runtime", False)
    without = {
        option: (nothing, f"only --runtime has {_name(option)}") for option, nothing in _ONLY_WITH_RUNTIME.items()
    }
    for option, (nothing, why) in (_BESIDE_RUNTIME if has_runtime else without).items():
        value = getattr(chosen, option, nothing)
        if value is None or value == nothing:
            continue
        if value == said.get(option):
            setattr(chosen, option, nothing)
        else:
            raise UsageError(f"{_name(option)} means nothing here: {why}. Leave it out.")


def _name(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _pair(text: str) -> str:
    """``NAME=VALUE``."""
    if not text.partition("=")[0] or "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, as in stage=prod")
    return text


def _count(text: str) -> int:
    """A number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def positive(text: str) -> float:
    """A number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def stage(text: str) -> str:
    """The name of a stage; slashes around it do not count."""
    name = text.strip("/")
    if name and not is_stage(name):
        raise argparse.ArgumentTypeError(f"{text!r} is no stage: a stage has letters, digits, - and _ in its name")
    return name


def base_path(text: str) -> str:
    """``"/shop"`` of ``"shop/"``."""
    path = text.strip("/")
    return f"/{path}" if path else ""


def media_types(text: str) -> tuple[str, ...]:
    """The items of a list with commas."""
    return tuple(item.strip() for item in text.split(",") if item.strip())
