"""What can go wrong, each with a message that says what to do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger


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


def logger() -> Logger:
    """The logger ``bridge``; logging is loaded when there is something to say, which spares a cold start 5 ms."""
    import logging

    found = logging.getLogger("bridge")
    if found.level == logging.NOTSET:
        # Lambda's root logger lets warnings pass only; what the bridge says at INFO is rare and meant to be read.
        found.setLevel(logging.INFO)
    return found
