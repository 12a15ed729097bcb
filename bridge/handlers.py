"""Making handlers."""

from __future__ import annotations

import bridge
from bridge.adapter import Handler
from bridge.deadline import watch
from bridge.interfaces import interface_of
from bridge.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sys
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from bridge.request import Scope
    from bridge.response import Response
    from bridge.settings import Options

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack


def wsgi_handler(app: Any, **options: Unpack[Options]) -> Handler:
    """A Lambda handler that answers with a WSGI application (PEP 3333), without an event loop.

    Args:
        app: the application.
        **options: see :class:`bridge.Settings`.

    Returns:
        A callable ``(event, context) -> payload``.

    Raises:
        SettingError: an option is unknown or has a value that is not allowed.
        InterfaceError: *app* cannot be called, or is an ASGI application.
    """
    _check(app)
    try:
        interface = interface_of(app)
    except bridge.InterfaceError:
        interface = "wsgi"  # as the caller says
    if interface == "asgi":
        raise bridge.InterfaceError(
            f"{app!r} is an ASGI application: use bridge.asgi_handler(app), or bridge.handler(app)."
        )
    return make_handler(app, "wsgi", Settings(options))


def asgi_handler(app: Any, **options: Unpack[Options]) -> Handler:
    """A Lambda handler that answers with an ASGI application, on one event loop and one lifespan for the process.

    Args:
        app: an ASGI 3 application; an ASGI 2 or a WSGI one is adapted by asgiref.
        **options: see :class:`bridge.Settings`.

    Returns:
        A callable ``(event, context) -> payload``. The lifespan starts with the first event, or when ``startup()``
        is called; it ends at SIGTERM, at the end of the process, or when ``close()`` is called.

    Raises:
        SettingError: an option is unknown or has a value that is not allowed.
        InterfaceError: *app* cannot be called.
    """
    _check(app)
    try:
        interface = interface_of(app)
    except bridge.InterfaceError:
        interface = "asgi"  # as the caller says
    if interface == "wsgi":
        return make_threaded_handler(app, Settings(options))
    return make_handler(app, interface, Settings(options))


def handler(app: Any, **options: Unpack[Options]) -> Handler:
    """A Lambda handler for *app*, a WSGI or ASGI application: which one is recognised by how it can be called.

    Args:
        app: the application.
        **options: see :class:`bridge.Settings`.

    Raises:
        SettingError: an option is unknown or has a value that is not allowed.
        InterfaceError: it cannot be told which interface *app* has.
    """
    return make_handler(app, interface_of(app), Settings(options))


def wsgi_respond(app: Any) -> Callable[[Scope], Response]:
    """How a WSGI application answers requests, with the watch over them."""
    from bridge.wsgi.call import gather
    from bridge.wsgi.environ import environ_of

    def respond(scope: Scope) -> Response:
        watch.begin(scope)
        try:
            return gather(app, environ_of(scope))
        finally:
            watch.end(scope, None)

    return respond


def make_handler(app: Any, interface: str, settings: Settings) -> Handler:
    """The handler for *app*, called as *interface* (``"wsgi"``, ``"asgi"`` or ``"asgi2"``) says."""
    # What every source needs: the first request is to find it.
    import bridge.bodies
    import bridge.request
    import bridge.sources.address  # noqa: F401

    if interface == "wsgi":
        return Handler(wsgi_respond(app), settings, wsgi_app=app)
    from bridge.asgi.application import HostedApplication

    if interface == "asgi2":
        from asgiref.compatibility import double_to_single_callable

        app = double_to_single_callable(app)  # type: ignore[no-untyped-call]  # asgiref has no types here
    hosted = HostedApplication(app, settings)
    return Handler(hosted.respond, settings, hosted)


def make_threaded_handler(app: Any, settings: Settings, threads: ThreadPoolExecutor | None = None) -> Handler:
    """The handler for a WSGI application that is called on an event loop, through asgiref.

    Args:
        app: the application.
        settings: how the handler behaves; WSGI has no lifespan, so that is switched off.
        threads: where the application runs; None for the loop's own executor.
    """
    from bridge.wsgi.on_event_loop import WsgiApplication

    settings.lifespan = "off"
    return make_handler(WsgiApplication(app, threads), "asgi", settings)


def _check(app: Any) -> None:
    if not callable(app):
        interface_of(app)  # says what is wrong
