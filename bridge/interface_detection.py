"""Telling WSGI, ASGI and Lambda handlers apart by how they can be called.

A WSGI application takes ``(environ, start_response)``. An ASGI 3 application takes ``(scope, receive, send)`` and is
awaited. An ASGI 2 application takes ``(scope)`` and returns a coroutine function of ``(receive, send)``.
"""

from __future__ import annotations

from bridge.errors import InterfaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VARIABLE_ARGUMENTS = 0x04  # inspect.CO_VARARGS
_COROUTINE = 0x80 | 0x100  # inspect.CO_COROUTINE, CO_ITERABLE_COROUTINE; importing inspect takes 8 ms of a cold start
# How asgiref.compatibility marks an ASGI 3 application and an ASGI 2 application.
_ASGIREF_MARKS = {"_asgi_single_callable": "asgi", "_asgi_double_callable": "asgi2"}
# How inspect and asgiref mark a function that returns a coroutine although it is no coroutine function.
_COROUTINE_MARKS = ("_is_coroutine_marker", "_is_coroutine")
# Attributes by which wrappers refer to the application that they wrap.
_WRAPPED = ("__wrapped__", "app", "wsgi_app", "asgi_app", "application", "_app", "wrapped_app")
# Names of the parameters of Lambda handlers, and of the first parameter of applications.
_EVENT_NAMES = ("event", "evt", "_event", "lambda_event", "raw_event")
_CONTEXT_NAMES = ("context", "ctx", "_context", "_ctx", "lambda_context")
_APPLICATION_NAMES = ("environ", "env", "scope")
# What to do about applications that are neither WSGI nor ASGI, by the package of their class.
_OWN_SERVER = "runs only on its own HTTP server, so Lambda cannot call it. Use a WSGI or an ASGI framework."
_HINTS = {
    "aiohttp": f"An application of aiohttp.web {_OWN_SERVER}",
    "dash": "The WSGI application of Dash is its attribute server: pass app.server, or name it as module:app.server.",
    "robyn": f"A Robyn application {_OWN_SERVER}",
    "tornado": f"A Tornado application {_OWN_SERVER}",
}
_DEEPEST_WRAPPER = 32  # there are objects, such as mocks, that have every attribute


def interface_of(app: Any) -> str:
    """The interface of an application: ``"wsgi"``, ``"asgi"`` or ``"asgi2"``.

    Raises:
        InterfaceError: *app* has neither interface, or it is not recognisable; the message says what to do.
    """
    hint = framework_hint(app)
    if not callable(app):
        raise InterfaceError(
            hint
            or f"The application is {app!r}, a {type(app).__name__}, which cannot be called. If a function returns the "
            "application, name it with (), as in module:factory()."
        )
    wrapped = app
    for _ in range(_DEEPEST_WRAPPER):
        interface = _by_call(wrapped)
        if interface and not (hint and interface == "asgi2"):  # Tornado's take one argument as well
            return interface
        names = _WRAPPED if not isinstance(wrapped, type) else _WRAPPED[:1]  # a class's attributes are its instances'
        wrapped = next((value for name in names if callable(value := getattr(wrapped, name, None))), None)
        if wrapped is None:
            break
    raise InterfaceError(
        hint
        or f"{app!r} is not recognisable as a WSGI or an ASGI application: it takes neither 2 arguments (WSGI) nor 3 "
        "(ASGI). If it returns the application, call it, or name it with (), as in module:factory(). Otherwise state "
        "the interface with bridge.wsgi_handler(app) or bridge.asgi_handler(app). (A Lambda handler is recognised by "
        "the names of its parameters, event and context.)"
    )


def framework_hint(app: Any) -> str:
    """What to do about an application of a framework that has neither interface; ``""`` for others."""
    return next((hint for cls in type(app).__mro__ if (hint := _HINTS.get(cls.__module__.partition(".")[0]))), "")


