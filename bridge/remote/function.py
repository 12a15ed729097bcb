"""The function's side of remote commands: one event runs one command.

Commands are disabled unless the function's environment sets ``BRIDGE_REMOTE_COMMANDS=on``. With it, every principal
with the permission ``lambda:InvokeFunction`` can run arbitrary code with the function's role.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from bisect import bisect_right
from tempfile import TemporaryFile

from bridge.bodies import json_size
from bridge.errors import EventError
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.logs import logger
from bridge.remote import COMMANDS, EVENT_KEY, VARIABLE
from bridge.remote.commands import run
from bridge.remote.isolation import OutputCapture, join_threads, read_output, restored_state, started_threads
from bridge.settings import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DISABLED_MESSAGE = (
    f"Remote commands are disabled in this function. To enable them, set its environment variable {VARIABLE}=on. "
    "Everyone with the permission to invoke the function can then run code in it."
)
_OMISSION = "\n[bridge: part of the output is omitted here. It has {} bytes; a Lambda response has at most 6 MB.]\n"
# Seconds before the function's deadline at which a command must have ended, so that its output can be returned.
_RESERVED_SECONDS = 1.0
# Only one command at a time: the captured file descriptors belong to the whole process.
_command_lock = threading.Lock()


def answer(event: dict[str, Any], context: Any, *, app: Any) -> list[Any]:
    """Run the command in *event*.

    Args:
        event: the event, whose only key is ``bridge.remote.EVENT_KEY``.
        context: Lambda's context object, or None.
        app: the WSGI or ASGI application of the handler, or None.

    Returns:
        The command's exit status and its output, which is standard output and standard error in order; for an event
        without a valid command, 1 and the reason.

    Raises:
        EventError: commands are disabled.
        SettingError: the variable that enables commands has an invalid value.
    """
    if not boolean(f"environment variable {VARIABLE}", os.environ.get(VARIABLE), default=False):
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
    app = getattr(app, "wsgi_application", app)  # in a WsgiToAsgi of asgiref or of the bridge
    namespace = {"app": app, "wsgi_app": app, "event": event, "context": context}
    deadline = _deadline(context)
    variables = contextvars.copy_context()

    def execute() -> list[Any]:
        # In a copy of the context: variables that the command sets, such as Flask's contexts, end with it.
        return variables.run(_execute, command, data, namespace, deadline)

    if not _is_event_loop_running():
        return execute()
    # asyncio.run() and Django's database layer refuse to work in a thread that runs an event loop.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(execute).result()


def _execute(command: str, data: str, namespace: dict[str, Any], deadline: float) -> list[Any]:
    with _command_lock, TemporaryFile(prefix="bridge-", buffering=0) as file:
        with OutputCapture(file) as capture, restored_state(), started_threads() as threads:
            process_id = os.getpid()
            status = run(command, data, namespace, capture, deadline)
            if os.getpid() != process_id:  # a fork of the function must not go on as a second function
                capture.flush()
                os._exit(status & 0xFF)
            join_threads(threads, deadline)
        output, size = read_output(file, LAMBDA_PAYLOAD_LIMIT)
        return [status, _shortened(output, size, status)]


def _deadline(context: Any) -> float:
    """Return the time by which the command must have ended, in seconds of the monotonic clock."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return time.monotonic() + remaining() / 1000 - _RESERVED_SECONDS if remaining is not None else float("inf")


def _is_event_loop_running() -> bool:
    asyncio = sys.modules.get("asyncio")  # if it has not been imported, no loop is running
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _shortened(output: str, size: int, status: int) -> str:
    """Return *output*, without its middle if the payload would exceed Lambda's limit.

    Args:
        output: the output; of a very large one only the beginning and the end.
        size: the size of the whole output in bytes.
        status: the command's exit status.
    """
    if size <= LAMBDA_PAYLOAD_LIMIT and json_size([status, output]) <= LAMBDA_PAYLOAD_LIMIT:
        return output

    def shorten(half: int) -> str:
        return _OMISSION.format(size).join((output[:half], output[len(output) - half :]))

    lengths = range(0, min(len(output), LAMBDA_PAYLOAD_LIMIT) // 2, 1024)
    return shorten(
        lengths[bisect_right(lengths, LAMBDA_PAYLOAD_LIMIT, key=lambda n: json_size([status, shorten(n)])) - 1]
    )
