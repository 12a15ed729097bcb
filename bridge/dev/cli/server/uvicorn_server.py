"""uvicorn's server, made to end: in order if it can, by force if the application never answers."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge import logger
from bridge.asgi.loop import new_task
from bridge.dev.cli.function_loader import say
from bridge.dev.cli.process_exit import THREADS, leave, leave_if_stuck
from bridge.dev.cli.server.page import text_of
from bridge.dev.cli.server.server_log import make_clear

if TYPE_CHECKING:
    import socket
    from types import FrameType

# Seconds after Ctrl-C: for the requests in flight, for all the rest (the lifespan) after them, and after a second
# Ctrl-C for everything.
_GRACE, _REST, _HURRY = 10, 3, 1
# Times and seconds to wait at the end for the request of a client that has just connected. Browsers connect in advance.
_LOOKS, _LOOK = 10, 0.02


class Server(uvicorn.Server):
    """Serves an ASGI application.

    Args:
        app: the application.
        greeting: what is said once it has started up.
        options: those of the command line.
        websockets: whether the application is asked for WebSockets, too.

    Attributes:
        failure: why the application does not start up; ``""`` if it does.
    """

    def __init__(self, app: Any, greeting: str, options: dict[str, Any], *, websockets: bool = False) -> None:
        super().__init__(
            uvicorn.Config(
                self._listen,
                interface="asgi3",
                http="h11",
                ws="auto" if websockets else "none",
                lifespan="auto" if options["plain"] else "on",
                log_config=None,
                log_level="warning",
                access_log=False,  # the gateway's own lines
                proxy_headers=False,
                server_header=False,
                date_header=options["plain"],  # else the gateway writes it, as the front door does
                timeout_graceful_shutdown=_GRACE,
                # A header that is too large gets the front door's own answer, not the server's.
                h11_max_incomplete_event_size=1024 * 1024,
                ssl_certfile=options["ssl_certfile"],
                ssl_keyfile=options["ssl_keyfile"],
            )
        )
        self.failure = ""
        self._app = app
        self._greeting = greeting
        self._has_websockets = websockets
        self._is_plain = bool(options["plain"])
        # asgiref runs a plain WSGI application on these; behind a front door the gateway has its own.
        self._threads = ThreadPoolExecutor(options["threads"] if options["plain"] else None, THREADS)

    @property
    def status(self) -> int:
        """The exit status: 0, or 3 if the application has not started up."""
        return 0 if self.started else 3

    async def _listen(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, as uvicorn knows it."""
        if scope["type"] == "http" and not self._has_websockets and _asks_for_websocket(scope):
            await _refuse_websocket(scope, send)
        elif scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, partial(self._hear, send))
            except asyncio.CancelledError:
                if not self.force_exit:  # uvicorn has its traceback written, and who pressed Ctrl-C twice knows why
                    raise
        else:
            await self._app(scope, receive, send)

    async def _hear(self, send: Any, message: Any) -> None:
        """Keep why the application does not start up, which uvicorn would log on several lines of its own."""
        if message["type"] == "lifespan.startup.failed":
            self.failure = str(message.get("message") or "no reason given").strip()
            message = {"type": message["type"]}
        await send(message)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start up, and say so."""
        await super().startup(sockets)
        if not self.should_exit and self._greeting:
            say(self._greeting)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        make_clear(front_door=not self._is_plain)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        # As on the loop of the Lambda handler: an answer waits for what its request has started.
        loop.set_task_factory(new_task)
        try:
            await super().serve(sockets)
        finally:
            await self._end_late()
            self._threads.shutdown(wait=False, cancel_futures=True)
            leave_if_stuck(self.status, _HURRY)

    async def _end_late(self) -> None:
        """End functions that were given up; asyncio would wait for ever for one that is not to be cancelled."""
        late = set(getattr(self._app, "late", ()))
        try:
            if late:
                await asyncio.wait(late, timeout=_HURRY)
        finally:  # uvicorn may have passed Ctrl-C on, which cancels this
            if not all(task.done() for task in late):
                leave(self.status)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the requests in flight, then the lifespan."""
        # Nobody waits for a function that was given up.
        self.server_state.tasks.difference_update(getattr(self._app, "late", ()))
        if self.server_state.tasks:
            left = len(self.server_state.tasks)
            say(f"Requests in flight: {left}; they have {_GRACE} s (Ctrl-C again ends them now).")
        for server in self.servers:
            server.close()
        await self._hear_out()
        for each in self._connections():
            is_idle = each.cycle is None or each.cycle.response_complete
            if is_idle and each.transport.get_extra_info("ssl_object") is not None:
                each.transport.abort()  # uvicorn's close() waits for the client's part in it, as long as it may
        await super().shutdown(sockets)

    async def _hear_out(self) -> None:
        """Let clients that have connected send their request: uvicorn hangs up on who has not begun to."""
        for _ in range(_LOOKS):
            await asyncio.sleep(_LOOK)  # also for those that were accepted in this very round
            if self.force_exit or all(each.cycle is not None for each in self._connections()):
                break

    def _connections(self) -> list[H11Protocol]:
        """Those of HTTP; WebSockets are not."""
        return [each for each in self.server_state.connections if isinstance(each, H11Protocol)]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came: end in order; a second one: at once; whatever hangs: by force."""
        super().handle_exit(sig, frame)
        seconds = _HURRY if self.force_exit or not self.started else _GRACE + _REST
        last = threading.Timer(seconds, lambda: leave(self.status))
        last.daemon = True
        last.start()


def _asks_for_websocket(scope: Any) -> bool:
    for name, value in scope["headers"]:  # noqa: SIM110 - every request comes here, and any() makes a generator
        if name == b"upgrade" and value.lower() == b"websocket":
            return True
    return False


async def _refuse_websocket(scope: Any, send: Any) -> None:
    """What an ASGI server answers to a handshake that the application does not accept, and why."""
    why = (
        "no WebSocket reaches an HTTP application on Lambda: API Gateway's WebSocket APIs are another product, with "
        "events of their own. `bridge serve --plain` serves the WebSockets of an ASGI application."
    )
    logger().warning("%s %s was answered 403: %s", scope["method"], scope["path"], why)
    for message in text_of(403, why + "\n"):
        await send(message)
