"""Debuggers for an application's exceptions: werkzeug's for WSGI, a page with the traceback for ASGI."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import traceback
from typing import Any

from bridge.dev.cli.server.error_page import html_response
from bridge.logs import logger, printable
from bridge.wsgi.call import call

_NOTE = "bridge serve shows this page because its debugger is on. On Lambda the client gets a plain 500."


def add_debugger(app: Any, interface: str, host: str = "localhost", *, streams: bool = False) -> Any:
    """Switch the application's own debug mode on, and return it with a debugger around it.

    Args:
        app: the application.
        interface: its interface: ``"wsgi"``, ``"asgi"`` or ``"asgi2"``.
        host: the host that the server listens on. werkzeug's debugger answers for this host and localhost only.
        streams: whether the server streams responses; a front door buffers them.
    """
    _raise_exceptions(app)
    if interface == "wsgi":
        from werkzeug.debug import DebuggedApplication

        logging.getLogger("werkzeug").setLevel(logging.INFO)  # the debugger logs its PIN on this level
        debugged = DebuggedApplication(_with_log(app if streams else _buffered(app)), evalex=True)
        debugged.trusted_hosts.append(host)
        return debugged
    if interface == "asgi2":
        from asgiref.compatibility import double_to_single_callable

        app = double_to_single_callable(app)  # type: ignore[no-untyped-call]  # asgiref has no types here
    return TracebackMiddleware(app, streams=streams)


def _raise_exceptions(app: Any) -> None:
    """Have Flask, Quart, Starlette and FastAPI raise an application's exceptions to the server."""
    quart = sys.modules.get("quart")
    if quart is not None and isinstance(app, quart.Quart):
        app.config["PROPAGATE_EXCEPTIONS"] = True  # in debug mode only a page would have the traceback
    else:
        with contextlib.suppress(AttributeError):
            app.debug = True


def _buffered(app: Any) -> Any:
    """Return *app* with each response held until its end: the debugger replaces only one that has not begun."""

    def buffered(environ: Any, start_response: Any) -> list[bytes]:
        response = call(app, environ)
        start_response(f"{response.status} {response.reason}", response.headers)
        return [response.body]

    return buffered


def _with_log(app: Any) -> Any:
    """Return *app* with a log record for an exception, in the place of the traceback that the debugger prints."""

    def logged(environ: Any, start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except Exception as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this frame
            request = f"{environ['REQUEST_METHOD']} {environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
            logger.exception("The application failed at %s", printable(request), exc_info=error)
            environ["wsgi.errors"] = io.StringIO()
            raise

    return logged


class TracebackMiddleware:
    """ASGI middleware that responds with the traceback of an exception instead of a plain 500.

    It holds a response back until its end. A response of status 500 it holds back until the application returns or
    raises, because frameworks send one and raise after it.

    Args:
        app: the application.
        streams: whether to hold back responses of status 500 only.
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

        async def send_held() -> None:
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
                await send_held()

        async def receive_after_response() -> Any:
            # An application that waits for http.disconnect after its response raises nothing more.
            if held and _is_last(held[-1]) and not is_sent:
                await send_held()
            return await receive()

        try:
            await self._app(scope, receive_after_response, hold)
        except Exception as error:
            if is_sent:
                raise
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this frame
            request = printable(f"{scope['method']} {scope['path']}")
            logger.exception("The application failed at %s", request, exc_info=error)
            has_own_page = held and _is_last(held[-1]) and _is_html(held[0])
            if not has_own_page:
                trace = "".join(traceback.format_exception(error))
                held = html_response(scope, 500, f"{type(error).__name__}: {error}", trace, _NOTE)
        if not is_sent:
            await send_held()


def _is_last(message: Any) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")


def _is_html(start: Any) -> bool:
    return b"text/html" in dict(start.get("headers", ())).get(b"content-type", b"")
