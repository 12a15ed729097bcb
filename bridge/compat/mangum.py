"""Mangum's class: ``from bridge.compat.mangum import Mangum``.

Where the answers differ from Mangum's own, and why: docs/migrating.md.
"""

from __future__ import annotations

from weakref import finalize

from bridge.adapter import Handler
from bridge.handler_cache import identity_of
from bridge.handlers import asgi_handler
from bridge.request import Scope
from bridge.settings import Settings
from bridge.sources import LAMBDA_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal

    from bridge.asgi.application import HostedApplication
    from bridge.response import Response
    from bridge.settings import Options
    from bridge.sources import Source

__all__ = ["Mangum"]

# What custom handlers find in their config; the encoder's own rule is wider.
_TEXT_MIME_TYPES = [
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/vnd.api+json",
    "application/vnd.oai.openapi",
]

# Started applications whose Mangum is gone: for the next Mangum of the same application, since some functions make
# one for each event.
_left: dict[tuple[object, ...], HostedApplication] = {}
_REMEMBER = 16


class Mangum(Handler):
    """A Lambda handler that answers with an ASGI application.

    Args:
        app: the application.
        lifespan: ``"auto"``, ``"on"`` or ``"off"``.
        api_gateway_base_path: a prefix of the path that is no part of the application's own.
        custom_handlers: classes for events of the user's own, asked before all others: ``infer(event, context,
            config)`` says whether an event is one; an instance, made of the same arguments, has ``scope`` and
            ``body``; called with ``{"status", "headers", "body"}`` it gives the payload.
        text_mime_types: parts of Content-Types that are text, beside those that the encoder knows.
        exclude_headers: response headers that are left out.

    Attributes:
        app, lifespan, custom_handlers: as given.
        config: what custom handlers get.

    Raises:
        SettingError: a value that is not allowed.
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
        texts = [*(text_mime_types or ())]
        excluded = [*(exclude_headers or ())]
        self.app = app
        self.lifespan = lifespan
        self.custom_handlers = [*(custom_handlers or ())]
        self.config = {
            "api_gateway_base_path": api_gateway_base_path or "/",
            "text_mime_types": texts or [*_TEXT_MIME_TYPES],
            "exclude_headers": [name.lower() for name in excluded],
        }
        # What stands at its default may come from the environment.
        options: Options = {}
        if lifespan != "auto":
            options["lifespan"] = lifespan
        if api_gateway_base_path not in ("/", "", None):
            options["base_path"] = api_gateway_base_path
        if texts:
            options["text_types"] = lambda content_type: any(text in content_type for text in texts)
        if excluded:
            options["exclude_headers"] = excluded
        settings = Settings(options)
        key = (identity_of(app), settings.lifespan, bool(self.custom_handlers))
        hosted = _left.pop(key, None)
        if hosted is None:
            hosted = asgi_handler(_WithCustomScopes(app) if self.custom_handlers else app, **options).hosted
        assert hosted is not None
        super().__init__(hosted.respond, settings, hosted)
        self._leaving = finalize(self, _leave, key, hosted)
        self._leaving.atexit = False

    def close(self) -> None:
        """Shut the application down; the handler cannot be used after it."""
        self._leaving.detach()
        super().close()

    def source_of(self, event: Any, context: Any) -> Source | None:
        """The source that sent *event*: one of *custom_handlers*, if one takes it."""
        for kind in self.custom_handlers:
            if kind.infer(event, context, self.config):
                return _CustomSource(kind(event, context, self.config))
        return super().source_of(event, context)


class _CustomSource:
    """A custom handler as a source."""

    def __init__(self, custom: Any) -> None:
        self._custom = custom

    def read(self, event: Any, context: Any, settings: Settings) -> Scope:  # noqa: ARG002 - a Source's
        return _CustomScope(self._custom, event, context)

    def write(self, response: Response, scope: Scope, settings: Settings) -> Any:  # noqa: ARG002 - a Source's
        headers = [[name.encode("latin-1"), value.encode("latin-1")] for name, value in response.headers]
        return self._custom({"status": response.status, "headers": headers, "body": response.body})


class _CustomScope(Scope):
    """A request that a custom handler read: its ASGI scope is the application's, as it is."""

    __slots__ = ("asgi",)

    def __init__(self, custom: Any, event: Any, context: Any) -> None:
        super().__init__("custom", event, context, LAMBDA_LIMIT)
        self.asgi: dict[str, Any] = custom.scope
        self.method = self.asgi.get("method", "")
        self.path = self.asgi.get("path", "")
        self.body = custom.body or b""
        # Nobody reads the rest.
        self.root_path = self.query = self.client = self.server_name = ""
        self.raw_path = None
        self.headers = ()
        self.scheme = "https"
        self.server_port = "443"


class _WithCustomScopes:
    """An ASGI application that finds a custom handler's scope in place of the bridge's."""

    def __init__(self, app: Any) -> None:
        self._inner = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        read = scope.get("bridge.request")
        if isinstance(read, _CustomScope):
            scope = {**read.asgi, "state": scope["state"]} if "state" in scope else read.asgi
        await self._inner(scope, receive, send)


def _leave(key: tuple[object, ...], hosted: HostedApplication) -> None:
    if key in _left or len(_left) >= _REMEMBER:
        _left.pop(key if key in _left else next(iter(_left))).close()
    _left[key] = hosted
