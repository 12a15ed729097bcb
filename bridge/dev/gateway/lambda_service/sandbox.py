"""One process of a function, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bridge.dev.gateway.context import ProcessUse
from bridge.dev.gateway.invocation import FunctionError
from bridge.dev.gateway.lambda_service.runtime_api import RuntimeApiServer
from bridge.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bridge.dev.gateway.invocation import PendingInvocation
    from bridge.dev.gateway.lambda_service.process_reaper import ProcessReaper

# Lambda limits the init phase to ten seconds, and then repeats it within the function's timeout.
_INIT_SECONDS = 10.0
# From SIGTERM to SIGKILL, as when Lambda shuts down an execution environment; and from an init error to SIGKILL.
_SHUTDOWN_SECONDS, _INIT_ERROR_SECONDS = 2.0, 1.0
# Iterations of the event loop in which it reports the connections that the end of the process has reset.
_RESET_ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """The configuration of a function's processes.

    Attributes:
        command: the command and its arguments: any client of the Runtime API.
        name: the function's name.
        folder: its code, and the current folder of its processes.
        handler: its handler string.
        environment: its variables, which override those of this process and Lambda's.
        timeout: how long an invocation may take, in seconds.
        concurrency: how many invocations one process answers at once.
    """

    command: Sequence[str]
    name: str
    folder: Path
    handler: str
    environment: Mapping[str, str]
    timeout: float
    concurrency: int

    def process_environment(self, runtime_api: str) -> dict[str, str]:
        """Return the environment of a process whose Runtime API is at *runtime_api*.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        variables = {
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "LAMBDA_TASK_ROOT": str(self.folder),
            "_HANDLER": self.handler,
            "IS_OFFLINE": "True",
            "PYTHONUNBUFFERED": "1",  # print() shows at once, as in CloudWatch
        }
        if self.concurrency > 1:
            variables["AWS_LAMBDA_MAX_CONCURRENCY"] = str(self.concurrency)
        return {**os.environ, **variables, **self.environment}


class ProcessEvent(NamedTuple):
    """A change of a process.

    Attributes:
        function: the name of the function.
        number: the number of the process, from 1.
        pid: the process ID; 0 before the process has one.
        state: ``"starting"``, ``"up"`` or ``"ended"``.
        in_flight: how many invocations it is answering.
        reason: why it ended; ``""`` otherwise.
        time: when, in seconds since the epoch.
    """

    function: str
    number: int
    pid: int
    state: str
    in_flight: int
    reason: str
    time: float


