"""apig-wsgi's function: ``from bridge.compat.apig_wsgi import make_lambda_handler``."""

from __future__ import annotations

from bridge.handlers import wsgi_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from bridge.handlers import Handler

__all__ = ["make_lambda_handler"]


def make_lambda_handler(
    wsgi_app: Any,
    binary_support: bool | None = None,
    non_binary_content_type_prefixes: Iterable[str] | None = None,
) -> Handler:
    """Return a Lambda handler for a WSGI application.

    The environ contains ``apig_wsgi.full_event``, ``apig_wsgi.context``, ``apig_wsgi.request_context`` (if the event
    has a request context) and ``apig_wsgi.multi_value_headers``.

    Args:
        wsgi_app: the WSGI application.
        binary_support: whether the front door decodes base64 for every media type. Without it, every body that is valid
            text is sent as text, since a REST API without ``binaryMediaTypes`` does not decode base64.
        non_binary_content_type_prefixes: prefixes of the ``Content-Type`` of text, in addition to the types that the
            bridge recognises.

    Raises:
        InterfaceError: *wsgi_app* is not callable.

    Example::

        lambda_handler = make_lambda_handler(app, binary_support=True)
    """
    if not callable(wsgi_app):
        return wsgi_handler(wsgi_app)  # raises the error
    if isinstance(non_binary_content_type_prefixes, str):
        non_binary_content_type_prefixes = (non_binary_content_type_prefixes,)
    prefixes = tuple(non_binary_content_type_prefixes or ())

    def is_text(content_type: str) -> bool:
        return not binary_support or content_type.startswith(prefixes)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        event = environ["serverless.event"]
        request_context = event.get("requestContext")
        environ["apig_wsgi.full_event"] = event
        environ["apig_wsgi.context"] = environ["serverless.context"]
        environ["apig_wsgi.multi_value_headers"] = "multiValueHeaders" in event and event.get("version") != "2.0"
        if request_context is not None:
            environ["apig_wsgi.request_context"] = request_context
        return wsgi_app(environ, start_response)

    return wsgi_handler(app, text_types=is_text)
