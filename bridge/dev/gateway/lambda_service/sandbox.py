"""One process of a function, from its init to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from bridge import logger
from bridge.dev.gateway.invocation import FunctionError
from bridge.dev.gateway.lambda_service.runtime_api import RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.invocation import Invocation
    from bridge.dev.gateway.lambda_service.process_reaper import ProcessReaper
    from bridge.dev.gateway.lambda_service.program import Program

# Lambda gives the init ten seconds and then tries once more, within the function's timeout.
_INIT_SECONDS = 10.0
# From SIGTERM to SIGKILL, as where Lambda shuts a sandbox down; and from an init error to SIGTERM.
_GRACE_SECONDS, _LAST_WORDS_SECONDS = 2.0, 1.0


class Sandbox:
    """A process of a function.

    Args:
        program: what it runs.
        warden: ends it when this process is gone.
        changed: called when it can take an invocation, or has ended.

    Attributes:
        error: why it does not start; None if it has started, or still may.
        is_up: whether it has asked for an invocation.
        is_over: whether it takes no more.
    """

    def __init__(self, program: Program, warden: ProcessReaper, changed: Callable[[Sandbox], None]) -> None:
        self._program = program
        self._warden = warden
        self._changed = changed
        self._api = RuntimeApi(self, with_id=program.concurrency > 1)
        self._process: asyncio.subprocess.Process | None = None
        self._timers: dict[Invocation, asyncio.TimerHandle] = {}
        self._life: asyncio.Task[None] | None = None
        self._initial: asyncio.TimerHandle | None = None
        self._exit_error: FunctionError | None = None
        self.error: FunctionError | None = None
        self.is_up = False
        self.is_over = False

    @property
    def can_take(self) -> bool:
        """Whether it asks for an invocation."""
        return bool(self._api.waiting) and not self.is_over

    @property
    def room(self) -> int:
        """How many invocations it will take without having ended one."""
        return 0 if self.is_over else self._program.concurrency - len(self._timers)

    @property
    def is_nearly_free(self) -> bool:
        """Whether it has answered all that it was given, and only has to ask for more."""
        return not self.is_over and bool(self._timers) and all(invocation.is_answered for invocation in self._timers)

    def start(self) -> None:
        """Start it; *changed* is called in any case."""
        loop = asyncio.get_running_loop()
        patience = max(_INIT_SECONDS, self._program.timeout)
        why = FunctionError("Runtime.InitTimeout", f"The function's process did not ask for work in {patience:g} s.")
        self._initial = loop.call_later(patience, self.kill, why)
        self._life = loop.create_task(self._live())

    def hand_out(self, invocation: Invocation) -> None:
        """Give it an invocation, which it asks for."""
        loop = asyncio.get_running_loop()
        seconds = self._program.timeout
        invocation.context.start(seconds)
        self._timers[invocation] = loop.call_later(seconds, self._time_out, invocation)
        self._api.hand_out(invocation)

    def abandon(self, invocation: Invocation) -> bool:
        """Nobody waits for *invocation* any more: end it with the process, if that is all it does.

        Returns:
            Whether this is the one that has it.
        """
        if invocation not in self._timers:
            return False
        if self._program.concurrency == 1 and not invocation.is_answered:
            self.kill(FunctionError("Sandbox.Abandoned", "Nobody waits for the answer any more; its process is ended."))
        return True

    def kill(self, error: FunctionError) -> None:
        """End it at once, with all that it is doing."""
        if not self.is_over:
            logger().error("The function %s: %s", self._program.name, error.message)
            self._end_with(error)
            self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """End it: kindly, and after two seconds by force."""
        self._end_with(FunctionError("Sandbox.Ended", "The server ends."))
        self._signal(signal.SIGTERM)
        await self._join(_GRACE_SECONDS)

    def ready(self) -> None:
        """The process asks for an invocation."""
        self._stop_initial()
        self.is_up = True
        if self._program.concurrency == 1:  # so the one before is over, with all that it left behind
            self._stop_timers()
        self._changed(self)

    def over(self, invocation: Invocation) -> None:
        """The process has answered *invocation*, but may still be busy with what that left behind."""
        timer = self._timers.pop(invocation, None) if self._program.concurrency > 1 else None
        if timer is not None:  # None if the process was ended meanwhile
            timer.cancel()

    def failed(self, error: FunctionError) -> None:
        """The process said that it cannot start."""
        if not self.is_over:
            self.error = error
            stack = "".join(line if line.endswith("\n") else f"{line}\n" for line in error.stack).rstrip()
            what = f"{error}\n{stack}" if stack else str(error)
            logger().error("The function %s does not start: %s", self._program.name, what)
            self._end_with(error)

    async def _live(self) -> None:
        group = 0
        try:
            environment = self._program.variables(await self._api.open())
            try:
                # A group of its own: Ctrl-C is for the server, which ends what is to end, and in its time.
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._program.command,
                    cwd=self._program.folder,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                why = f"{self._program.command[0]} cannot be started: {error.strerror}."
                self.failed(FunctionError("Runtime.InvalidEntrypoint", why))
                return
            group = process.pid
            self._warden.watch(group)
            if self.is_over:  # it was ended while it was being started
                self._signal(signal.SIGKILL)
            self._exited(await process.wait())
        finally:
            if group:
                self._signal(signal.SIGKILL)  # what it may have left: processes of its own
                self._warden.release(group)
            self._api.close()

    def _exited(self, status: int) -> None:
        """The process has ended."""
        if self.is_over:
            return
        what = f"exit status {status}" if status >= 0 else f"signal: {signal.Signals(-status).name}"
        error = FunctionError("Runtime.ExitError", f"Runtime exited with error: {what}")
        if not self.is_up:
            why = "ended before it asked for work"
            self.error = error
        else:
            in_flight = len(self._api.invocations)
            why = f"ended with {in_flight} invocations in flight" if in_flight else "ended"
        logger().error(
            "The process of the function %s %s (%s). What it printed says why; the next request starts a new one.",
            self._program.name,
            why,
            what,
        )
        self._end_with(error)

    def _time_out(self, invocation: Invocation) -> None:
        others = len(self._api.invocations.keys() - {invocation.context.aws_request_id})
        more = f" With it end {others} others that the process was answering." if others else ""
        if invocation.is_answered and invocation.context.aws_request_id not in self._api.invocations:
            more += " It had answered; what goes on after that counts, too."
        why = f"Task timed out after {self._program.timeout:.2f} seconds.{more}"
        self.kill(FunctionError("Sandbox.Timedout", why))

    def _end_with(self, error: FunctionError) -> None:
        """It takes no more, and what it has not answered is answered with *error*."""
        if self.is_over:
            return
        self.is_over = True
        if not self.is_up and self.error is None:
            self.error = error
        self._stop_initial()
        self._stop_timers()
        for invocation in list(self._api.invocations.values()):
            invocation.take(error)
        self._changed(self)

    def _stop_initial(self) -> None:
        if self._initial is not None:
            self._initial.cancel()
            self._initial = None

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def join(self) -> None:
        """Wait until an ended process is gone; one that has said why it does not start may finish its sentence."""
        await self._join(_LAST_WORDS_SECONDS)

    async def _join(self, seconds: float) -> None:
        if self._life is not None:
            await asyncio.wait([self._life], timeout=seconds)
            self._signal(signal.SIGKILL)
            await self._life
