"""Handlers that are made once, for callers that pass the same application with every event."""

from __future__ import annotations

from bridge.handlers import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Unpack

    from bridge.handlers import Handler
    from bridge.settings import Options

_LARGEST = 64
_handlers: dict[tuple[object, ...], tuple[Any, Handler]] = {}


def handle_request(app: Any, event: Any, context: Any = None, **options: Unpack[Options]) -> Any:
    """Answer one event; the handler for an application and its options is made once.

    Args:
        app: a WSGI or ASGI application.
        event: the event, parsed from JSON.
        context: Lambda's context object.
        **options: see :class:`bridge.Settings`.

    Returns:
        The payload, as of a :class:`bridge.Handler`.

    Example::

        def handler(event, context):
            return bridge.handle_request(app, event, context)
    """
    key = (identity_of(app), *((name, repr(value)) for name, value in sorted(options.items())))
    return cached_handler(key, app, lambda: handler(app, **options))(event, context)


def identity_of(app: Any) -> object:
    """A key for an application; a bound method is a new object each time that it is accessed."""
    function = getattr(app, "__func__", None)
    return id(app) if function is None else (id(app.__self__), id(function))


def cached_handler(key: tuple[object, ...], app: Any, make: Callable[[], Handler]) -> Handler:
    """The handler for *key*, made by *make* at the first call; the oldest one is closed when there are too many.

    The key contains :func:`identity_of` the application, which is kept alive so that its id is not reused.
    """
    cached = _handlers.get(key)
    if cached is None:
        if len(_handlers) >= _LARGEST:
            _handlers.pop(next(iter(_handlers)))[1].close()
        cached = _handlers[key] = (app, make())
    return cached[1]
