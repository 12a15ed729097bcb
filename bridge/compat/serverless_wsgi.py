"""serverless-wsgi's functions: ``from bridge.compat import serverless_wsgi``."""

from __future__ import annotations

import os

from bridge.bodies import media_type
from bridge.handlers import cached_handler, identity_of, wsgi_handler

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

# Media types of text, in addition to those that the bridge recognises. Applications append to it at any time.
TEXT_MIME_TYPES = [
    "application/json", "application/javascript", "application/xml", "application/vnd.api+json", "image/svg+xml",
]  # fmt: skip


def handle_request(app: Any, event: Any, context: Any) -> Any:
    """Answer an event with a WSGI application.

    Arguments, result and exceptions are those of :func:`bridge.handle_request`. The environment variables
    ``API_GATEWAY_BASE_PATH`` and ``STRIP_STAGE_PATH`` are read at each call.

    Example::

        def handler(event, context):
            return serverless_wsgi.handle_request(app, event, context)
    """
    variables = (os.environ.get("API_GATEWAY_BASE_PATH"), os.environ.get("STRIP_STAGE_PATH"))
    key = (__name__, identity_of(app), *variables)
    return cached_handler(key, lambda: wsgi_handler(app, text_types=_is_text))(event, context)


# serverless-wsgi has a function for each kind of event; the bridge recognises the kind from the event.
handle_payload_v1 = handle_payload_v2 = handle_lambda_integration = handle_request


def is_alb_event(event: dict[str, Any]) -> bool:
    """Whether a load balancer sent the event."""
    return bool((event.get("requestContext") or {}).get("elb"))


def _is_text(content_type: str) -> bool:
    return media_type(content_type) in map(media_type, TEXT_MIME_TYPES)


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> Any:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}. Its attributes are {', '.join(__all__)}; other names of "
            "serverless-wsgi are internal. For their replacements see docs/migrating.md."
        )
