"""How an application is called: WSGI without an event loop, ASGI on one for the life of the process."""

from __future__ import annotations

import bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What parameters are called after PEP 3333 and ASGI, as those of nearly all applications are.
_BY_NAMES = {
    ("environ", "start_response"): "wsgi",
    ("env", "start_response"): "wsgi",
    ("scope", "receive", "send"): "asgi",
}
# The hints of asgiref.compatibility: that an application is an ASGI 3 one, or an ASGI 2 one.
MARKS = ("_asgi_single_callable", "_asgi_double_callable")
COROUTINE = 0x80 | 0x100  # inspect.CO_COROUTINE, CO_ITERABLE_COROUTINE; importing inspect costs a cold start 8 ms

# What a function of two parameters is told that answers as no WSGI application does.
IF_A_HANDLER = (
    " (If it is a Lambda handler: one is known by its parameters' names, event and context, or named as the function's "
    "handler in serverless.yml or in the variable _HANDLER.)"
)


def as_bytes(chunk: Any) -> bytes:
    """A copy of a piece of body that is of another type than ``bytes``; its buffer may be used again.

    Raises:
        InterfaceError: it holds no bytes.
    """
    try:
        return bytes(memoryview(chunk))
    except TypeError:
        raise bridge.InterfaceError(f"The application's body has a {type(chunk).__name__}, not bytes.") from None


def interface_of(app: Any) -> str:
    """``"wsgi"``, ``"asgi"`` or ``"asgi2"``.

    Raises:
        InterfaceError: it is neither, or it cannot be told; the message names the explicit functions.
    """
    found = interface_by_names(app)
    if found is None:
        from bridge.interfaces import detect  # few applications have to be looked at closely

        found = detect.interface_of(app)
    return found


def interface_by_names(app: Any) -> str | None:
    """The interface of a plain function, or of an object that is called as one, whose parameters' names tell.

    None if they do not, or if anything else might tell: marks, wrappers, a call that is the object's own.
    """
    function: Any = app
    first = 0
    if type(app) is not _Function:
        function, first = getattr(type(app), "__call__", None), 1  # noqa: B004 - its parameters are wanted
        own = getattr(app, "__dict__", ())
        if type(function) is not _Function or "__call__" in own or not callable(app):
            return None
        if any(mark in own or hasattr(type(app), mark) for mark in MARKS):
            return None
    if function.__defaults__ or function.__dict__:
        return None
    code = function.__code__
    found = _BY_NAMES.get(code.co_varnames[first : code.co_argcount])
    return None if found == "wsgi" and code.co_flags & COROUTINE else found


def is_lambda_handler(target: Any) -> bool:
    """Whether *target* takes ``(event, context)``: a Lambda handler, which could pass for a WSGI application."""
    if interface_by_names(target) is not None:
        return False
    from bridge.interfaces import detect

    return detect.is_lambda_handler(target)


_Function = type(interface_of)
