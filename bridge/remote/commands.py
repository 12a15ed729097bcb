"""Remote commands: one event runs one command in the function, which ends like a process, with an exit status.

The event is compatible with serverless-wsgi: ``{"_serverless-wsgi": {"command": "exec", "data": "print(1)"}}``. The
function returns ``[exit status, output]``.

Commands are disabled unless the function's environment sets ``BRIDGE_REMOTE_COMMANDS=on``. With it, every principal
with the permission ``lambda:InvokeFunction`` can run arbitrary code with the function's role.
"""

from __future__ import annotations

import contextvars
import linecache
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from tempfile import TemporaryFile
from types import ModuleType

from bridge.asgi.loop import is_loop_running
from bridge.bodies import json_size
from bridge.errors import EventError
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.logs import logger
from bridge.remote.isolation import OutputCapture, joined_threads, read_output, restored_state
from bridge.settings import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The only key of a command's event.
EVENT_KEY = "_serverless-wsgi"
COMMANDS = ("exec", "command", "manage", "flask")
# The environment variable that enables remote commands in a function.
VARIABLE = "BRIDGE_REMOTE_COMMANDS"
DISABLED_MESSAGE = (
    f"Remote commands are disabled in this function. To enable them, set its environment variable {VARIABLE}=on. "
    "Everyone with the permission to invoke the function can then run code in it."
)
_OMISSION = "\n[bridge: part of the output is omitted here. It has {} bytes; a Lambda response has at most 6 MB.]\n"
# Seconds before the function's deadline at which a command must have ended, so that its output can be returned.
_RESERVED_SECONDS = 1.0
_CODE_FILE = "<exec>"  # the file name of the code in tracebacks
# Exit statuses of shells and of coreutils' timeout.
_INTERRUPTED, _TIMED_OUT, _SIGNALLED = 130, 124, 128
# Attributes in which wrappers keep a WSGI application: those of asgiref, of middleware, and of bound methods.
_WRAPPED_ATTRIBUTES = ("wsgi_application", "wsgi_app", "app", "application", "__wrapped__", "__self__")
# Only one command at a time: the captured file descriptors belong to the whole process.
_command_lock = threading.Lock()


def command_event(command: str, data: str) -> dict[str, Any]:
    """Return the event that makes a function run *command*, one of ``COMMANDS``.

    *data* is Python code for ``exec``, a shell command line for ``command``, else the arguments in a shell's notation.
    """
    return {EVENT_KEY: {"command": command, "data": data}}


def answer(event: dict[str, Any], context: Any, *, app: Any) -> list[Any]:
    """Run the command in *event*, and return its exit status and its output (standard output and error, in order).

    For an event without a valid command, return 1 and the reason. *app* is the handler's application, or None.

    Raises:
        EventError: commands are disabled.
        SettingError: the variable that enables commands has an invalid value.
    """
    if not boolean(f"environment variable {VARIABLE}", os.environ.get(VARIABLE, "")):
        raise EventError(DISABLED_MESSAGE)
    request = event[EVENT_KEY] if isinstance(event[EVENT_KEY], dict) else {}
    command, data = request.get("command"), request.get("data", "")
    if command not in COMMANDS or not isinstance(data, str):
        return [
            1,
            f'The event has no valid command. Send {{"{EVENT_KEY}": {{"command": NAME, "data": TEXT}}}}, where NAME is '
            f"one of {', '.join(COMMANDS)}.\n",
        ]
    logger.info("Running a remote command: %s.", command)
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    deadline = time.monotonic() + remaining() / 1000 - _RESERVED_SECONDS if remaining else float("inf")
    app = getattr(app, "wsgi_application", app)  # the attribute of asgiref's WsgiToAsgi
    namespace = {"app": app, "wsgi_app": app, "event": event, "context": context}
    # In a copy of the context: variables that the command sets, such as Flask's contexts, end with it.
    run = contextvars.copy_context().run
    if not is_loop_running():
        return run(_run_isolated, command, data, namespace, deadline)
    # asyncio.run() and Django's database layer refuse to work in a thread that runs an event loop.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(run, _run_isolated, command, data, namespace, deadline).result()


def _run_isolated(command: str, data: str, namespace: dict[str, Any], deadline: float) -> list[Any]:
    with _command_lock, TemporaryFile(prefix="bridge-", buffering=0) as file:
        with OutputCapture(file) as capture, restored_state(), joined_threads(deadline):
            process_id = os.getpid()
            status = _run(command, data, namespace, capture, deadline)
            if os.getpid() != process_id:  # a fork of the function must not go on as a second function
                capture.flush()
                os._exit(status & 0xFF)
        output, size = read_output(file, LAMBDA_PAYLOAD_LIMIT)
        return [status, _shortened(output, size, status)]


def _shortened(output: str, size: int, status: int) -> str:
    """Return *output*, which has *size* bytes in all, without its middle if the payload would exceed Lambda's limit."""
    half = min(len(output), LAMBDA_PAYLOAD_LIMIT) // 2  # a character takes at least one byte
    shortened = output if size <= LAMBDA_PAYLOAD_LIMIT else output[:half] + output[-half:]
    while (length := json_size([status, shortened])) > LAMBDA_PAYLOAD_LIMIT:
        half = half * LAMBDA_PAYLOAD_LIMIT // length - len(_OMISSION)  # repeated if the ends have more escapes
        shortened = output[:half] + _OMISSION.format(size) + output[-half:]
    return shortened


def _run(command: str, data: str, namespace: dict[str, Any], capture: OutputCapture, deadline: float) -> int:
    """Run one command, and return its exit status: 1 after an exception, whose traceback is appended to the output.

    *deadline*, by which it must have ended, is a time of the monotonic clock.
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
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        capture.write("".join(traceback.format_exception(type(error), error, trace)))
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    finally:
        linecache.cache.pop(_CODE_FILE, None)
    return 0


def _run_code(code: str, namespace: dict[str, Any]) -> None:
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
    """Return a SystemExit if the framework itself is missing, or else *error*."""
    return SystemExit(f"{name} is not installed in the function.") if error.name == module else error
