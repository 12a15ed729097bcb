"""Loading the project's functions into this process, as Lambda would into its own."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.adapter import Handler, make_handler
from bridge.application import find_application
from bridge.cli import CommandError
from bridge.cli.project import find_functions
from bridge.errors import ApplicationNotFoundError, BridgeError
from bridge.interfaces.detect import interface_of
from bridge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.cli.project import Function

    Wrap = Callable[[Any, str], Any]


def load_functions(
    app: str | None, env_file: str | None, *, wrap: Wrap | None = None, settings: dict[str, Any] | None = None
) -> list[tuple[Function, Any]]:
    """The functions to serve, each with its Lambda handler, imported with its environment.

    Args:
        app: the application that the user named.
        env_file: a file of variables.
        wrap: puts something around an application, given it and its interface; a debugger, say.
        settings: options for the handlers.

    Raises:
        CommandError: the application is not there, or does not import.
    """
    functions = find_functions(app, Path.cwd())
    os.environ["IS_OFFLINE"] = "True"
    for function in functions:
        os.environ.update(function.environment)
    if env_file is not None:
        os.environ.update(_read_env_file(Path(env_file)))
    return [(function, _handler(function, wrap, settings or {})) for function in functions]


def _handler(function: Function, wrap: Wrap | None, settings: dict[str, Any]) -> Any:
    try:
        found = find_application(function.app)
    except ApplicationNotFoundError as error:
        raise CommandError(str(error)) from error
    except Exception:
        traceback.print_exc()
        raise CommandError(f"{function.app} cannot be imported; the traceback above says why.") from None
    if isinstance(found, Handler) or function.is_handler:
        if not callable(found):
            raise CommandError(f"{function.app} is a {type(found).__name__}, no function of event and context.")
        return found
    try:
        interface = interface_of(found)
    except BridgeError as error:
        raise CommandError(str(error)) from error
    return make_handler(wrap(found, interface) if wrap else found, interface, Settings(settings))


def _read_env_file(path: Path) -> dict[str, str]:
    """``NAME=value`` lines, with ``export``, quotes and comments as shells have them."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--env-file {path} cannot be read: {error}") from None
    variables = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or not name.strip():
            raise CommandError(f"{path}, line {number}: {line!r} is not NAME=value.")
        value = value.strip()
        if value[:1] in ("'", '"') and value.endswith(value[0]) and len(value) > 1:
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        variables[name.strip()] = value
    return variables


def needs(package: str, *, extra: str = "serve") -> CommandError:
    """The error of a command whose extra is not installed."""
    return CommandError(f"This needs {package}: pip install 'serverless-bridge[{extra}]'")


def say(text: str) -> None:
    """A line for the person at the terminal, beside the command's output."""
    print(text, file=sys.stderr, flush=True)
