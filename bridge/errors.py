"""What can go wrong, each with a message that says what to do."""

from __future__ import annotations


class BridgeError(Exception):
    """The base of every error that the bridge raises itself."""


class SettingError(BridgeError, ValueError):
    """An option, environment variable or settings file holds what is not allowed."""


class ApplicationNotFoundError(BridgeError, ImportError):
    """The application's name leads to no module, no attribute or nothing that can be called."""


class InterfaceError(BridgeError, TypeError):
    """It cannot be told whether an application is WSGI or ASGI, or it broke its interface's rules."""


class EventError(BridgeError, ValueError):
    """An event that no source sends, or one whose fields contradict its source."""


class LifespanError(BridgeError, RuntimeError):
    """The application's ASGI lifespan did not start up."""


class FailedIntegrationError(BridgeError, RuntimeError):
    """An answer of status 300 or above to a REST ``lambda`` (non-proxy) integration.

    Its text is the payload as JSON: API Gateway picks the status by matching a pattern against it.
    """
