"""The function's side: one event, one command, ``[status, output]``.

A function runs commands only if ``BRIDGE_REMOTE_COMMANDS`` is on in its environment. Whoever may invoke it
(``lambda:InvokeFunction``) then runs code in it, which is more than the right to call it.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from tempfile import TemporaryFile

from bridge import logger
from bridge.errors import EventError
from bridge.given import switch
from bridge.remote import COMMANDS, KEY, VARIABLE
from bridge.remote.capture import Capture, read
from bridge.remote.commands import run
from bridge.remote.state import restored
from bridge.remote.threads import Threads
from bridge.size import size_of
from bridge.sources import LAMBDA_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.adapter import Handler

OFF = (
    f"Remote commands are off in this function. To switch them on, set its environment variable {VARIABLE} to on; "
    "everybody who may invoke the function can then run code in it."
)
_NOTE = "\n[bridge: a part of the output is left out here. It has {} bytes, and a function's answer at most 6 MB.]\n"
# So much of the function's time is kept for the answer.
_LAST_SECONDS = 1.0
# A command has standard output for itself.
_turn = threading.Lock()


def answer(event: dict[str, Any], context: Any, handler: Handler) -> list[Any]:
    """Run the command of an event that holds one and nothing else.

    Args:
        event: the event.
        context: Lambda's context object, or None.
        handler: the handler that was called, whose application it is.

    Returns:
        The exit status of the command and its output: standard output and standard error, in order.

    Raises:
        EventError: commands are off, or the event has none that is known.
        SettingError: the variable that switches them on has a value that is not allowed.
    """
    if not switch(f"environment variable {VARIABLE}", os.environ.get(VARIABLE), default=False):
        raise EventError(OFF)
    told = event[KEY]
    command = told.get("command") if isinstance(told, dict) else None
    data = told.get("data", "") if isinstance(told, dict) else None
    if command not in COMMANDS or not isinstance(data, str):
        raise EventError(
            f'The event has no command that is known. It is {{"{KEY}": {{"command": NAME, "data": TEXT}}}}, and the '
            f"names are {', '.join(COMMANDS)}."
        )
    logger().info("A remote command is run: %s.", command)
    if "asyncio" in sys.modules and sys.modules["asyncio"]._get_running_loop() is not None:
        # Django refuses its database where a loop runs, and asyncio.run() refuses to run.
        from bridge.interfaces.call import call_outside

        return call_outside(_answer, command, data, event, context, handler)  # type: ignore[no-any-return]
    return _answer(command, data, event, context, handler)


def _answer(command: str, data: str, event: Any, context: Any, handler: Handler) -> list[Any]:
    app = _application(handler)
    names = {"app": app, "wsgi_app": app, "event": event, "context": context}
    until = _deadline(context)
    with _turn, TemporaryFile(prefix="bridge-", buffering=0) as file:
        with Capture(file) as capture, restored(), Threads() as threads:
            process = os.getpid()
            # In a context of its own: what the code sets there, an application's context of Flask's say, ends with it.
            status = contextvars.copy_context().run(run, command, data, names, capture, until)
            if os.getpid() != process:  # the code has forked, and the child is not to become a function, too
                capture.flush()
                os._exit(status & 0xFF)
            threads.wait(until)
        return [status, _fitting(status, *read(file, LAMBDA_LIMIT))]


def _application(handler: Handler) -> Any:
    app = handler.wsgi_app
    if app is None and handler.hosted is not None:
        app = handler.hosted.app
        if type(app).__module__ == "bridge.wsgi.on_event_loop":
            app = app.wsgi_application
    return app


def _deadline(context: Any) -> float:
    """When the command has to be at its end, by the monotonic clock."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return time.monotonic() + left() / 1000 - _LAST_SECONDS if left is not None else float("inf")


def _fitting(status: int, output: str, size: int) -> str:
    """As much of the output as an answer can carry: its beginning and its end.

    Args:
        status: the command's.
        output: the output; if it is very large, without its middle.
        size: how many bytes the whole output has.
    """

    def cut(half: int) -> str:
        return _NOTE.format(size).join((output[:half], output[len(output) - half :]))

    if size <= LAMBDA_LIMIT and size_of([status, output]) <= LAMBDA_LIMIT:
        return output
    fits, too_much = 0, min(len(output) // 2, LAMBDA_LIMIT // 2)
    while too_much - fits > 1024:
        half = (fits + too_much) // 2
        if size_of([status, cut(half)]) <= LAMBDA_LIMIT:
            fits = half
        else:
            too_much = half
    return cut(fits)
