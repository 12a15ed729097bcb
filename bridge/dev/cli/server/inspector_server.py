"""The second address of ``bridge serve``: the inspector, on the loopback interface alone."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.inspector import InspectorApplication

# The inspector's port is that of the front door and this number, if it is free: a bookmark stays valid.
_PORT_DISTANCE = 10_000


def listen_for_inspector(front_door_port: int) -> socket.socket:
    """Return a socket that listens on the loopback interface, inheritable by child processes.

    Args:
        front_door_port: the port of the front door; 0 for any free port.
    """
    preferred = front_door_port + _PORT_DISTANCE if front_door_port else 0
    for port in (preferred if preferred < 65536 else 0, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError:
            listener.close()
            if not port:
                raise
        else:
            break
    listener.set_inheritable(True)
    return listener


class InspectorServer:
    """Serves the inspector on the running event loop, beside the server of the front door.

    Args:
        app: the inspector.
        listener: a socket that listens on the loopback interface.
        on_close: called when the server closes.
    """

    def __init__(self, app: InspectorApplication, listener: socket.socket, on_close: Callable[[], None]) -> None:
        self._app = app
        self._on_close = on_close
        self._listener = listener
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address of the inspector."""
        return f"http://localhost:{self._listener.getsockname()[1]}"

    async def start(self) -> None:
        """Begin to serve."""
        config = uvicorn.Config(
            self._app, interface="asgi3", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            proxy_headers=False, server_header=False, date_header=False,
        )  # fmt: skip
        config.load()

        def make_protocol() -> Any:
            return H11Protocol(config=config, server_state=self._state, app_state={})

        self._server = await asyncio.get_running_loop().create_server(make_protocol, sock=self._listener)

    async def close(self) -> None:
        """Close all connections, those of open pages included."""
        if self._server is None:
            return
        self._server.close()
        self._app.close()
        self._on_close()
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
