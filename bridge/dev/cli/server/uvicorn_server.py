"""uvicorn's server, with a shutdown that also ends an application that never returns, and with clearer log messages."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.asgi.loop import task_factory
from bridge.dev.cli.output import print_message
from bridge.dev.cli.process_exit import APPLICATION_THREADS, exit_if_threads_hang, exit_now
from bridge.dev.cli.server.error_page import text_response
from bridge.limits import WEBSOCKET_FRAME_LIMIT, WEBSOCKET_MESSAGE_LIMIT
from bridge.logs import logger, printable

if TYPE_CHECKING:
    import argparse
    import socket
    from types import FrameType

    from bridge.dev.cli.server.inspector_server import InspectorServer

# Seconds after Ctrl-C for the requests in flight, after these for the lifespan, and after a second Ctrl-C for both.
_REQUESTS_SECONDS, _LIFESPAN_SECONDS, _HURRY_SECONDS = 10, 3, 1
# How often, and how many seconds each time, a shutdown waits for the first request of a client that has connected.
# Browsers connect in advance.
_CONNECT_CHECKS, _CONNECT_CHECK_SECONDS = 10, 0.02

_WEBSOCKET_REFUSED = (
    "a WebSocket does not reach an HTTP application on Lambda, since API Gateway's WebSocket APIs are a separate "
    "product with events of their own. Add --source websocket to serve a WebSocket API, too, or use --plain to serve "
    "the WebSockets of an ASGI application without one."
)
# Messages of uvicorn that repeat what this server, or behind a front door the gateway, reports itself.
_REPEATED_MESSAGES = ("Application startup failed", "Unsupported upgrade request", "No supported WebSocket library")
# uvicorn logs the second one for a handshake with a response of the application's own.
_INCOMPLETE = (
    "ASGI callable returned without completing response",
    "ASGI callable returned without completing handshake",
)
_INVALID_REQUEST = "Invalid HTTP request received."
_INVALID_TEXT = "Invalid UTF-8 sequence received"


class DevelopmentServer(uvicorn.Server):
    """Serves an ASGI application until Ctrl-C or SIGTERM.

    Args:
        app: the application.
        greeting: a line to print once the application has started up; ``""`` for none.
        options: the options of ``bridge serve``.
        websockets: whether the application accepts WebSockets; otherwise they are refused with 403.
        inspector: the server of the inspector, which is started and closed with this one; None without an inspector.

    Attributes:
        startup_error: why the application did not start up; ``""`` if it did.
    """

    def __init__(
        self,
        app: Any,
        greeting: str,
        options: argparse.Namespace,
        *,
        websockets: bool = False,
        inspector: InspectorServer | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                self._call,
                interface="asgi3",
                http="h11",
                **websocket_options(websockets, is_plain=options.plain),
                lifespan="auto" if options.plain else "on",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=options.plain,  # otherwise the front door writes it
                timeout_graceful_shutdown=_REQUESTS_SECONDS,
                # Large enough for the front door to refuse large headers with its own response.
                h11_max_incomplete_event_size=1024 * 1024,
                ssl_certfile=options.ssl_certfile,
                ssl_keyfile=options.ssl_keyfile,
            )
        )
        self.startup_error = ""
        self._app = app
        self._inspector = inspector
        self._greeting = greeting
        self._accepts_websockets = websockets
        self._is_plain = bool(options.plain)
        # asgiref runs a plain WSGI application on these threads; the gateway has its own.
        self._threads = ThreadPoolExecutor(options.threads if options.plain else None, APPLICATION_THREADS)

    @property
    def exit_status(self) -> int:
        """The exit status: 0, or 3 if the application did not start up."""
        return 0 if self.started else 3

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] == "http" and not self._accepts_websockets and _is_websocket_handshake(scope):
            await _refuse_websocket(scope, send)
        elif scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, partial(self._send_lifespan, send))
            except asyncio.CancelledError:
                if not self.force_exit:  # after a second Ctrl-C uvicorn would print the traceback of this
                    raise
        elif scope["type"] == "http" and self._is_plain:
            await self._call_plain(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _call_plain(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the application. Refuse CONNECT, and respond 503 if the shutdown cancels the call.

        uvicorn would print a traceback for both: h11 sends no body after a response to CONNECT that opens a tunnel.
        """
        is_started = False
        if scope["method"] == "CONNECT":
            for message in text_response(405, "The server is not a proxy and refuses CONNECT.\n"):
                await send(message)
            return

        async def send_noted(message: Any) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except asyncio.CancelledError:
            if not self.should_exit:
                raise
            for message in () if is_started else text_response(503, "The server has shut down.\n"):
                await send(message)

    async def _send_lifespan(self, send: Any, message: Any) -> None:
        """Store the reason of a failed startup, and send the message without it, so that uvicorn does not log it."""
        if message["type"] == "lifespan.startup.failed":
            self.startup_error = str(message.get("message") or "The application gave no reason.").strip()
            message = {"type": message["type"]}
        await send(message)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application up and print the greeting."""
        await super().startup(sockets)
        if self.should_exit:
            return
        if self._inspector is not None:
            await self._inspector.start()
        if self._greeting:
            print_message(self._greeting)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        _configure_uvicorn_log(has_front_door=not self._is_plain)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        # As on the loop of the Lambda handler, a response waits for the tasks that its request has started.
        loop.set_task_factory(task_factory)
        try:
            await super().serve(sockets)
        finally:
            await self._end_late_functions()
            self._threads.shutdown(wait=False, cancel_futures=True)
            exit_if_threads_hang(self.exit_status, _HURRY_SECONDS)

    @property
    def _late_functions(self) -> set[asyncio.Task[Any]]:
        """The tasks of functions that still run although the gateway has already responded for them."""
        return set(getattr(self._app, "late", ()))

    async def _end_late_functions(self) -> None:
        """Exit at once if a late function suppresses its cancellation; asyncio would wait for it forever."""
        late = self._late_functions
        try:
            if late:
                await asyncio.wait(late, timeout=_HURRY_SECONDS)
        finally:  # uvicorn raises Ctrl-C again, which cancels this wait
            if not all(task.done() for task in late):
                exit_now(self.exit_status)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests in flight, then the lifespan."""
        websockets = len(self.server_state.connections) - len(self._http_connections())
        count = len(self.server_state.tasks) - websockets
        if count > 0:
            print_message(
                f"Requests in flight: {count}. Waiting up to {_REQUESTS_SECONDS} s for them (press Ctrl-C again to "
                "stop at once)."
            )
        for server in self.servers:
            server.close()
        if self._inspector is not None:
            await self._inspector.close()
        await self._await_first_requests()
        for connection in self._http_connections():
            is_idle = connection.cycle is None or connection.cycle.response_complete
            if is_idle and connection.transport.get_extra_info("ssl_object") is not None:
                connection.transport.abort()  # close() would wait for the client's closure alert
        await super().shutdown(sockets)

    async def _await_first_requests(self) -> None:
        """Give connected clients time to send a request: uvicorn closes connections that have sent no data."""
        for _ in range(_CONNECT_CHECKS):
            await asyncio.sleep(_CONNECT_CHECK_SECONDS)  # first: connections may be accepted in this very iteration
            if self.force_exit or all(connection.cycle is not None for connection in self._http_connections()):
                break

    def _http_connections(self) -> list[H11Protocol]:
        return [each for each in self.server_state.connections if isinstance(each, H11Protocol)]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the shutdown at the first signal, end it at the second, and exit in any case when its time is over."""
        super().handle_exit(sig, frame)
        is_hurried = self.force_exit or not self.started
        seconds = _HURRY_SECONDS if is_hurried else _REQUESTS_SECONDS + _LIFESPAN_SECONDS
        timer = threading.Timer(seconds, lambda: exit_now(self.exit_status))
        timer.daemon = True
        timer.start()


def websocket_options(websockets: bool, *, is_plain: bool) -> dict[str, Any]:
    """Return uvicorn's options for WebSockets: its own, or those of API Gateway, which sends no pings."""
    if is_plain or not websockets:
        return {"ws": "auto" if websockets else "none"}
    return {
        "ws": "websockets-sansio",
        "ws_max_size": (WEBSOCKET_MESSAGE_LIMIT, WEBSOCKET_FRAME_LIMIT),
        "ws_ping_interval": None,
        "ws_per_message_deflate": False,
    }


def _is_websocket_handshake(scope: Any) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in scope["headers"])


async def _refuse_websocket(scope: Any, send: Any) -> None:
    """Respond as an ASGI server does to a handshake that the application rejects, with the reason."""
    logger.warning("%s was answered 403: %s", printable(f"{scope['method']} {scope['path']}"), _WEBSOCKET_REFUSED)
    for message in text_response(403, f"{_WEBSOCKET_REFUSED}\n"):
        await send(message)


def _configure_uvicorn_log(*, has_front_door: bool) -> None:
    repeated = (*_REPEATED_MESSAGES, *_INCOMPLETE) if has_front_door else _REPEATED_MESSAGES

    def clarify(record: logging.LogRecord) -> bool:
        message = str(record.msg)
        if message.startswith(_INVALID_REQUEST):
            # uvicorn logs this while it handles the parser's exception, which has the reason.
            record.msg = "A client's request was answered 400: it is not valid HTTP (%.200s)."
            record.args = (sys.exception() or "no reason given",)
        elif message.startswith(_INVALID_TEXT):
            record.msg, record.exc_info = "A client's WebSocket was closed (1007): its message is not UTF-8.", None
        return not message.startswith(repeated)

    logging.getLogger("uvicorn.error").addFilter(clarify)
