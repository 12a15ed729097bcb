"""Sending a recorded request again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.gateway import AccessRecord

if TYPE_CHECKING:
    from bridge.dev.gateway.gateway import Gateway

# A replayed stream ends after this time, as if its client had disconnected.
_STREAM_SECONDS = 30.0


class Replayer:
    """Sends recorded requests through a gateway again, or through one of another front door.

    Args:
        gateway: the gateway.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tasks: set[asyncio.Task[None]] = set()

    async def replay(self, record: AccessRecord, source: str) -> int:
        """Begin to send the request of *record* again, and return the number of the new request.

        A stage that the front door *source* does not have is removed from the path.

        Args:
            record: the recorded request.
            source: the front door.
        """
        gateway = self._gateway.behind(source)
        request = replace(record.request, path=gateway.path_of(self._gateway.behind(record.source), record.request))
        repeated = AccessRecord(request, replay_of=record.number)
        task = asyncio.create_task(gateway.respond(repeated, _receive, _send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # until the recorder has numbered the request
        return repeated.number

    def close(self) -> None:
        """Cancel the requests that are not answered."""
        for task in self._tasks:
            task.cancel()


async def _receive() -> dict[str, Any]:
    await asyncio.sleep(_STREAM_SECONDS)
    return {"type": "http.disconnect"}


async def _send(message: Any) -> None:
    """Discard the response, which the recorder has."""
