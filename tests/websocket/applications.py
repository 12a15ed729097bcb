"""The same WebSocket application in several frameworks.

It accepts, sends ``welcome NAME``, and answers each message with its upper-case spelling and the number of messages so
far. It closes the connection at ``quit``, fails at ``fail``, and records what it sees of a disconnected client.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import litestar
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from litestar.exceptions import WebSocketDisconnect as LitestarDisconnect
from litestar.params import FromQuery  # noqa: TC002 - Litestar reads annotations

if TYPE_CHECKING:
    from collections.abc import Callable


def session_of(scope: Any) -> dict[str, Any]:
    """The session that the bridge keeps; under another server one that lives as long as the scope."""
    extensions = scope.setdefault("extensions", {})
    session: dict[str, Any] = extensions.setdefault("bridge.websocket", {"session": {}})["session"]
    return session


def answer_to(text: str, session: dict[str, Any]) -> str:
    if text == "fail":
        raise LookupError("failed on request")
    session["count"] = session.get("count", 0) + 1
    return f"{text.upper()} {session['count']}"


def fastapi_app(log: list[Any]) -> Any:
    app = FastAPI()

    @app.websocket("/")
    async def chat(websocket: WebSocket, name: str) -> None:
        await websocket.accept(subprotocol="chat" if "chat" in websocket.scope["subprotocols"] else None)
        await websocket.send_text(f"welcome {name}")
        try:
            while True:
                text = await websocket.receive_text()
                if text == "quit":
                    await websocket.close()
                    return
                await websocket.send_text(answer_to(text, session_of(websocket.scope)))
        except WebSocketDisconnect as disconnect:
            log.append(disconnect.code)

    return app


def starlette_app(log: list[Any]) -> Any:
    from starlette.applications import Starlette
    from starlette.endpoints import WebSocketEndpoint
    from starlette.routing import WebSocketRoute

    class Chat(WebSocketEndpoint):
        encoding = "text"

        async def on_connect(self, websocket: Any) -> None:
            await websocket.accept(subprotocol="chat" if "chat" in websocket.scope["subprotocols"] else None)
            await websocket.send_text(f"welcome {websocket.query_params['name']}")

        async def on_receive(self, websocket: Any, data: Any) -> None:
            if data == "quit":
                await websocket.close()
                return
            await websocket.send_text(answer_to(data, session_of(websocket.scope)))

        async def on_disconnect(self, websocket: Any, close_code: int) -> None:
            # Starlette calls this in a finally clause, so it runs at the end of each event.
            if websocket.scope["extensions"]["bridge.websocket"].get("event", "DISCONNECT") == "DISCONNECT":
                log.append(close_code)

    return Starlette(routes=[WebSocketRoute("/", Chat)])


def quart_app(log: list[Any]) -> Any:
    from quart import Quart, websocket

    app = Quart(__name__)

    @app.websocket("/")
    async def chat() -> None:
        scope: Any = websocket.scope
        await websocket.accept(subprotocol="chat" if "chat" in scope["subprotocols"] else None)
        await websocket.send(f"welcome {websocket.args['name']}")
        try:
            while True:
                text = await websocket.receive()
                if text == "quit":
                    await websocket.close(1000)
                    return
                await websocket.send(answer_to(str(text), session_of(scope)))
        except asyncio.CancelledError:
            # Quart cancels this function when the client disconnects, and the bridge does at the end of each event.
            if scope["extensions"]["bridge.websocket"].get("event", "DISCONNECT") == "DISCONNECT":
                log.append("cancelled")
            raise

    return app


def litestar_app(log: list[Any]) -> Any:
    @litestar.websocket("/")
    async def chat(socket: litestar.WebSocket[Any, Any, Any], name: FromQuery[str]) -> None:
        await socket.accept(subprotocols="chat" if "chat" in socket.scope["subprotocols"] else None)
        await socket.send_text(f"welcome {name}")
        try:
            while True:
                text = await socket.receive_text()
                if text == "quit":
                    await socket.close()
                    return
                await socket.send_text(answer_to(text, session_of(socket.scope)))
        except LitestarDisconnect as disconnect:
            log.append(disconnect.code)

    return litestar.Litestar([chat], openapi_config=None)


def channels_app(log: list[Any]) -> Any:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY="not secret", USE_TZ=True)
        django.setup()
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter

    class Chat(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def connect(self) -> None:
            await self.accept("chat" if "chat" in self.scope["subprotocols"] else None)
            name = self.scope["query_string"].decode().partition("=")[2]
            await self.send(f"welcome {name}")

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            if text_data == "quit":
                await self.close()
                return
            await self.send(answer_to(text_data, session_of(self.scope)))

        async def disconnect(self, code: int) -> None:
            log.append(code)

    return ProtocolTypeRouter({"websocket": Chat.as_asgi()})


def channels_sync_app(log: list[Any]) -> Any:
    channels_app(log)  # configures Django
    from channels.generic.websocket import WebsocketConsumer
    from channels.routing import ProtocolTypeRouter

    class Chat(WebsocketConsumer):  # type: ignore[misc]
        def connect(self) -> None:
            self.accept("chat" if "chat" in self.scope["subprotocols"] else None)
            self.send(f"welcome {self.scope['query_string'].decode().partition('=')[2]}")

        def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            if text_data == "quit":
                self.close()
                return
            self.send(answer_to(text_data, session_of(self.scope)))

        def disconnect(self, code: int) -> None:
            log.append(code)

    return ProtocolTypeRouter({"websocket": Chat.as_asgi()})


def falcon_app(log: list[Any]) -> Any:
    import falcon.asgi

    class Chat:
        async def on_websocket(self, req: Any, ws: Any) -> None:
            await ws.accept("chat" if "chat" in ws.subprotocols else None)
            await ws.send_text(f"welcome {req.get_param('name')}")
            try:
                while True:
                    text = await ws.receive_text()
                    if text == "quit":
                        await ws.close()
                        return
                    await ws.send_text(answer_to(text, session_of(req.scope)))
            except falcon.WebSocketDisconnected as disconnect:
                log.append(disconnect.code)

    app = falcon.asgi.App()
    app.add_route("/", Chat())
    return app


FRAMEWORKS: dict[str, Callable[[list[Any]], Any]] = {
    "fastapi": fastapi_app,
    "starlette": starlette_app,
    "quart": quart_app,
    "litestar": litestar_app,
    "falcon": falcon_app,
    "channels": channels_app,
    "channels-sync": channels_sync_app,
}
# Falcon does not take the root path off the path.
OPTIONS: dict[str, dict[str, Any]] = {"falcon": {"strip_stage": True}}
