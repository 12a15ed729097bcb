"""The shutdown of the server of ``bridge serve``."""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import Any

from bridge.dev.cli.server.uvicorn_server import DevelopmentServer

OPTIONS = argparse.Namespace(plain=True, threads=1, ssl_certfile=None, ssl_keyfile=None)


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"fine"})


async def started(listener: socket.socket) -> DevelopmentServer:
    server = DevelopmentServer(app, "", OPTIONS)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    return server


async def test_a_client_that_connected_before_the_shutdown_is_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = await started(listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        while not server.server_state.connections:
            await asyncio.sleep(0)
        shutdown = asyncio.create_task(server.shutdown([]))
        for _ in range(3):
            await asyncio.sleep(0)
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nfine")
        await shutdown
        writer.close()


async def test_a_client_that_sends_nothing_does_not_delay_the_shutdown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = await started(listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        await asyncio.wait_for(server.shutdown([]), 30)
        assert await reader.read() == b""
        writer.close()
