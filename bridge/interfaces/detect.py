"""Telling WSGI from ASGI by how an application can be called.

WSGI takes ``(environ, start_response)``; ASGI 3 takes ``(scope, receive, send)`` and is awaited; ASGI 2 takes
``(scope)`` and gives a coroutine function of ``(receive, send)``.
"""

from __future__ import annotations

from bridge.errors import InterfaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COROUTINE = 0x80  # inspect.CO_COROUTINE; importing inspect costs a cold start 8 ms
_VARIABLE = 0x04  # inspect.CO_VARARGS
# Where a wrapper that takes any arguments keeps what it wraps.
_INNER = ("__wrapped__", "app", "wsgi_app", "application", "_app", "wrapped_app")


def interface_of(app: Any) -> str:
    """``"wsgi"``, ``"asgi"`` or ``"asgi2"``.

    Raises:
        InterfaceError: it is neither, or it cannot be told; the message names the explicit functions.
    """
    if not callable(app):
        raise InterfaceError(
            f"The application is {app!r}, a {type(app).__name__}, which cannot be called. If it is made by a "
            "function, name it with (), as in module:factory()."
        )
    seen: set[int] = set()
    inner = app
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        found = _by_call(inner)
        if found:
            return found
        inner = next((value for name in _INNER if callable(value := getattr(inner, name, None))), None)
    raise InterfaceError(
        f"It cannot be told whether {app!r} is a WSGI or an ASGI application: it takes neither 2 arguments (WSGI) nor "
        "3 (ASGI). Say which with bridge.wsgi_handler(app) or bridge.asgi_handler(app)."
    )


def _by_call(app: Any) -> str | None:
    """The interface, if the way *app* is called tells."""
    # The hints of asgiref.compatibility
    if getattr(app, "_asgi_single_callable", False):
        return "asgi"
    if getattr(app, "_asgi_double_callable", False):
        return "asgi2"
    bound = 0
    positional: tuple[Any, ...] = ()
    keywords: set[str] = set()
    while hasattr(app, "func") and hasattr(app, "args") and hasattr(app, "keywords"):  # functools.partial
        positional += app.args
        keywords |= set(app.keywords)
        app = app.func
    if isinstance(app, type):
        app, bound = app.__init__, 1  # type: ignore[misc]  # only its parameters are looked at
    elif not hasattr(app, "__code__") and not hasattr(app, "__func__"):
        app = app.__call__
    if hasattr(app, "__func__"):  # a bound method
        app, bound = app.__func__, 1
    code = getattr(app, "__code__", None)
    if code is None:
        return _by_signature(app)
    is_async = bool(code.co_flags & _COROUTINE) or getattr(app, "_is_coroutine_mark", None) is not None
    names = code.co_varnames[: code.co_argcount][bound + len(positional) :]
    optional = len(getattr(app, "__defaults__", None) or ())
    most = len([name for name in names if name not in keywords])
    least = max(0, most - optional)
    if code.co_flags & _VARIABLE and least < 2:
        return "asgi" if is_async else None
    return _by_count(least, most, is_async=is_async)


def _by_count(least: int, most: int, *, is_async: bool) -> str | None:
    if is_async:
        return "asgi" if least <= 3 <= most else None
    if least <= 2 <= most:
        return "wsgi"
    if least <= 3 <= most:
        return "asgi"
    return "asgi2" if least <= 1 <= most else None


def _by_signature(app: Any) -> str | None:
    """For what is not made of Python code, such as a function compiled by Cython."""
    import inspect

    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = len([parameter for parameter in plain if parameter.default is parameter.empty])
    return _by_count(least, len(plain), is_async=inspect.iscoroutinefunction(app))
