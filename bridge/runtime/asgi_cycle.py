"""A request to an ASGI application whose response leaves the process before the application returns."""

from __future__ import annotations

import asyncio

from bridge.asgi.loop import request_tasks
from bridge.asgi.request_cycle import RequestCycle, gateway_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.runtime.sent_response import SentResponse


class RuntimeCycle(RequestCycle):
    """The ``receive`` and ``send`` of an ASGI application; the runtime waits for the tasks."""

    leaves_tasks = True

    def __init__(self, sent: SentResponse) -> None:
        super().__init__(sent.scope.body)
        self._sent = sent
        sent.tasks = self.tasks
        request_tasks.set(self.tasks)  # until the invocation ends, so that the runtime waits for them
        if sent.is_streamed:
            sent.on_disconnect = self.end

    async def send(self, message: Any) -> None:
        """Take one message of the response, and send it on; raises OSError if the client has disconnected."""
        await super().send(message)
        response, is_complete = self.response, self.is_complete
        if response is None or not (is_complete or self._sent.is_streamed):
            return
        try:
            if self._sent.is_streamed:
                part = response.body if is_complete else b"".join(self._chunks)
                self._chunks.clear()
                self._sent.api.attach(asyncio.get_running_loop())
                await self._sent.write(response, part, is_complete=is_complete)
            else:
                await self._sent.conclude(response)
        finally:
            if is_complete:
                self.end()

    def end(self) -> None:
        """Let ``receive`` return ``http.disconnect``: the response is sent, or the client has disconnected."""
        super().disconnect()

    def disconnect(self) -> None:
        """Let ``receive`` return ``http.disconnect``, but not while a complete response is being sent.

        Django and Quart cancel what sends the response once they receive it.
        """
        if not self.is_complete:
            super().disconnect()

    def abandon(self) -> None:
        """Answer without an application that does not react to its cancellation."""
        if self.task is not None and not self.is_complete:
            self._sent.late = asyncio.get_running_loop().create_task(self._sent.conclude(gateway_timeout()))
