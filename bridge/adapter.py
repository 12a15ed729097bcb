"""The one path: event, source, Scope, application, Response, source, payload."""

from __future__ import annotations

import sys

import bridge
from bridge import logger
from bridge.request import CurrentRequest, current
from bridge.response import Response
from bridge.sources import loaded, recognise, source_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.asgi.application import HostedApplication
    from bridge.request import Scope
    from bridge.settings import Settings
    from bridge.sources import Source

# The most that JSON makes of one byte of a body: \u001f of a control character.
_WORST_ESCAPE = 6


class Handler:
    """What Lambda calls: ``handler(event, context) -> payload``.

    Args:
        respond: answers a request; see :mod:`bridge.interfaces`.
        settings: how the handler behaves.
        hosted: the ASGI application behind *respond*, with its loop and lifespan; None for WSGI.
        wsgi_app: the WSGI application behind *respond*.

    Attributes:
        respond, settings, hosted, wsgi_app: as given.
    """

    def __init__(
        self,
        respond: Callable[[Scope], Response],
        settings: Settings,
        hosted: HostedApplication | None = None,
        wsgi_app: Any = None,
    ) -> None:
        self.respond = respond
        self.settings = settings
        self.hosted = hosted
        self._wsgi_app = wsgi_app
        self._given_respond = respond
        # The short way of usual requests, once there is one; not for who does something else on the long one.
        self._usual: Callable[[Handler, Any, Any], Any] | None = None
        as_they_are = not (settings.base_path or settings.exclude_headers or settings.request_id_header)
        self._may_learn = as_they_are and type(self) is Handler
        self._learns_in = 2

    @property
    def wsgi_app(self) -> Any:  # noqa: D102 - it is among the attributes
        return self._wsgi_app

    @property
    def is_async(self) -> bool:
        """Whether the application is called on an event loop, and :meth:`answer` may be awaited."""
        return self.hosted is not None

    def startup(self) -> None:
        """Start the application up now, instead of with the first request; a second call does nothing.

        Raises:
            LifespanError: it does not start up.
        """
        if self.hosted is not None:
            self.hosted.startup()

    def close(self) -> None:
        """Shut the application down; the handler cannot be used after it."""
        if self.hosted is not None:
            self.hosted.close()

    def __call__(self, event: Any, context: Any = None) -> Any:
        """Answer one event.

        Args:
            event: what Lambda hands over, parsed from JSON.
            context: Lambda's context object, or None.

        Returns:
            The payload in the shape of the event's source; for another event what ``other_events`` makes of it.

        Raises:
            EventError: the event is from no known source and there is no ``other_events``, or it contradicts itself.
            FailedIntegrationError: a status of 300 and above for the non-proxy integration.
            BaseException: what the application raises that is no ``Exception``.
        """
        if self._usual is not None:
            payload = self._usual(self, event, context)
            if payload is not None:
                return payload
        source = self.source_of(event, context)
        if source is None:
            token = current.set(CurrentRequest(event, context))
            try:
                return self.answer_other(event, context)
            finally:
                current.reset(token)
        if self._learns_in > 0:
            self._learn()
        scope = self.read(source, event, context)
        token = current.set(scope)
        try:
            try:
                response = scope.refusal or self.respond(scope)
            except Exception:
                response = failed(scope)
            return self.write(source, scope, response)
        finally:
            current.reset(token)

    async def answer(self, event: Any, context: Any = None) -> Any:
        """As a call, on the event loop that runs: for servers of many requests at once (``is_async``)."""
        assert self.hosted is not None
        source = self.source_of(event, context)
        if source is None:
            token = current.set(CurrentRequest(event, context))
            try:
                await self.hosted.startup_here()
                return self.answer_other(event, context)
            finally:
                current.reset(token)
        scope = self.read(source, event, context)
        token = current.set(scope)
        try:
            try:
                response = scope.refusal or await self.hosted.serve(scope)
            except Exception:
                response = failed(scope)
            return self.write(source, scope, response)
        finally:
            current.reset(token)

    def source_of(self, event: Any, context: Any) -> Source | None:  # noqa: ARG002 - for those who look at it
        """The source that sent *event*; None if it is no HTTP request from any."""
        name = recognise(event)
        return None if name is None else loaded.get(name) or source_named(name)

    def read(self, source: Source, event: Any, context: Any) -> Scope:
        """The request in an event of *source*.

        Raises:
            EventError: the event contradicts itself.
        """
        settings = self.settings
        try:
            scope = source.read(event, context, settings)
        except (AttributeError, LookupError, TypeError) as error:
            from bridge.sources.unknown import wrong

            raise bridge.EventError(wrong(recognise(event), event, error)) from error
        if settings.request_id_header:
            _add_request_id(scope, settings.request_id_header)
        return scope

    def write(self, source: Source, scope: Scope, response: Response) -> Any:
        """The payload; a response that cannot be written, or is too large, becomes a 500."""
        settings = self.settings
        if scope.method == "HEAD" or response.status in (204, 304):
            response.body = b""  # RFC 9110, 6.4.1: these have no content
        try:
            payload = source.write(response, scope, settings)
        except Exception as error:
            if isinstance(error, RuntimeError) and isinstance(error, bridge.FailedIntegrationError):
                raise
            return source.write(failed(scope), scope, settings)
        if (len(response.body) + response.header_size) * _WORST_ESCAPE + 65_536 > scope.limit:
            from bridge.size import size_of, surely_fits

            room = scope.limit - response.header_size * _WORST_ESCAPE - 65_536
            if not surely_fits(response.body, payload, room) and (size := size_of(payload)) > scope.limit:
                return source.write(_too_large(scope, size), scope, settings)
        return payload

    def _learn(self) -> None:
        """Load with the second request what the first one, which has enough to load, can do without.

        That is the short way, if it may be taken, and what is needed when something goes wrong: an application may have
        used up its file descriptors by then.
        """
        self._learns_in -= 1
        if self._learns_in <= 0:
            try:
                import bridge.errors  # noqa: F401 - to have it

                if self._may_learn:
                    from bridge.usual import answer

                    self._usual = answer
            except OSError:  # it has, already; the next request tries again
                self._learns_in = 1

    def answer_other(self, event: Any, context: Any) -> Any:
        """What is given for an event that is no HTTP request.

        Raises:
            EventError: there is nobody to take it.
        """
        from bridge.non_http import answer  # a function that answers requests may never see one

        return answer(self, event, context)


def _add_request_id(scope: Scope, header: str) -> None:
    """Put Lambda's request id in a request header, in place of what the client may have sent under that name."""
    request_id = getattr(scope.context, "aws_request_id", None)
    if not request_id:
        about = scope.event.get("requestContext") if isinstance(scope.event, dict) else None
        request_id = about.get("requestId") if isinstance(about, dict) else None
    kept = [pair for pair in scope.headers if pair[0].lower() != header]
    scope.headers = [*kept, (header, str(request_id))] if request_id else kept


def failed(scope: Scope) -> Response:
    """A plain 500; the exception that is being handled is logged."""
    error = sys.exc_info()[1]
    try:
        logger().exception("The application failed at %s", scope)
    except OSError:  # no file can be opened any more, not even that of logging
        print(f"The application failed at {scope}: {error!r}", file=sys.stderr)
    return Response.plain(500, "Internal Server Error")


def _too_large(scope: Scope, size: int) -> Response:
    logger().error(
        "The response to %s is %d bytes of JSON; %s takes at most %d. It was answered 500 instead.",
        scope,
        size,
        scope.source,
        scope.limit,
    )
    return Response.plain(500, f"The response is too large: {size} bytes of JSON; at most {scope.limit} pass here.")
