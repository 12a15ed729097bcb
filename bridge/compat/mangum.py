"""Mangum's class: ``from bridge.compat.mangum import Mangum``."""

from __future__ import annotations

import asyncio
import sys
import warnings
from weakref import finalize

from bridge.errors import LifespanError
from bridge.handlers import Handler, asgi_handler, identity_of
from bridge.limits import LAMBDA_PAYLOAD_LIMIT
from bridge.request import Scope
from bridge.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal

    from bridge.asgi.application import AsgiApplication
    from bridge.response import Response
    from bridge.sources import Source

__all__ = ["Mangum"]

# Mangum's default for `text_mime_types`, which custom handlers read from their config. The bridge has a longer list.
_TEXT_MIME_TYPES = [
    "text/", "application/json", "application/javascript", "application/xml", "application/vnd.api+json",
    "application/vnd.oai.openapi",
]  # fmt: skip

# Started applications whose Mangum has been garbage-collected: many functions make a Mangum for each event. The next
# Mangum for the same application takes over its event loop and lifespan.
_released: dict[tuple[object, ...], AsgiApplication] = {}
_MAX_RELEASED = 16


class Mangum(Handler):
    """A Lambda handler for an ASGI application.

    Args:
        app: the ASGI application.
        lifespan: ``"auto"``, ``"on"`` or ``"off"``.
        api_gateway_base_path: a prefix of the path that does not belong to the application.
        custom_handlers: classes that handle events before the bridge's own sources. ``infer(event, context, config)``
            says whether a class handles an event. An instance, created with the same arguments, has the attributes
            ``scope`` and ``body``, and is called with ``{"status", "headers", "body"}`` to return the payload.
        text_mime_types: parts of the ``Content-Type`` of text, in addition to the types that the bridge recognises.
        exclude_headers: names of response headers to remove.

    Attributes:
        app, lifespan, custom_handlers: the arguments.
        config: the configuration that custom handlers receive.

    Raises:
        SettingError: an argument has an invalid value.

    Example::

        handler = Mangum(app, lifespan="off")
    """

    def __init__(
        self,
        app: Any,
        lifespan: Literal["auto", "on", "off"] = "auto",
        api_gateway_base_path: str = "/",
        custom_handlers: Sequence[Any] | None = None,
        text_mime_types: Iterable[str] | None = None,
        exclude_headers: Iterable[str] | None = None,
    ) -> None:
        excluded = [*(exclude_headers or ())]
        self.lifespan = lifespan
        self.custom_handlers = [*(custom_handlers or ())]
        # None for arguments with the default value, whose options the environment may set.
        options: Any = {
            "lifespan": None if lifespan == "auto" else lifespan,
            "base_path": None if api_gateway_base_path in ("/", "") else api_gateway_base_path,
            "exclude_headers": excluded or None,
        }
        settings = Settings(options)
        # Programs change the lists after the handler was made.
        self.config: dict[str, Any] = {
            "api_gateway_base_path": api_gateway_base_path or "/",
            "text_mime_types": [*(text_mime_types or ())] or [*_TEXT_MIME_TYPES],
            "exclude_headers": [name.lower() for name in excluded] or [*settings.exclude_headers],
        }
        config, is_text = self.config, settings.is_text
        settings.is_text = lambda content_type: (
            any(part in content_type for part in config["text_mime_types"])
            or (is_text is not None and is_text(content_type))
        )
        key = (identity_of(app), settings.lifespan, bool(self.custom_handlers))
        asgi = _released.pop(key, None)
        if asgi is None:
            asgi = asgi_handler(_WithCustomScopes(app) if self.custom_handlers else app, **options).asgi
        assert asgi is not None
        asgi.find_loop = _current_loop
        super().__init__(app, settings, asgi.respond, asgi)
        self._finalizer = finalize(self, _release, key, asgi)
        self._finalizer.atexit = False

    def close(self) -> None:
        """Shut the application down. The handler cannot be used any more."""
        self._finalizer.detach()
        super().close()

    def failed(self, scope: Scope) -> Response:
        """Fail the invocation if the lifespan failed to start, as Mangum does."""
        if isinstance(sys.exception(), LifespanError):
            raise
        return super().failed(scope)

    def source_of(self, event: Any, context: Any) -> Source | None:
        """Return the first custom handler that accepts the event, as a source; else the bridge's own source."""
        self.settings.exclude_headers = frozenset(self.config["exclude_headers"])
        for custom_handler in self.custom_handlers:
            if custom_handler.infer(event, context, self.config):
                return _CustomSource(custom_handler(event, context, self.config))
        return super().source_of(event, context)


class _CustomSource:
    """The instance of a custom handler, as a source."""

    def __init__(self, custom_handler: Any) -> None:
        self._custom_handler = custom_handler

    def read(self, event: Any, context: Any, settings: Settings) -> Scope:  # noqa: ARG002 - the signature of sources
        return _CustomScope(self._custom_handler, event, context)

    def write(self, response: Response, scope: Scope, settings: Settings) -> Any:  # noqa: ARG002 - as above
        headers = [[name.encode("latin-1"), value.encode("latin-1")] for name, value in response.headers]
        return self._custom_handler({"status": response.status, "headers": headers, "body": response.body})


class _CustomScope(Scope):
    """A request read by a custom handler; the application receives ``asgi_scope``, the rest are placeholders."""

    root_path = query = client = server_name = ""
    raw_path = None
    headers = ()
    scheme = "https"
    server_port = "443"

    def __init__(self, custom_handler: Any, event: Any, context: Any) -> None:
        super().__init__("custom", event, context, LAMBDA_PAYLOAD_LIMIT)
        self.asgi_scope: dict[str, Any] = custom_handler.scope
        self.method = self.asgi_scope.get("method", "")
        self.path = self.asgi_scope.get("path", "")
        self.body = custom_handler.body or b""


class _WithCustomScopes:
    """An ASGI application that receives the scopes of custom handlers in place of the bridge's."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = scope.get("bridge.scope")
        if isinstance(request, _CustomScope):
            scope = {**request.asgi_scope, "state": scope["state"]} if "state" in scope else request.asgi_scope
        await self._app(scope, receive, send)


def _current_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that the function's module has set, on which it may have connected clients."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # no loop is set, and Python would make one
        try:
            loop = asyncio.get_event_loop()
        except (DeprecationWarning, RuntimeError):
            return None
    return None if loop.is_closed() or loop.is_running() else loop


def _release(key: tuple[object, ...], asgi: AsgiApplication) -> None:
    """Keep an application for the next Mangum, and shut down one with the same key, or else the oldest of too many."""
    if key in _released or len(_released) >= _MAX_RELEASED:
        _released.pop(key if key in _released else next(iter(_released))).close()
    _released[key] = asgi
