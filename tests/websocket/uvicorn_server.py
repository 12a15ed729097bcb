"""uvicorn with an application of a WebSocket API: one process with sockets, in which the functions to send work too."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class WithConnections:
    """Gives WebSockets the bridge's extension, and answers requests to ``@connections`` paths, as API Gateway does."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._ids = count()
        self._sockets: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            connection_id = f"u{next(self._ids)}="
            extension = {"connection_id": connection_id, "event": "CONNECT", "route": "$connect", "session": {}}
            extensions = {**scope.get("extensions", {}), "bridge.websocket": extension}
            self._sockets[connection_id] = send
            try:
                await self._app({**scope, "extensions": extensions}, receive, send)
            finally:
                del self._sockets[connection_id]
        elif scope["type"] == "http" and "/@connections/" in scope["path"]:
            socket = self._sockets.get(unquote(scope["path"].rpartition("/")[2]))
            body = (await receive())["body"]
            if socket is not None:
                await socket({"type": "websocket.send", "text": body.decode()})
            await send({"type": "http.response.start", "status": 410 if socket is None else 200, "headers": []})
            await send({"type": "http.response.body"})
        else:
            await self._app(scope, receive, send)


@asynccontextmanager
async def uvicorn_serving(app: Any) -> AsyncIterator[str]:
    """Serve *app* on the running loop; yields the address."""
    config = uvicorn.Config(
        WithConnections(app), port=0, lifespan="off", log_level="warning", ws="websockets-sansio", log_config=None
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    await task
