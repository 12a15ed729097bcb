"""The handlers of the public interface."""

from __future__ import annotations

from bridge.adapter import Handler, make_handler, make_threaded_handler
from bridge.errors import InterfaceError
from bridge.interfaces.detect import interface_of
from bridge.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sys
    from collections.abc import Callable
    from typing import Any

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
    except InterfaceError:
        interface = "wsgi"  # as the caller says
    if interface == "asgi":
        raise InterfaceError(f"{app!r} is an ASGI application: use bridge.asgi_handler(app), or bridge.handler(app).")
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
    except InterfaceError:
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


def handle_request(app: Any, event: Any, context: Any = None, **options: Unpack[Options]) -> Any:
    """Answer one event; the handler of an application and its options is made once and kept.

    Args:
        app: a WSGI or ASGI application.
        event: what Lambda hands over.
        context: Lambda's context object.
        **options: see :class:`bridge.Settings`.
    """
    key = (identity_of(app), *((name, repr(value)) for name, value in sorted(options.items())))
    return kept(key, app, lambda: handler(app, **options))(event, context)


def identity_of(app: Any) -> object:
    """What an application is known by: a bound method is a new object each time that it is looked up."""
    function = getattr(app, "__func__", None)
    return id(app) if function is None else (id(app.__self__), id(function))


_REMEMBER = 64
_made: dict[tuple[object, ...], tuple[Any, Handler]] = {}


def kept(key: tuple[object, ...], app: Any, make: Callable[[], Handler]) -> Handler:
    """The handler that *make* makes, made once: for callers who bring the same application with every event.

    Args:
        key: what tells this handler from others; has :func:`identity_of` in it.
        app: the application; it is kept as well, so that its id does not come to mean another one.
        make: called if there is no handler of that key.
    """
    found = _made.get(key)
    if found is None:
        if len(_made) >= _REMEMBER:
            _made.pop(next(iter(_made)))[1].close()
        found = _made[key] = (app, make())
    return found[1]


def _check(app: Any) -> None:
    if not callable(app):
        interface_of(app)  # says what is wrong
