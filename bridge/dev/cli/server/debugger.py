"""What a developer sees of an exception: werkzeug's debugger for WSGI, a page with the traceback for ASGI."""

from __future__ import annotations

import contextlib
import logging
import traceback
from typing import Any

from bridge import logger
from bridge.dev.cli.server.page import page_of
from bridge.wsgi.call import gather

_WHY = "You see this because bridge serve runs with its debugger; on Lambda the client gets a plain 500."


def with_debugger(app: Any, interface: str, host: str = "localhost", *, streams: bool = False) -> Any:
    """*app* with a debugger around it, and its own debug switch on.

    Args:
        app: the application.
        interface: which one it has.
        host: the host that the server listens on; werkzeug's debugger answers on no other but localhost.
        streams: whether responses go to the client as they come, and not whole as through a front door.
    """
    with contextlib.suppress(AttributeError):
        app.debug = True  # Flask, Starlette, FastAPI: exceptions come through
    if interface == "wsgi":
        from werkzeug.debug import DebuggedApplication

        logging.getLogger("werkzeug").setLevel(logging.INFO)  # the debugger's PIN, once its page is open
        debugged = DebuggedApplication(app if streams else _whole(app), evalex=True)
        debugged.trusted_hosts.append(host)
        return debugged
    if interface == "asgi2":
        from asgiref.compatibility import double_to_single_callable

        app = double_to_single_callable(app)  # type: ignore[no-untyped-call]  # asgiref has no types here
    return TracebackPage(app, streams=streams)


def _whole(app: Any) -> Any:
    """*app*, whose response begins when all of it is there: the debugger can replace one that has not begun."""

    def call(environ: Any, start_response: Any) -> list[bytes]:
        response = gather(app, environ)
        start_response(f"{response.status} {response.reason}", response.headers)
        return [response.body]

    return call


class TracebackPage:
    """An ASGI application that shows the traceback of an exception instead of a plain 500.

    A response is held back until it is whole, one of status 500 until it is known whether an exception follows:
    frameworks send one, and raise.

    Args:
        app: the application.
        streams: hold back nothing but a response of status 500.
    """

    def __init__(self, app: Any, *, streams: bool = False) -> None:
        self._app = app
        self._streams = streams

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: list[Any] = []
        is_sent = False

        async def release() -> None:
            nonlocal is_sent
            is_sent = True
            for message in held:
                await send(message)

        async def hold(message: Any) -> None:
            if is_sent:
                await send(message)
                return
            held.append(message)
            if held[0].get("status") != 500 and (self._streams or _is_last(message)):
                await release()

        async def listen() -> Any:
            if held and _is_last(held[-1]) and not is_sent:  # it waits for the client to go: no exception follows
                await release()
            return await receive()

        try:
            await self._app(scope, listen, hold)
        except Exception as error:
            if is_sent:
                raise
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this frame
            # Here and not by raising on: whoever called has an answer.
            logger().exception("The application failed at %s %s", scope["method"], scope["path"], exc_info=error)
            if not (held and _is_last(held[-1]) and _is_html(held[0])):
                trace = "".join(traceback.format_exception(error))
                held = page_of(scope, 500, f"{type(error).__name__}: {error}", trace, _WHY)
            # else the framework's own page
        if not is_sent:
            await release()


def _is_last(message: Any) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")


def _is_html(start: Any) -> bool:
    return b"text/html" in dict(start.get("headers", ())).get(b"content-type", b"")
