"""Any Python web application, WSGI or ASGI, behind any AWS Lambda front door.

The names here are loaded when they are first used: a cold start pays for what it needs. The function's own modules take
their errors from here for that reason: most requests raise none.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

    from bridge.adapter import Handler
    from bridge.errors import (
        ApplicationNotFoundError,
        BridgeError,
        EventError,
        FailedIntegrationError,
        InterfaceError,
        LifespanError,
        SettingError,
    )
    from bridge.handler_cache import handle_request
    from bridge.handlers import asgi_handler, handler, wsgi_handler
    from bridge.request import CurrentRequest, current_request
    from bridge.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "ApplicationNotFoundError",
    "BridgeError",
    "CurrentRequest",
    "EventError",
    "FailedIntegrationError",
    "Handler",
    "InterfaceError",
    "LifespanError",
    "SettingError",
    "Settings",
    "asgi_handler",
    "current_request",
    "handle_request",
    "handler",
    "wsgi_handler",
]

_MODULES = {
    "CurrentRequest": "bridge.request",
    "Handler": "bridge.adapter",
    "Settings": "bridge.settings",
    "current_request": "bridge.request",
    "handle_request": "bridge.handler_cache",
}

if not TYPE_CHECKING:  # with this in sight a type checker would let any name pass

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = "bridge.errors" if name.endswith("Error") else _MODULES.get(name, "bridge.handlers")
        value = globals()[name] = getattr(import_module(module), name)
        return value


def logger() -> Logger:
    """The logger ``bridge``; logging is loaded when there is something to say, which spares a cold start 5 ms."""
    import logging

    found = logging.getLogger("bridge")
    if found.level == logging.NOTSET:
        # Lambda's root logger lets warnings pass only; what the bridge says at INFO is rare and meant to be read.
        found.setLevel(logging.INFO)
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
