"""Callbacks that run once before the process ends: at SIGTERM and at exit.

Lambda sends SIGTERM to functions that have a registered extension, and to no others:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

# Time for the response of a request that was in flight at SIGTERM to leave the process.
_SEND_SECONDS = 0.2


class _Shutdown:
    """The callbacks, and the signal handler that calls them."""

    def __init__(self) -> None:
        self._callbacks: dict[Callable[[], None], tuple[Callable[[], bool], Callable[[], None]]] = {}
        self._is_pending = False  # SIGTERM came while a request was being answered
        self._previous: Any = None  # the signal handler that was replaced
        self._process_id = 0  # a forked child inherits all this, and has nothing to shut down

    def add(self, callback: Callable[[], None], is_busy: Callable[[], bool], hurry: Callable[[], None]) -> None:
        """Have *callback* called once before the process ends.

        Args:
            callback: the callback.
            is_busy: whether a SIGTERM has to wait because requests are being answered.
            hurry: called in the signal handler if a SIGTERM waits.
        """
        if self._process_id != os.getpid():
            self._process_id = os.getpid()
            self._callbacks.clear()
            atexit.register(self._run)
            if threading.main_thread().is_alive():
                # Python waits for all threads before it calls the functions of atexit, and anyio's worker threads wait
                # for the event loop to end.
                with suppress(RuntimeError):  # no more threads can be started
                    threading.Thread(target=self._run_after_main_thread, name="bridge shutdown").start()
        self._callbacks[callback] = is_busy, hurry
        is_main_thread = threading.current_thread() is threading.main_thread()  # others cannot set signal handlers
        if self._previous is None and is_main_thread and signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            self._previous = signal.signal(signal.SIGTERM, self._on_sigterm) or signal.SIG_DFL

    def remove(self, callback: Callable[[], None]) -> None:
        """Undo :meth:`add`."""
        self._callbacks.pop(callback, None)

    def request_answered(self) -> None:
        """Shut down if SIGTERM arrived during the request, after a moment in which its response is sent."""
        if self._is_pending and not self._is_busy():
            self._is_pending = False
            timer = threading.Timer(_SEND_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
            timer.daemon = True
            timer.start()

    def _run(self) -> None:
        """Call the callbacks, each once, and all of them also if some raise."""
        while self._callbacks and self._process_id == os.getpid():
            callback, _ = self._callbacks.popitem()
            try:
                callback()
            except BaseException:
                self._run()
                raise

    def _run_after_main_thread(self) -> None:
        threading.main_thread().join()
        self._run()

    def _is_busy(self) -> bool:
        return self._process_id == os.getpid() and any(is_busy() for is_busy, _ in [*self._callbacks.values()])

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_pending = self._is_busy()
        if self._is_pending:
            for _, hurry in [*self._callbacks.values()]:
                hurry()
            return
        try:
            self._run()
        finally:
            signal.signal(signal.SIGTERM, self._previous)
            self._previous = None
            os.kill(os.getpid(), signal.SIGTERM)


shutdown = _Shutdown()
