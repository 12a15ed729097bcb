"""The errors that the bridge raises; each message says what to do."""

from __future__ import annotations

import sys


class BridgeError(Exception):
    """Base class of every error that the bridge raises itself."""


class SettingError(BridgeError, ValueError):
    """An option, environment variable or settings file holds a value that is not allowed."""


class ApplicationNotFoundError(BridgeError, ImportError):
    """An application's name leads to no module, to no attribute, or to an object that cannot be called."""


class InterfaceError(BridgeError, TypeError):
    """An application is neither recognisably WSGI nor ASGI, or breaks the rules of its interface."""


class RunningLoopError(BridgeError, RuntimeError):
    """An ASGI handler was called synchronously inside a running event loop."""


class EventError(BridgeError, ValueError):
    """An event comes from no supported source, or its fields contradict each other."""


class LifespanError(BridgeError, RuntimeError):
    """The startup of an application's ASGI lifespan failed."""


class FailedIntegrationError(BridgeError, RuntimeError):
    """A response of status 300 or above to a REST API's ``lambda`` (non-proxy) integration.

    The message is the payload as JSON: API Gateway chooses the status by matching a pattern against it.
    """


class WebSocketError(BridgeError, RuntimeError):
    """A WebSocket API, or the store for its connections, cannot be used; or its rules were violated."""


class GoneError(BridgeError, OSError):
    """A WebSocket connection is closed."""


class MessageTooLargeError(BridgeError, ValueError):
    """A message is larger than a WebSocket API allows."""


def is_cancellation(error: BaseException) -> bool:
    """Whether *error* is asyncio's CancelledError, which ends AWS's client; asyncio is not imported."""
    return isinstance(error, getattr(sys.modules.get("asyncio"), "CancelledError", ()))
