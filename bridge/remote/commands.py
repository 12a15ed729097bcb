"""The commands, as they run in the function. Each ends like a process, with an exit status."""

from __future__ import annotations

import linecache
import os
import shlex
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bridge.remote.isolation import OutputCapture

_CODE_FILE = "<exec>"  # the file name of the code in tracebacks
# Exit statuses of shells and of coreutils' timeout.
_INTERRUPTED, _TIMED_OUT, _SIGNALLED = 130, 124, 128
# Attributes in which wrappers keep a WSGI application: those of asgiref, of middleware, and of bound methods.
_WRAPPED_ATTRIBUTES = ("wsgi_application", "wsgi_app", "app", "application", "__wrapped__", "__self__")


def run(command: str, data: str, namespace: Mapping[str, Any], capture: OutputCapture, deadline: float) -> int:
    """Run one command to its end.

    Args:
        command: one of ``bridge.remote.COMMANDS``.
        data: the code, command line or arguments; see :func:`bridge.remote.command_event`.
        namespace: the initial namespace of ``exec``; ``app`` is the application.
        capture: the active capture, for messages about the command.
        deadline: the time by which the command must have ended, in seconds of the monotonic clock.

    Returns:
        The exit status: 1 after an exception, whose traceback is appended to the output.
    """
    try:
        if command == "command":
            return _run_shell(data, capture, deadline)
        if command == "exec":
            _run_code(data, namespace)
        elif command == "manage":
            _run_django(_arguments(data), namespace["app"])
        else:
            _run_flask(_arguments(data), namespace["app"])
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return int(error.code or 0)
        capture.write(f"{error.code}\n")
        return 1
    except BaseException as error:
        capture.write("".join(traceback.format_exception(type(error), error, _traceback_outside_this_module(error))))
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    finally:
        linecache.cache.pop(_CODE_FILE, None)
    return 0


def _run_code(code: str, namespace: Mapping[str, Any]) -> None:
    """Execute Python code as ``python -c`` does: as module ``__main__``, in one namespace."""
    sys.argv = ["-c"]
    main = sys.modules["__main__"] = ModuleType("__main__")
    vars(main).update(namespace)
    linecache.cache[_CODE_FILE] = (len(code), None, code.splitlines(keepends=True), _CODE_FILE)
    exec(compile(code, _CODE_FILE, "exec", dont_inherit=True), vars(main))  # noqa: S102 - the purpose of the command


def _run_shell(command_line: str, capture: OutputCapture, deadline: float) -> int:
    # In a session of its own, so that a timeout kills background processes, too. Otherwise they are left running.
    process = subprocess.Popen(command_line, shell=True, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S602
    try:
        status = process.wait(None if deadline == float("inf") else max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill(process)
        capture.write("\n[bridge: the command was killed because the function is about to time out.]\n")
        return _TIMED_OUT
    except BaseException:
        _kill(process)
        raise
    return status if status >= 0 else _SIGNALLED - status


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _run_django(arguments: list[str], app: Any) -> None:
    """Run Django's command line with the settings that the application has selected."""
    try:
        from django.conf import ENVIRONMENT_VARIABLE, settings
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as error:
        raise _not_installed(error, "Django", "django") from error
    if not settings.configured and ENVIRONMENT_VARIABLE not in os.environ:
        raise SystemExit(
            f"The application is not a Django application: its type is {_type_name(app)}, and {ENVIRONMENT_VARIABLE} "
            "is not set."
        )
    sys.argv = ["manage.py", *arguments]
    execute_from_command_line(sys.argv)


def _run_flask(arguments: list[str], app: Any) -> None:
    """Run Flask's command line with the application's own commands and those of installed plugins."""
    try:
        from flask import Flask
        from flask.cli import FlaskGroup
    except ModuleNotFoundError as error:
        raise _not_installed(error, "Flask", "flask") from error
    flask_app = app
    for _ in range(16):  # a wrapper may refer to itself
        if isinstance(flask_app, Flask):
            break
        wrapped = (getattr(flask_app, name, None) for name in _WRAPPED_ATTRIBUTES)
        flask_app = next((inner for inner in wrapped if inner is not None), None)
    else:
        raise SystemExit(f"The application is not a Flask application: its type is {_type_name(app)}.")
    sys.argv = ["flask", *arguments]
    group = FlaskGroup(create_app=lambda: flask_app, load_dotenv=False, set_debug_flag=False)
    group.main(args=arguments, prog_name="flask")


def _arguments(data: str) -> list[str]:
    try:
        return shlex.split(data)
    except ValueError as error:
        raise SystemExit(f"The arguments {data!r} cannot be split: {error}.") from None


def _type_name(app: Any) -> str:
    package = type(app).__module__.partition(".")[0]
    return type(app).__name__ if package == "builtins" else f"{package}.{type(app).__name__}"


def _not_installed(error: ModuleNotFoundError, name: str, module: str) -> BaseException:
    """Return the end of a command whose framework is missing; *error* itself if another module is."""
    return SystemExit(f"{name} is not installed in the function.") if error.name == module else error


def _traceback_outside_this_module(error: BaseException) -> Any:
    """Return the traceback from the first frame on that is not in this file."""
    part = error.__traceback__
    while part is not None and part.tb_frame.f_code.co_filename == __file__:
        part = part.tb_next
    return part
