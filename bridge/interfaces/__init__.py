"""How an application is called: WSGI without an event loop, ASGI on one for the life of the process."""

from __future__ import annotations

from bridge.errors import InterfaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
        raise InterfaceError(f"The application's body has a {type(chunk).__name__}, not bytes.") from None
