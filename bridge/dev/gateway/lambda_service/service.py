"""Lambda on this machine: processes of a function, as many as there is to do, and the invocations between them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.context import LocalContext
from bridge.dev.gateway.invocation import FunctionError, Invocation, ReceivedStream
from bridge.dev.gateway.lambda_service.process_reaper import ProcessReaper
from bridge.dev.gateway.lambda_service.program import Program
from bridge.dev.gateway.lambda_service.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FunctionError", "LambdaService", "ReceivedStream"]

# A process that has answered asks for more in a moment; a new one takes longer to start.
_PATIENCE_SECONDS = 0.1


class LambdaService:
    """A function whose processes are started, used again, and ended as Lambda does it; an async context manager.

    It is a handler for :class:`bridge.dev.gateway.app.Gateway`, too.

    Args:
        command: what a process runs: anything that speaks the Runtime API.
        name: the function's name.
        folder: its code; the current folder if None.
        handler: its handler, as Lambda would have it.
        environment: its own variables.
        timeout: how long an invocation may take, in seconds.
        concurrency: how many invocations one process answers at once.
        sandboxes: how many processes there are at most.
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
        self._program = Program(
            tuple(command), name, (folder or Path.cwd()).resolve(), handler, environment or {}, timeout, concurrency
        )
        self._most = sandboxes
        self._sandboxes: list[Sandbox] = []
        self._pending: deque[Invocation] = deque()
        self._leaving: set[asyncio.Task[None]] = set()
        self._warden: ProcessReaper | None = None
        self._looking: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> LambdaService:
        await self.startup_here()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close_here()

    async def startup_here(self) -> None:
        """Be ready; the first invocation starts the first process."""
        if self._warden is None:
            self._warden = ProcessReaper()

    async def close_here(self) -> None:
        """End all processes; two seconds after SIGTERM, by force."""
        if self._warden is None:
            return
        if self._looking is not None:
            self._looking.cancel()
        pending, self._pending = self._pending, deque()
        for invocation in pending:
            invocation.take(FunctionError("Sandbox.Ended", "The server ends."))
        sandboxes, self._sandboxes = self._sandboxes, []
        await asyncio.gather(*[sandbox.end() for sandbox in sandboxes], *self._leaving)
        self._warden.close()
        self._warden = None

    async def invoke(self, event: Any, content_type: str = "application/json") -> Any:
        """Have the function answer one event.

        Args:
            event: what JSON can write; or bytes, which are handed over as they are.
            content_type: what they are.

        Returns:
            The payload as it comes out of JSON, or its bytes if it is none; or a :class:`ReceivedStream`.

        Raises:
            FunctionError: the function failed, its process ended, or the time is over.
        """
        if self._warden is None:
            await self.startup_here()
        content = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
        invocation = Invocation(content, content_type, LocalContext.starting(self._program.timeout, self._program.name))
        self._pending.append(invocation)
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

    async def __call__(self, event: Any, context: Any = None) -> Any:  # noqa: ARG002 - it makes its own
        """As :meth:`invoke`: a handler of event and context.

        Raises:
            FunctionError: also if the payload is no JSON.
        """
        payload = await self.invoke(event)
        if isinstance(payload, bytes):
            raise FunctionError("Runtime.MalformedPayload", f"the payload is no JSON: {payload[:100]!r}")
        return payload

    def _dispatch(self) -> None:
        """Hand out what waits, the process that was started last but one first; start more if that is not enough."""
        for sandbox in self._sandboxes:
            while self._pending and sandbox.can_take:
                sandbox.hand_out(self._pending.popleft())
        if self._missing() > 0 and self._looking is None:
            is_soon = any(sandbox.is_nearly_free for sandbox in self._sandboxes)
            self._looking = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS if is_soon else 0, self._start)

    def _missing(self) -> int:
        """How many of those that wait have no process to come."""
        return len(self._pending) - sum(sandbox.room for sandbox in self._sandboxes)

    def _start(self) -> None:
        self._looking = None
        while self._warden is not None and self._missing() > 0 and len(self._sandboxes) < self._most:
            sandbox = Sandbox(self._program, self._warden, self._changed)
            self._sandboxes.append(sandbox)
            sandbox.start()

    def _changed(self, sandbox: Sandbox) -> None:
        """A process asks for an invocation, or has ended."""
        if sandbox.is_over and sandbox in self._sandboxes:
            self._sandboxes.remove(sandbox)
            leaving = asyncio.get_running_loop().create_task(sandbox.join())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            if sandbox.error is not None:
                # All that wait get to know it: another process would not start, either, and they would wait for it.
                pending, self._pending = self._pending, deque()
                for invocation in pending:
                    invocation.take(sandbox.error)
        self._dispatch()

    def _abandon(self, invocation: Invocation) -> None:
        if invocation in self._pending:
            self._pending.remove(invocation)
        else:
            any(sandbox.abandon(invocation) for sandbox in self._sandboxes)