def is_lambda_handler(target: Any) -> bool:
    """Whether *target* takes ``(event, context)``: a Lambda handler, which by its arguments may look like WSGI.

    The names of the parameters decide, from the outermost wrapper on inwards.
    """
    function, count = target, 0
    keywords: set[str] = set()
    for _ in range(_DEEPEST_WRAPPER):
        if not callable(function):
            return False
        called, function, positional, more = _function_of(function)
        count += positional
        keywords |= more
        code = getattr(function, "__code__", None)
        if code is None or isinstance(called, type):
            return False
        names, required = _free_parameters(function, count, keywords)
        if "start_response" in names or (names and names[0] in _APPLICATION_NAMES):
            return False
        if required <= 2 <= len(names):
            # The only application with two parameters and a coroutine is an ASGI 2 instance: (receive, send).
            is_coroutine = code.co_flags & _COROUTINE and required and "send" not in names
            if names[0] in _EVENT_NAMES or names[1] in _CONTEXT_NAMES or is_coroutine:
                return True
        function = getattr(function, "__wrapped__", None)
    return False


def _by_call(app: Any) -> str | None:
    """The interface by the way *app* is called; None if that does not decide."""
    for mark, interface in _ASGIREF_MARKS.items():
        if getattr(app, mark, False) is True:
            return interface
    called, function, positional, keywords = _function_of(app)
    code = getattr(function, "__code__", None)
    if code is None:
        return _by_signature(app)
    names, required = _free_parameters(function, positional, keywords)
    if isinstance(called, type):
        return _by_instance(called, required)
    is_async = bool(code.co_flags & _COROUTINE) or any(getattr(function, mark, None) for mark in _COROUTINE_MARKS)
    if code.co_flags & _VARIABLE_ARGUMENTS and required < 2:
        if is_async:
            return "asgi"
        return _by_signature(app) if hasattr(function, "__wrapped__") else None
    return _by_count(required, len(names), is_async=is_async)


def _function_of(app: Any) -> tuple[Any, Any, int, set[str]]:
    """The object inside of partials, the function that a call runs, and its bound positional and keyword arguments."""
    positional = 0
    keywords: set[str] = set()
    called = app
    while _is_partial(called):
        positional += len(called.args)
        keywords.update(called.keywords)
        called = called.func
    function = called
    if isinstance(called, type):
        function, positional = called.__init__, positional + 1  # type: ignore[misc]  # only its parameters are read
    elif not hasattr(called, "__code__") and not hasattr(called, "__func__"):
        function = called.__call__
    if hasattr(function, "__func__"):  # a bound method
        function, positional = function.__func__, positional + 1
    return called, function, positional, keywords


def _free_parameters(function: Any, positional: int, keywords: set[str]) -> tuple[list[str], int]:
    """The names of the parameters without an argument, and how many of them are required."""
    code = function.__code__
    optional = len(getattr(function, "__defaults__", None) or ())
    names = code.co_varnames[: code.co_argcount]
    required = len([name for name in names[positional : len(names) - optional] if name not in keywords])
    return [name for name in names[positional:] if name not in keywords], required


def _is_partial(app: Any) -> bool:
    """Whether *app* is a ``functools.partial``, or an object of another type that is made like one."""
    return (
        isinstance(getattr(app, "args", None), tuple)
        and isinstance(getattr(app, "keywords", None), dict)
        and callable(getattr(app, "func", None))
    )


def _by_instance(cls: Any, required: int) -> str | None:
    """For a class: an instance is WSGI's iterable (two arguments) or ASGI 2's coroutine function (one argument)."""
    if required == 2:
        return "wsgi" if hasattr(cls, "__iter__") else None
    code = getattr(cls.__call__, "__code__", None)
    return "asgi2" if required == 1 and code and code.co_flags & _COROUTINE and code.co_argcount == 3 else None


def _by_count(required: int, most: int, *, is_async: bool) -> str | None:
    if is_async:
        return "asgi" if required <= 3 <= most else None
    if required == most == 1:
        return "asgi2"
    return {2: "wsgi", 3: "asgi"}.get(required)


def _by_signature(app: Any) -> str | None:
    """For callables without Python code, such as functions compiled by Cython, and for wrappers."""
    import inspect  # 8 ms of a cold start, for few applications

    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = len([parameter for parameter in plain if parameter.default is parameter.empty])
    call = app if inspect.isroutine(app) else app.__call__
    return _by_count(required, len(plain), is_async=inspect.iscoroutinefunction(inspect.unwrap(call)))
