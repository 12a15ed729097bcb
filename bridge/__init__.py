"""Any Python web application, WSGI or ASGI, behind any AWS Lambda front door.

The names in ``__all__`` are the public API. Each is imported when it is first used, so that a cold start imports only
what it needs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bridge.errors import (
        ApplicationNotFoundError,
        BridgeError,
        EventError,
        FailedIntegrationError,
        GoneError,
        InterfaceError,
        LifespanError,
        MessageTooLargeError,
        RunningLoopError,
        SettingError,
        WebSocketError,
    )
    from bridge.handlers import Handler, asgi_handler, handle_request, handler, wsgi_handler
    from bridge.request import CurrentRequest, current_request
    from bridge.response_callbacks import after_response
    from bridge.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "ApplicationNotFoundError", "BridgeError", "CurrentRequest", "EventError", "FailedIntegrationError", "GoneError",
    "Handler", "InterfaceError", "LifespanError", "MessageTooLargeError", "RunningLoopError", "SettingError",
    "Settings", "WebSocketError", "after_response", "asgi_handler", "current_request", "handle_request", "handler",
    "wsgi_handler",
]  # fmt: skip

_MODULES = {
    "CurrentRequest": "bridge.request",
    "Handler": "bridge.handlers",
    "Settings": "bridge.settings",
    "after_response": "bridge.response_callbacks",
    "asgi_handler": "bridge.handlers",
    "current_request": "bridge.request",
    "handle_request": "bridge.handlers",
    "handler": "bridge.handlers",
    "wsgi_handler": "bridge.handlers",
}

if not TYPE_CHECKING:  # a type checker would accept any name otherwise

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name == "websocket":
            return import_module("bridge.websocket")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES.get(name, "bridge.errors")), name)
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