class Sandbox:
    """A process of a function.

    Args:
        function: what the process runs.
        reaper: kills the process if this one ends first.
        on_change: called when the process can take an invocation, and when it has ended.
        number: the number of the process among those of the function.

    Attributes:
        observe: called with a :class:`ProcessEvent` after each change; None for nothing.
        start_error: why the process does not start; None if it has started, or still may.
        was_killed: whether a signal has ended it.
        is_up: whether it has requested an invocation.
        is_over: whether it takes no more invocations.
        unread: the invocations that it had not read when it ended, for another process.
    """

    def __init__(
        self,
        function: FunctionConfig,
        reaper: ProcessReaper,
        on_change: Callable[[Sandbox], None],
        number: int = 1,
    ) -> None:
        self._function = function
        self._reaper = reaper
        self._on_change = on_change
        self._number = number
        self._has_taken = False
        self.observe: Callable[[ProcessEvent], None] | None = None
        self._api = RuntimeApiServer(self, with_invocation_id=function.concurrency > 1)
        self._process: asyncio.subprocess.Process | None = None
        self._timeouts: dict[PendingInvocation, asyncio.TimerHandle] = {}
        self._init_timeout: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.start_error: FunctionError | None = None
        self.was_killed = False
        self.is_up = False
        self.is_over = False
        self.unread: list[PendingInvocation] = []

    @property
    def can_take(self) -> bool:
        """Whether the process waits for an invocation."""
        return bool(self._api.waiting) and not self.is_over and not self._has_exited

    @property
    def capacity(self) -> int:
        """How many invocations the process takes before it completes one."""
        return 0 if self.is_over else self._function.concurrency - len(self._timeouts)

    @property
    def _has_exited(self) -> bool:
        """Whether the process is gone, of which asyncio may not have been notified yet."""
        if self._process is None or not hasattr(os, "waitid"):
            return False
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    @property
    def is_about_to_be_free(self) -> bool:
        """Whether the process has answered all its invocations, and has yet to request the next one."""
        return not self.is_over and bool(self._timeouts) and all(item.is_answered for item in self._timeouts)

    def start(self) -> None:
        """Start the process. *on_change* is called whether it starts or not."""
        loop = asyncio.get_running_loop()
        seconds = max(_INIT_SECONDS, self._function.timeout)
        message = f"The function's process did not request an invocation within {seconds:g} s."
        self._init_timeout = loop.call_later(seconds, self.kill, FunctionError("Runtime.InitTimeout", message))
        self._task = loop.create_task(self._run())
        self._report("starting")

    def send(self, invocation: PendingInvocation) -> None:
        """Send an invocation to the process, which must wait for one."""
        seconds = self._function.timeout
        context = invocation.context
        context.process = ProcessUse(self._number, not self._has_taken, time.monotonic() - context.created)
        self._has_taken = True
        context.restart_clock(seconds)
        timeout = asyncio.get_running_loop().call_later(seconds, self._time_out, invocation)
        self._timeouts[invocation] = timeout
        self._api.send(invocation)
        self._report("up")

    def abandon(self, invocation: PendingInvocation) -> None:
        """Kill the process if it runs *invocation*, whose caller has gone, and no other."""
        if invocation in self._timeouts and self._function.concurrency == 1 and not invocation.is_answered:
            self.kill(FunctionError("Sandbox.Abandoned", "The client disconnected, so the process was ended."))

    def kill(self, error: FunctionError) -> None:
        """Kill the process. Its invocations fail with *error*."""
        if not self.is_over:
            logger.error("The function %s: %s", self._function.name, error.message)
            self._end(error)
            self._signal(signal.SIGKILL)

    async def shut_down(self) -> None:
        """Send SIGTERM to the process, and SIGKILL two seconds later."""
        self._end(FunctionError("Sandbox.Ended", "The server shut down."))
        self._signal(signal.SIGTERM)
        await self._wait(_SHUTDOWN_SECONDS)

    async def wait(self) -> None:
        """Wait until the process has ended. One that has reported an init error may still log it."""
        await self._wait(_INIT_ERROR_SECONDS)

    def on_ready(self) -> None:
        """Take the request for the next invocation, which completes the one before."""
        self._cancel_init_timeout()
        self.is_up = True
        if self._function.concurrency == 1:
            self._cancel_timeouts()
        self._report("up")
        self._on_change(self)

    def on_complete(self, invocation: PendingInvocation) -> None:
        """Stop the timeout of *invocation*.

        A process that answers one invocation at a time keeps the timeout until it requests the next one: work after the
        response counts, too.
        """
        if self._function.concurrency > 1 and (timeout := self._timeouts.pop(invocation, None)) is not None:
            timeout.cancel()
        self._report("up")

    def on_init_error(self, error: FunctionError) -> None:
        """Log the error, and fail all invocations with it."""
        if not self.is_over:
            self.start_error = error
            stack = "".join(line if line.endswith("\n") else f"{line}\n" for line in error.stack).rstrip()
            details = f"{error}\n{stack}" if stack else str(error)
            logger.error("The function %s does not start: %s", self._function.name, details)
            self._end(error)

    async def _run(self) -> None:
        group = 0
        try:
            environment = self._function.process_environment(await self._api.start())
            try:
                # A new session: Ctrl-C must not end the function before the server.
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._function.command,
                    cwd=self._function.folder,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                message = f"{self._function.command[0]} cannot be started: {error.strerror}."
                self.on_init_error(FunctionError("Runtime.InvalidEntrypoint", message))
                return
            group = process.pid
            self._reaper.add(group)
            if self.is_over:  # shut down while the process was being started
                self._signal(signal.SIGKILL)
            status = await process.wait()
            for _ in range(_RESET_ITERATIONS):
                await asyncio.sleep(0)
            self._on_exit(status)
        finally:
            if group:
                self._signal(signal.SIGKILL)  # child processes that it has left behind
                self._reaper.remove(group)
            self._api.close()

    def _on_exit(self, status: int) -> None:
        if self.is_over:
            return
        cause = f"exit status {status}" if status >= 0 else f"signal: {signal.Signals(-status).name}"
        self.was_killed = status < 0
        self.unread = [each for each in self._api.invocations.values() if each in self._api.unread and each.may_move()]
        for invocation in self.unread:
            del self._api.invocations[invocation.context.aws_request_id]
        in_flight = len(self._api.invocations)
        if not self.is_up:
            when = "ended before it requested an invocation"
        elif in_flight:
            when = f"ended with {in_flight} invocations in flight"
        else:
            when = "ended"
        logger.error(
            "The process of the function %s %s (%s). Its output above may say why. The next request starts a new one.",
            self._function.name,
            when,
            cause,
        )
        self._end(FunctionError("Runtime.ExitError", f"Runtime exited with error: {cause}"))

    def _time_out(self, invocation: PendingInvocation) -> None:
        others = len(self._api.invocations.keys() - {invocation.context.aws_request_id})
        details = f" The {others} other invocations of the process end with it." if others else ""
        if invocation.is_answered and invocation.context.aws_request_id not in self._api.invocations:
            details += " It had answered; work after the response counts, too."
        message = f"Task timed out after {self._function.timeout:.2f} seconds.{details}"
        self.kill(FunctionError("Sandbox.Timedout", message))

    def _end(self, error: FunctionError) -> None:
        """Take no more invocations, and fail those in flight with *error*."""
        if self.is_over:
            return
        self.is_over = True
        if not self.is_up and self.start_error is None:
            self.start_error = error
        self._cancel_init_timeout()
        self._cancel_timeouts()
        for invocation in list(self._api.invocations.values()):
            invocation.set_answer(error)
        self._report("ended", error.message)
        self._on_change(self)

    def _report(self, state: str, reason: str = "") -> None:
        if self.observe is not None and (state == "ended" or not self.is_over):
            pid = self._process.pid if self._process is not None else 0
            in_flight = 0 if state == "ended" else len(self._api.invocations)
            name = self._function.name
            self.observe(ProcessEvent(name, self._number, pid, state, in_flight, reason, time.time()))

    def _cancel_init_timeout(self) -> None:
        if self._init_timeout is not None:
            self._init_timeout.cancel()
            self._init_timeout = None

    def _cancel_timeouts(self) -> None:
        for timeout in self._timeouts.values():
            timeout.cancel()
        self._timeouts.clear()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _wait(self, seconds: float) -> None:
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)
            self._signal(signal.SIGKILL)
            await self._task
