"""Callbacks that run after each response, such as the flush of a telemetry library.

Lambda freezes the process once it has a response. Under AWS's client no code runs in between, so handlers call
:func:`answered`, which runs the callbacks before the payload is returned. A runtime that can run code after it has
posted a response sets ``is_deferred``, and calls :func:`run` after each response, in the invocation's context.
"""

from __future__ import annotations

from bridge.logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Callback = TypeVar("Callback", bound=Callable[[], Any])

_COROUTINE = 0x80  # inspect.CO_COROUTINE; importing inspect takes 8 ms of a cold start
callbacks: list[Callable[[], Any]] = []
is_deferred = False


def after_response(callback: Callback) -> Callback:
    """Have *callback* called once for each event, before Lambda freezes the process.

    ``bridge.runtime`` calls it after the response is sent. Under AWS's client the response waits for it. In *callback*,
    ``bridge.current_request()`` is the event's request. Its exceptions are logged.

    Args:
        callback: a function without arguments. The same one is called once, however often it is passed.

    Returns:
        *callback*, so that this function is a decorator as well.

    Raises:
        TypeError: *callback* cannot be called, or is a coroutine function.

    Example::

        bridge.after_response(sentry_sdk.flush)
    """
    code = getattr(callback, "__code__", None)
    if not callable(callback) or (code is not None and code.co_flags & _COROUTINE):
        raise TypeError(f"after_response() takes a plain function without arguments, not {callback!r}.")
    if callback not in callbacks:
        callbacks.append(callback)
    return callback


def run() -> None:
    """Call the callbacks in their order, each one also if others raise."""
    for callback in callbacks:
        try:
            callback()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:  # CancelledError as well
            logger.exception("The callback %r of bridge.after_response() failed.", callback)


def answered() -> None:
    """Call the callbacks for a payload that is about to be returned, unless a runtime calls them later."""
    if callbacks and not is_deferred:
        run()
