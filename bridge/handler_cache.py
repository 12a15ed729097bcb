"""Handlers that are made once and kept, for callers who bring the same application with every event."""

from __future__ import annotations

from bridge.handlers import handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sys
    from collections.abc import Callable
    from typing import Any

    from bridge.adapter import Handler
    from bridge.settings import Options

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack


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
