"""serverless-wsgi's calls: ``from bridge.compat import serverless_wsgi``.

Where the answers differ from serverless-wsgi's own, and why: docs/migrating.md.
"""

from __future__ import annotations

import os

from bridge.bodies import media_type
from bridge.handler_cache import identity_of, kept
from bridge.handlers import wsgi_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "TEXT_MIME_TYPES",
    "handle_lambda_integration",
    "handle_payload_v1",
    "handle_payload_v2",
    "handle_request",
    "is_alb_event",
]

# Media types that are text beside those that the encoder knows; append to it, at any time.
TEXT_MIME_TYPES = [
    "application/json",
    "application/javascript",
    "application/xml",
    "application/vnd.api+json",
    "image/svg+xml",
]


def handle_request(app: Any, event: Any, context: Any) -> Any:
    """Answer one event with a WSGI application.

    ``API_GATEWAY_BASE_PATH`` and ``STRIP_STAGE_PATH`` count as they stand at the time of the call.

    Args:
        app: the application.
        event: what Lambda hands over.
        context: Lambda's context object.

    Raises:
        SettingError: one of the variables has a value that is not allowed.
        EventError: the event is from no known source.
        FailedIntegrationError: a status of 300 and above for the ``lambda`` integration; a ``RuntimeError``.
    """
    variables = (os.environ.get("API_GATEWAY_BASE_PATH"), os.environ.get("STRIP_STAGE_PATH"))
    key = (__name__, identity_of(app), *variables)
    return kept(key, app, lambda: wsgi_handler(app, text_types=_is_text))(event, context)


# serverless-wsgi has one function for each kind of event; here an event tells by itself.
handle_payload_v1 = handle_payload_v2 = handle_lambda_integration = handle_request


def is_alb_event(event: dict[str, Any]) -> bool:
    """Whether a load balancer sent the event."""
    return bool((event.get("requestContext") or {}).get("elb"))


def _is_text(content_type: str) -> bool:
    return media_type(content_type) in map(media_type, TEXT_MIME_TYPES)


if not TYPE_CHECKING:  # a type checker would take it for a module that has every name

    def __getattr__(name: str) -> Any:
        raise AttributeError(
            f"{__name__} has no {name!r}. It has {', '.join(__all__)}; what else serverless-wsgi has are parts of its "
            "inside. docs/migrating.md says what does their work."
        )
