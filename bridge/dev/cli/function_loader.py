"""Imports a project's functions into this process, as Lambda imports each into one of its own."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridge
from bridge.dev.cli.output import print_message
from bridge.dev.errors import CommandError
from bridge.dev.projects.env_file import read_env_file
from bridge.errors import ApplicationNotFoundError, BridgeError
from bridge.handlers import Handler, make_handler
from bridge.interface_detection import interface_of, is_lambda_handler
from bridge.loading import find_application
from bridge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from bridge.dev.projects.project import Project, ProjectFunction

    Wrap = Callable[[Any, str], Any]


def load_functions(
    project: Project, env_file: str | None, *, wrap: Wrap | None = None, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Import the project's functions with their environment variables, and return their Lambda handlers by name.

    Args:
        project: the project.
        env_file: a file of environment variables, which override those of the functions.
        wrap: called with each application and its interface, returns the application to use; adds a debugger, say.
        settings: options of the handlers that are made for applications.

    Raises:
        CommandError: an application does not exist, or cannot be imported.
    """
    overrides = set_environment(project, env_file)
    handlers = {}
    for function in project.functions:
        os.environ.update(function.environment | overrides)  # while a function is imported, its own values apply
        _isolate_imports(function, project)
        handlers[function.name] = _load_handler(function, wrap, settings or {})
    _warn_about_shared_variables(project, overrides)
    return handlers


def set_environment(project: Project, env_file: str | None) -> dict[str, str]:
    """Set the environment variables of all functions and of *env_file* in this process, and return those of the file.

    Raises:
        UsageError: the file cannot be read.
    """
    os.environ["IS_OFFLINE"] = "True"
    overrides = read_env_file(Path(env_file)) if env_file is not None else {}
    warn_about_unset_variables(project, overrides)
    for function in project.functions:
        os.environ.update(function.environment)
    os.environ.update(overrides)
    return overrides


def warn_about_unset_variables(project: Project, overrides: Mapping[str, str]) -> None:
    """Print the environment variables of the project's file whose values are not known before a deployment."""
    known = os.environ.keys() | overrides.keys()
    names = [name for function in project.functions for name in function.unresolved_variables if name not in known]
    if len(set(names)) == 1:
        print_message(f"The variable {names[0]} is not set: a deployment sets its value. Set it with --env-file FILE.")
    elif names:
        listed = ", ".join(dict.fromkeys(names))
        print_message(
            f"The variables {listed} are not set: a deployment sets their values. Set them with --env-file FILE."
        )


def _warn_about_shared_variables(project: Project, overrides: Mapping[str, str]) -> None:
    """Print the environment variables for which the project's functions have different values."""
    environments = [function.environment for function in project.functions]
    own = ("AWS_LAMBDA_", "BRIDGE_")
    names = {name for each in environments for name in each if name not in overrides and not name.startswith(own)}
    shared = sorted(name for name in names if len({each.get(name) for each in environments}) > 1)
    if shared:
        print_message(
            f"All functions run in one process and share its environment, in which they differ: {', '.join(shared)}. "
            "While a function is imported, its own values are set; afterwards, those of the last function. Use "
            "`bridge serve --runtime` to give each function a process."
        )


def _isolate_imports(function: ProjectFunction, project: Project) -> None:
    """Remove other functions' modules from ``sys.modules``, and move their folders to the end of ``sys.path``.

    Functions in different folders may have modules of the same name. On Lambda each imports its own.
    """
    own_folder = function.folder.resolve()
    other_folders = {other.folder.resolve() for other in project.functions} - {own_folder}
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        file = Path(getattr(module, "__file__", None) or "")
        if top != "bridge" and any(
            file.is_relative_to(folder / top) or file == folder / f"{top}.py" for folder in other_folders
        ):
            del sys.modules[name]
    # find_application puts the function's own folder first. The others stay on the path for imports inside functions.
    moved = {str(own_folder), *map(str, other_folders)}
    sys.path[:] = [*(path for path in sys.path if path not in moved), *map(str, other_folders)]


def _load_handler(function: ProjectFunction, wrap: Wrap | None, settings: dict[str, Any]) -> Any:
    application = _import_application(function)
    if isinstance(application, Handler) or function.is_handler or is_lambda_handler(application):
        if not callable(application):
            raise CommandError(
                f"{function.app} is not a Lambda handler: it is a {type(application).__name__}, not a function with "
                "the parameters event and context. Correct its name in the project's file."
            )
        return _wrap_handler(application, wrap) if type(application) is Handler and wrap else application
    try:
        interface = interface_of(application)
    except BridgeError as error:
        raise CommandError(str(error)) from error
    return make_handler(wrap(application, interface) if wrap else application, interface, Settings(settings))


def _wrap_handler(handler: Handler, wrap: Wrap) -> Handler:
    """Return a handler with the same settings for the wrapped application."""
    if handler.asgi is None:
        return make_handler(wrap(handler.app, "wsgi"), "wsgi", handler.settings)
    handler.asgi.app = wrap(handler.asgi.app, "asgi")
    return handler


def _import_application(function: ProjectFunction) -> Any:
    name = function.import_name
    try:
        return find_application(name, str(function.folder.resolve()))
    except ApplicationNotFoundError as error:
        raise CommandError(str(error)) from error
    except (Exception, SystemExit) as error:
        frames = _application_frames(error.__traceback__)
        traceback.print_exception(error.with_traceback(frames))
        is_in_module = frames is not None and frames.tb_frame.f_code.co_name == "<module>"
        if name.strip().endswith("()") and not is_in_module and not isinstance(error, SyntaxError):
            message = f"The factory {name} raised {type(error).__name__}; see the traceback above."
        else:
            message = f"{function.app} cannot be imported; see the traceback above."
        raise CommandError(message) from None


def _application_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return *trace* from the application's first frame on; None if it has no frame of the application."""
    others = (str(Path(bridge.__file__).parent), "<frozen importlib", str(Path(importlib.__file__).parent))
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(others):
        trace = trace.tb_next
    return trace
