"""Loading the project's functions into this process, as Lambda would into its own."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridge
from bridge.adapter import Handler
from bridge.dev.errors import CommandError
from bridge.dev.projects.env_file import read_env_file
from bridge.errors import ApplicationNotFoundError, BridgeError
from bridge.handlers import make_handler
from bridge.interfaces import interface_of, is_lambda_handler
from bridge.loading import find_application
from bridge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from bridge.dev.projects.project import Function, Project

    Wrap = Callable[[Any, str], Any]


def load_functions(
    project: Project, env_file: str | None, *, wrap: Wrap | None = None, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The Lambda handlers of the project's functions by name, imported with their environment.

    Args:
        project: what is to be served.
        env_file: a file of variables.
        wrap: puts something around an application, given it and its interface; a debugger, say.
        settings: options for the handlers.

    Raises:
        CommandError: an application is not there, or does not import.
    """
    os.environ["IS_OFFLINE"] = "True"
    own = read_env_file(Path(env_file)) if env_file is not None else {}
    tell_of_unknown(project, own)
    # All of them, for one process is all functions; each function's own win while it is imported.
    for function in project.functions:
        os.environ.update(function.environment)
    handlers = {}
    for function in project.functions:
        os.environ.update(function.environment | own)
        _make_way(function, project)
        handlers[function.name] = _handler(function, wrap, settings or {})
    _tell_of_shared(project, own)
    return handlers


def tell_of_unknown(project: Project, own: Mapping[str, str]) -> None:
    """Say which variables of the project's file are not set, for only a deployment knows their values."""
    known = os.environ.keys() | own.keys()
    names = dict.fromkeys(name for function in project.functions for name in function.unknown if name not in known)
    if names:
        which = "the variable" if len(names) == 1 else "the variables"
        say(f"Only a deployment knows {which} {', '.join(names)}: not set here. Give values with --env-file.")


def _tell_of_shared(project: Project, own: dict[str, str]) -> None:
    """Say which variables a function may find with another one's value once all are imported."""
    variables = [function.environment for function in project.functions]
    names = {name for each in variables for name in each if name not in own and not name.startswith("BRIDGE_")}
    if mixed := sorted(name for name in names if len({each.get(name) for each in variables}) > 1):
        which = "the variable" if len(mixed) == 1 else "the variables"
        say(
            f"The functions share one process, and {which} {', '.join(mixed)} with it: each has its own value while it "
            "is imported, and that of the last one when it answers. `bridge serve --runtime` gives each function a "
            "process of its own."
        )


def _make_way(function: Function, project: Project) -> None:
    """Set other functions' folders back: on Lambda each function finds its own ``app`` first, and no other's."""
    own = function.folder.resolve()
    others = {other.folder.resolve() for other in project.functions} - {own}
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        file = Path(getattr(module, "__file__", None) or "")
        if top != "bridge" and any(file.is_relative_to(place / top) or file == place / f"{top}.py" for place in others):
            del sys.modules[name]
    folders = {str(own), *map(str, others)}
    # What a function imports later, while it answers, may lie in any of them. Its own comes first, once it is loaded.
    sys.path[:] = [*(path for path in sys.path if path not in folders), *map(str, others)]


def _handler(function: Function, wrap: Wrap | None, settings: dict[str, Any]) -> Any:
    name = function.target
    try:
        found = find_application(name, str(function.folder.resolve()))
    except ApplicationNotFoundError as error:
        raise CommandError(str(error)) from error
    except (Exception, SystemExit) as error:
        own = _own_part(error.__traceback__)
        traceback.print_exception(error.with_traceback(own))
        is_made = name.strip().endswith("()") and not (own and own.tb_frame.f_code.co_name == "<module>")
        if is_made and not isinstance(error, SyntaxError):
            why = f"the factory {name} raised {type(error).__name__}; what is above says where"
        else:
            why = f"{function.app} cannot be imported; the traceback above says why"
        raise CommandError(f"{why}.") from None
    if isinstance(found, Handler) or function.is_handler or is_lambda_handler(found):
        if not callable(found):
            raise CommandError(f"{function.app} is a {type(found).__name__}, no function of event and context.")
        return found
    try:
        interface = interface_of(found)
    except BridgeError as error:
        raise CommandError(str(error)) from error
    return make_handler(wrap(found, interface) if wrap else found, interface, Settings(settings))


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the application's first frame on; none if it never got there."""
    ours = (str(Path(bridge.__file__).parent), "<frozen importlib", os.path.dirname(os.__file__) + "/importlib")  # noqa: PTH120
    part = trace
    while part is not None and part.tb_frame.f_code.co_filename.startswith(ours):
        part = part.tb_next
    return part


def needs(package: str, *, extra: str = "serve") -> CommandError:
    """The error of a command whose extra is not installed."""
    return CommandError(f"This needs {package}: pip install 'serverless-bridge[{extra}]'")


def say(text: str) -> None:
    """A line for the person at the terminal, beside the command's output."""
    print(text, file=sys.stderr, flush=True)
