"""apig-wsgi's call: ``from bridge.compat.apig_wsgi import make_lambda_handler``.

Where the answers differ from apig-wsgi's own, and why: docs/migrating.md.
"""

from __future__ import annotations

from bridge.handlers import wsgi_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from bridge.adapter import Handler

__all__ = ["make_lambda_handler"]


def make_lambda_handler(
    wsgi_app: Any,
    binary_support: bool | None = None,
    non_binary_content_type_prefixes: Iterable[str] | None = None,
) -> Handler:
    """A Lambda handler that answers with a WSGI application.

    Beside the environ's usual keys the application finds ``apig_wsgi.full_event``, ``apig_wsgi.context``,
    ``apig_wsgi.request_context`` (if the event has one) and ``apig_wsgi.multi_value_headers``.

    Args:
        wsgi_app: the application.
        binary_support: whether the front door takes base64 for every body. If not, each body that is valid text is
            sent as text, whatever its type, since a REST API without ``binaryMediaTypes`` does not decode base64.
        non_binary_content_type_prefixes: the beginnings of Content-Types that are text, beside those that the
            encoder knows.

    Raises:
        InterfaceError: *wsgi_app* cannot be called.
    """
    if isinstance(non_binary_content_type_prefixes, str):
        non_binary_content_type_prefixes = (non_binary_content_type_prefixes,)
    prefixes = tuple(non_binary_content_type_prefixes or ())

    def is_text(content_type: str) -> bool:
        return not binary_support or content_type.startswith(prefixes)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        event = environ["serverless.event"]
        about = event.get("requestContext")
        environ["apig_wsgi.full_event"] = event
        environ["apig_wsgi.context"] = environ["serverless.context"]
        environ["apig_wsgi.multi_value_headers"] = "multiValueHeaders" in event and event.get("version") != "2.0"
        if about is not None:
            environ["apig_wsgi.request_context"] = about
        return wsgi_app(environ, start_response)

    if not callable(wsgi_app):
        return wsgi_handler(wsgi_app)  # says what is wrong
    return wsgi_handler(app, text_types=is_text)
