"""Telling WSGI from ASGI by how an application can be called.

WSGI takes ``(environ, start_response)``; ASGI 3 takes ``(scope, receive, send)`` and is awaited; ASGI 2 takes
``(scope)`` and gives a coroutine function of ``(receive, send)``.
"""

from __future__ import annotations

import bridge
from bridge.interfaces import COROUTINE, MARKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VARIABLE = 0x04  # inspect.CO_VARARGS
# How inspect and asgiref mark a function that gives a coroutine though it is no coroutine function.
_MARKS = ("_is_coroutine_marker", "_is_coroutine")
# Where a wrapper that takes any arguments keeps what it wraps.
_INNER = ("__wrapped__", "app", "wsgi_app", "asgi_app", "application", "_app", "wrapped_app")
# What the parameters of Lambda handlers are called, and the first ones of applications.
_EVENTS = ("event", "evt", "_event", "lambda_event", "raw_event")
_CONTEXTS = ("context", "ctx", "_context", "_ctx", "lambda_context")
_OF_APPLICATIONS = ("environ", "env", "scope")
_DEPTH = 32  # of wrappers; there are objects, such as mocks, that have every attribute


def interface_of(app: Any) -> str:
    """``"wsgi"``, ``"asgi"`` or ``"asgi2"``.

    Raises:
        InterfaceError: it is neither, or it cannot be told; the message names the explicit functions.
    """
    if not callable(app):
        raise bridge.InterfaceError(
            f"The application is {app!r}, a {type(app).__name__}, which cannot be called. If it is made by a "
            "function, name it with (), as in module:factory()."
        )
    inner = app
    for _ in range(_DEPTH):
        found = _by_call(inner)
        if found:
            return found
        places = _INNER if not isinstance(inner, type) else _INNER[:1]  # a class's attributes are its objects'
        inner = next((value for place in places if callable(value := getattr(inner, place, None))), None)
        if inner is None:
            break
    raise bridge.InterfaceError(
        f"It cannot be told whether {app!r} is a WSGI or an ASGI application: it takes neither 2 arguments (WSGI) nor "
        "3 (ASGI). If it makes the application, call it, or name it with (), as in module:factory(). Else say which "
        "it is with bridge.wsgi_handler(app) or bridge.asgi_handler(app). (A Lambda handler is taken as it is where "
        "its parameters are called (event, context).)"
    )


def is_lambda_handler(target: Any) -> bool:
    """Whether *target* takes ``(event, context)``: a Lambda handler, which could pass for a WSGI application.

    Its parameters' names tell, from the outermost wrapper on inwards.
    """
    function, filled = target, 0
    named: set[str] = set()
    for _ in range(_DEPTH):
        if not callable(function):
            return False
        called, function, given, keywords = _function_of(function)
        filled += given
        named |= keywords
        code = getattr(function, "__code__", None)
        if code is None or isinstance(called, type):
            return False
        names, least = _free(function, filled, named)
        if "start_response" in names or (names and names[0] in _OF_APPLICATIONS):
            return False
        if least <= 2 <= len(names):
            # No application is one with two parameters but an ASGI 2 instance, (receive, send).
            is_coroutine = code.co_flags & COROUTINE and least and "send" not in names
            if names[0] in _EVENTS or names[1] in _CONTEXTS or is_coroutine:
                return True
        function = getattr(function, "__wrapped__", None)
    return False


def _by_call(app: Any) -> str | None:
    """The interface, if the way *app* is called tells."""
    for mark, interface in zip(MARKS, ("asgi", "asgi2"), strict=True):
        if getattr(app, mark, False) is True:
            return interface
    called, function, given, keywords = _function_of(app)
    code = getattr(function, "__code__", None)
    if code is None:
        return _by_signature(app)
    names, least = _free(function, given, keywords)
    most = len(names)
    if isinstance(called, type):
        return _by_making(called, least)
    is_async = bool(code.co_flags & COROUTINE) or any(getattr(function, mark, None) for mark in _MARKS)
    if code.co_flags & _VARIABLE and least < 2:
        if is_async:
            return "asgi"
        return _by_signature(app) if hasattr(function, "__wrapped__") else None
    return _by_count(least, most, is_async=is_async)


def _function_of(app: Any) -> tuple[Any, Any, int, set[str]]:
    """Without its partials: what is called, the function that runs then, and how many and which arguments it has."""
    given = 0
    keywords: set[str] = set()
    called = app
    while _is_partial(called):
        given += len(called.args)
        keywords.update(called.keywords)
        called = called.func
    function = called
    if isinstance(called, type):
        function, given = called.__init__, given + 1  # type: ignore[misc]  # only its parameters are looked at
    elif not hasattr(called, "__code__") and not hasattr(called, "__func__"):
        function = called.__call__
    if hasattr(function, "__func__"):  # a bound method
        function, given = function.__func__, given + 1
    return called, function, given, keywords


def _free(function: Any, given: int, keywords: set[str]) -> tuple[list[str], int]:
    """The names of the parameters that are still to be given, and how many of them must be."""
    code = function.__code__
    optional = len(getattr(function, "__defaults__", None) or ())
    names = code.co_varnames[: code.co_argcount]
    least = len([name for name in names[given : len(names) - optional] if name not in keywords])
    return [name for name in names[given:] if name not in keywords], least


def _is_partial(app: Any) -> bool:
    """Whether it is a functools.partial; importing functools costs as much as asking for what makes one."""
    return (
        isinstance(getattr(app, "args", None), tuple)
        and isinstance(getattr(app, "keywords", None), dict)
        and callable(getattr(app, "func", None))
    )


def _by_making(made: Any, least: int) -> str | None:
    """For a class: WSGI makes an iterable with two arguments; ASGI 2 a coroutine function of two with one."""
    if least == 2:
        return "wsgi" if hasattr(made, "__iter__") else None
    code = getattr(made.__call__, "__code__", None)
    return "asgi2" if least == 1 and code and code.co_flags & COROUTINE and code.co_argcount == 3 else None


def _by_count(least: int, most: int, *, is_async: bool) -> str | None:
    if is_async:
        return "asgi" if least <= 3 <= most else None
    if least == most == 1:
        return "asgi2"
    return {2: "wsgi", 3: "asgi"}.get(least)


def _by_signature(app: Any) -> str | None:
    """For what is not made of Python code, such as a function compiled by Cython, and for wrappers."""
    import inspect

    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = len([parameter for parameter in plain if parameter.default is parameter.empty])
    call = app if inspect.isroutine(app) else app.__call__
    return _by_count(least, len(plain), is_async=inspect.iscoroutinefunction(inspect.unwrap(call)))
