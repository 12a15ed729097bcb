"""A WebSocket API on the running loop, behind the server and with the options of ``bridge serve``."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from bridge.dev.cli.server.uvicorn_server import websocket_options
from bridge.dev.gateway.websocket_api import WebSocketApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bridge.dev.gateway.gateway import AccessRecord


class Events:
    """A Lambda function ``(event, context)`` that stores its events, and answers with what a callback returns.

    Args:
        answer: called with each event; a status, a payload, or None for 200.

    Attributes:
        all: the events.
    """

    def __init__(self, answer: Callable[[Any], Any] | None = None) -> None:
        self.all: list[dict[str, Any]] = []
        self._answer = answer

    async def __call__(self, event: Any, context: Any) -> Any:
        self.all.append(event)
        result = None if self._answer is None else self._answer(event)
        if asyncio.iscoroutine(result):
            result = await result
        return result if isinstance(result, (dict, str)) else {"statusCode": 200 if result is None else result}

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type."""
        return [event for event in self.all if event["requestContext"]["eventType"] == kind]

    async def wait_for(self, kind: str, number: int = 1) -> dict[str, Any]:
        """Wait for the event of this number of one type."""
        async with asyncio.timeout(10):
            while len(self.of(kind)) < number:
                await asyncio.sleep(0.005)
        return self.of(kind)[number - 1]


class Server:
    """A server.

    Attributes:
        api: the API.
        url: the address for WebSockets.
        records: what it has observed.
    """

    def __init__(self, api: WebSocketApi, url: str, records: list[AccessRecord]) -> None:
        self.api = api
        self.url = url
        self.records = records

    async def request(self, method: str, connection_id: str, body: str | bytes = b"", **headers: str) -> httpx.Response:
        """Send a request to the ``@connections`` endpoint."""
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"{self.api.endpoint_url}/@connections/{connection_id}"
            return await client.request(method, url, content=body, headers=headers)


@asynccontextmanager
async def serving(handler: Any, **options: Any) -> AsyncIterator[Server]:
    """Serve a WebSocket API in front of a Lambda handler, or of several by name."""
    records: list[AccessRecord] = []
    handlers = handler if isinstance(handler, dict) else {"bridge": handler}
    api = WebSocketApi(handlers, **{"observe": records.append, **options})
    config = uvicorn.Config(
        api, port=0, lifespan="off", log_level="warning", log_config=None, **websocket_options(True, is_plain=False)
    )
    server = uvicorn.Server(config)
    await api.startup_here()
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Server(api, f"ws://127.0.0.1:{port}", records)
    finally:
        server.should_exit = True
        await task
        await api.close_here()
