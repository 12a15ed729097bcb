"""The commands, as they run in the function: each ends like a process, with a status."""

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

    from bridge.remote.capture import Capture

_FILE = "<exec>"  # what the code is called in a traceback
# As the shell and coreutils' timeout have them.
_INTERRUPTED, _TIMED_OUT, _SIGNALLED = 130, 124, 128
# Where wrappers keep the WSGI application that they call: asgiref, werkzeug's and others' middleware, a bound method.
_INNER = ("wsgi_application", "wsgi_app", "app", "application", "__wrapped__", "__self__")


def run(command: str, data: str, names: Mapping[str, Any], capture: Capture, until: float) -> int:
    """Run one command to its end.

    Args:
        command: which one.
        data: the code, the shell's line, or the words.
        names: what ``exec`` finds in its namespace; ``app`` is the application.
        capture: where it writes.
        until: when it has to be at its end, by the monotonic clock.

    Returns:
        Its exit status: what it exits with, 0 at its end, 1 after an exception, whose traceback is in the output.
    """
    try:
        if command == "command":
            return _shell(data, capture, until)
        if command == "exec":
            _execute(data, names)
        elif command == "manage":
            _manage(_words(data))
        else:
            _flask(_words(data), names["app"])
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return int(error.code or 0)
        capture.write(f"{error.code}\n")
        return 1
    except BaseException as error:
        capture.write("".join(traceback.format_exception(type(error), error, _own_part(error))))
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    finally:
        linecache.cache.pop(_FILE, None)
    return 0


def _execute(code: str, names: Mapping[str, Any]) -> None:
    """Python code as a program of its own: ``__main__``, with one namespace for all of it."""
    sys.argv = ["-c"]
    main = sys.modules["__main__"] = ModuleType("__main__")
    vars(main).update(names)
    linecache.cache[_FILE] = (len(code), None, code.splitlines(keepends=True), _FILE)
    exec(compile(code, _FILE, "exec", dont_inherit=True), vars(main))  # noqa: S102 - what it is for


def _shell(line: str, capture: Capture, until: float) -> int:
    # What it starts in the background has its session, and ends with it only if there is no time left.
    process = subprocess.Popen(line, shell=True, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S602
    try:
        status = process.wait(None if until == float("inf") else max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill(process)
        capture.write("\n[bridge: the command was ended, since the function is about to run out of time.]\n")
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


def _manage(words: list[str]) -> None:
    """Django's command line; it sets Django up with the settings that the application has named."""
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as error:
        raise _missing(error, "Django", "django") from error
    sys.argv = ["manage.py", *words]
    execute_from_command_line(sys.argv)


def _flask(words: list[str], app: Any) -> None:
    """Flask's command line for the application that is there, with its commands and the installed plugins'."""
    try:
        from flask import Flask
        from flask.cli import FlaskGroup
    except ModuleNotFoundError as error:
        raise _missing(error, "Flask", "flask") from error
    found = app
    for _ in range(16):  # a wrapper may hold itself
        if isinstance(found, Flask):
            break
        found = next((getattr(found, name) for name in _INNER if getattr(found, name, None) is not None), None)
    else:
        found = None
    if found is None:
        raise SystemExit(f"The application is no Flask application, but a {type(app).__name__}.")
    sys.argv = ["flask", *words]
    group = FlaskGroup(create_app=lambda: found, load_dotenv=False, set_debug_flag=False)
    group.main(args=words, prog_name="flask")


def _words(data: str) -> list[str]:
    try:
        return shlex.split(data)
    except ValueError as error:
        raise SystemExit(f"{data!r} cannot be split into words: {error}.") from None


def _missing(error: ModuleNotFoundError, name: str, module: str) -> BaseException:
    """The end of a command whose framework is not in the function; another module's error as it is."""
    return SystemExit(f"{name} is not installed in the function.") if error.name == module else error


def _own_part(error: BaseException) -> Any:
    """The traceback without what is the bridge's."""
    part = error.__traceback__
    while part is not None and part.tb_frame.f_code.co_filename == __file__:
        part = part.tb_next
    return part
