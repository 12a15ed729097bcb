"""The Lambda service: it queues invocations, and starts as many processes of a function as they need."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.invocation import FunctionError, PendingInvocation, ReceivedStream
from bridge.dev.gateway.lambda_service.process_reaper import ProcessReaper
from bridge.dev.gateway.lambda_service.sandbox import FunctionConfig, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.dev.gateway.lambda_service.sandbox import ProcessEvent

# A process that has answered requests the next invocation within this time, which is shorter than a start.
_REUSE_SECONDS = 0.1
# How many processes in a row may be killed before they are up, until the waiting invocations fail.
_MAX_FAILED_STARTS = 3


class LambdaService:
    """A function that runs in separate processes, which are started, used again and ended as Lambda does.

    It is an asynchronous context manager, and a handler for :class:`bridge.dev.gateway.Gateway`.

    ::

        async with LambdaService(["python", "-m", "bridge.runtime", "app:app"], timeout=3) as function:
            payload = await function.invoke(event)

    Args:
        command: the command of a process: any client of the Runtime API.
        name: the function's name.
        folder: its code; None for the current folder.
        handler: its handler string.
        environment: its variables.
        timeout: how long an invocation may take, in seconds.
        concurrency: how many invocations one process answers at once.
        sandboxes: the largest number of processes.

    Attributes:
        observe: called with a :class:`ProcessEvent` when a process starts, takes or completes an invocation, or ends;
            None for nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str = "function",
        folder: Path | None = None,
        handler: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 3.0,
        concurrency: int = 1,
        sandboxes: int = 4,
    ) -> None:
        folder = (folder or Path.cwd()).resolve()
        self._function = FunctionConfig(tuple(command), name, folder, handler, environment or {}, timeout, concurrency)
        self.observe: Callable[[ProcessEvent], None] | None = None
        self._max_sandboxes = sandboxes
        self._started = 0
        self._failed_starts = 0  # in a row
        self._sandboxes: list[Sandbox] = []
        self._queue: deque[PendingInvocation] = deque()
        self._ending: set[asyncio.Task[None]] = set()
        self._reaper: ProcessReaper | None = None
        self._start_timer: asyncio.TimerHandle | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The function's own environment variables."""
        return self._function.environment

    async def __aenter__(self) -> LambdaService:
        await self.startup_here()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close_here()

    async def startup_here(self) -> None:
        """Prepare for invocations; the first one starts the first process."""
        if self._reaper is None:
            self._reaper = ProcessReaper()

    async def close_here(self) -> None:
        """End all processes, with SIGTERM, and two seconds later with SIGKILL."""
        if self._reaper is None:
            return
        if self._start_timer is not None:
            self._start_timer.cancel()
        self._fail_queue(FunctionError("Sandbox.Ended", "The server shut down."))
        sandboxes, self._sandboxes = self._sandboxes, []
        await asyncio.gather(*[sandbox.shut_down() for sandbox in sandboxes], *self._ending)
        self._reaper.close()
        self._reaper = None

    async def invoke(
        self, event: Any, content_type: str = "application/json", context: LocalContext | None = None
    ) -> Any:
        """Invoke the function.

        Args:
            event: an event that JSON can represent, or bytes.
            content_type: the Content-Type of the event.
            context: request ID and function name; None for new ones. Its ``process`` is set.

        Returns:
            The payload as read from JSON, or its bytes if it is not JSON; or a :class:`ReceivedStream`.

        Raises:
            FunctionError: the function failed, its process ended, or it timed out.
        """
        await self.startup_here()
        content = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
        context = context or LocalContext(self._function.timeout, self._function.name)
        invocation = PendingInvocation(content, content_type, context)
        self._queue.append(invocation)
        self._dispatch()
        try:
            await asyncio.wait([invocation.answer])
        except asyncio.CancelledError:
            self._abandon(invocation)
            raise
        answer = invocation.answer.result()
        if isinstance(answer, FunctionError):
            raise answer
        if isinstance(answer, ReceivedStream):
            return answer
        try:
            return json.loads(answer)
        except ValueError:
            return answer

    async def __call__(self, event: Any, context: Any = None) -> Any:
        """Invoke the function, as a handler.

        Raises:
            FunctionError: as :meth:`invoke`, or the payload is not JSON.
        """
        payload = await self.invoke(event, context=context if isinstance(context, LocalContext) else None)
        if isinstance(payload, bytes):
            raise FunctionError("Runtime.MalformedPayload", f"The payload is not JSON: {payload[:100]!r}")
        return payload

    def _dispatch(self) -> None:
        """Send queued invocations to processes that wait, and start more processes if these are too few."""
        for sandbox in self._sandboxes:
            while self._queue and sandbox.can_take:
                sandbox.send(self._queue.popleft())
        if self._missing() > 0 and self._start_timer is None:
            seconds = _REUSE_SECONDS if any(sandbox.is_about_to_be_free for sandbox in self._sandboxes) else 0
            self._start_timer = asyncio.get_running_loop().call_later(seconds, self._start_sandboxes)

    def _missing(self) -> int:
        """Return how many queued invocations no process has capacity for."""
        return len(self._queue) - sum(sandbox.capacity for sandbox in self._sandboxes)

    def _start_sandboxes(self) -> None:
        self._start_timer = None
        while self._reaper is not None and self._missing() > 0 and len(self._sandboxes) < self._max_sandboxes:
            self._started += 1
            sandbox = Sandbox(self._function, self._reaper, self._on_change, self._started)
            sandbox.observe = self.observe
            self._sandboxes.append(sandbox)
            sandbox.start()

    def _on_change(self, sandbox: Sandbox) -> None:
        if sandbox.is_over and sandbox in self._sandboxes:
            self._sandboxes.remove(sandbox)
            self._queue.extendleft(reversed(sandbox.unread))
            ending = asyncio.get_running_loop().create_task(sandbox.wait())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            if sandbox.start_error is not None:
                self._failed_starts += 1
                # Where a process does not start another one does not either, unless something has killed it.
                if not sandbox.was_killed or self._failed_starts >= _MAX_FAILED_STARTS:
                    self._fail_queue(sandbox.start_error)
        if sandbox.is_up:
            self._failed_starts = 0
        self._dispatch()

    def _fail_queue(self, error: FunctionError) -> None:
        queue, self._queue = self._queue, deque()
        for invocation in queue:
            invocation.set_answer(error)

    def _abandon(self, invocation: PendingInvocation) -> None:
        if invocation in self._queue:
            self._queue.remove(invocation)
        for sandbox in self._sandboxes:
            sandbox.abandon(invocation)
