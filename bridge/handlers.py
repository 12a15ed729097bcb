"""Lambda handlers: the one path from an event, by a Scope, an application and a Response, to a payload."""

from __future__ import annotations

import os
import sys

from bridge.bodies import HEADER_FRAME, LONGEST_ESCAPE, PAYLOAD_FRAME, excess
from bridge.deadline import watcher
from bridge.errors import EventError, FailedIntegrationError, InterfaceError, is_cancellation
from bridge.interface_detection import framework_hint, interface_of
from bridge.logs import logger
from bridge.request import CurrentRequest, current
from bridge.response import Response
from bridge.response_callbacks import answered
from bridge.settings import Settings
from bridge.sources import is_websocket, recognise, source_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from typing_extensions import Unpack

    from bridge.asgi.application import AsgiApplication
    from bridge.request import Scope
    from bridge.settings import Options
    from bridge.sources import Source


class Handler:
    """A Lambda handler: ``handler(event, context) -> payload``.

    :func:`handler`, :func:`wsgi_handler` and :func:`asgi_handler` make it.

    Args:
        app: the WSGI or ASGI application.
        settings: how the handler behaves.
        respond: answers a request by calling the application.
        asgi: the ASGI application behind *respond*, with its event loop and lifespan; None for WSGI.

    The arguments are attributes, too.
    """

    def __init__(
        self, app: Any, settings: Settings, respond: Callable[[Scope], Response], asgi: AsgiApplication | None = None
    ) -> None:
        self.app = app
        self.settings = settings
        self.respond = respond
        self.asgi = asgi
        self.__name__ = self.__qualname__ = "handler"  # decorators read them, functools.wraps copies them

    @property
    def is_async(self) -> bool:
        """Whether the application is called on an event loop, so that :meth:`answer` may be awaited."""
        return self.asgi is not None

    def startup(self) -> None:
        """Start the application now instead of with the first request; a second call does nothing.

        Raises:
            LifespanError: the startup failed.
            SettingError: the callback ``other_events``, or the store for WebSocket connections, cannot be imported.
        """
        if self.settings.other_events is not None:
            from bridge.other_events import resolve

            self.settings.other_events = resolve(self.settings.other_events)
        if os.environ.get("BRIDGE_WEBSOCKET_STORE"):
            from bridge.websocket.store import find_store

            find_store()
        if self.asgi is not None:
            self.asgi.startup()

    def close(self) -> None:
        """Shut an ASGI application down, after which the handler cannot be used; does nothing for WSGI."""
        if self.asgi is not None:
            self.asgi.close()

    def __call__(self, event: Any, context: Any = None) -> Any:
        """Answer one event.

        Args:
            event: the event, parsed from JSON.
            context: Lambda's context object, or None.

        Returns:
            The payload in the form of the event's source; for other events, the result of ``other_events``.

        Raises:
            EventError: the event comes from no supported source and there is no ``other_events``, or its fields
                contradict each other.
            FailedIntegrationError: the status is 300 or above and the integration is non-proxy.
            RunningLoopError: the application is ASGI and an event loop runs in the calling thread.
            BaseException: the application's own, if it is no ``Exception``.
        """
        source = self.source_of(event, context)
        if source is None:
            return self.answer_other_event(event, context)
        scope = self.read(source, event, context)
        if self.asgi is not None:
            self.asgi.check_thread()
        token = current.set(scope)
        try:
            try:
                response = scope.refusal or self.respond(scope)
            except Exception:
                response = self.failed(scope)
            return self.write(source, scope, response)
        finally:
            answered()
            current.reset(token)

    async def answer(self, event: Any, context: Any = None) -> Any:
        """Answer one event on the running event loop, for servers that answer many requests at once.

        Arguments, result and exceptions are those of a call.

        Raises:
            TypeError: the application is WSGI (see :attr:`is_async`).

        Example::

            payload = await handler.answer(event, context)
        """
        if self.asgi is None:
            raise TypeError("This handler's application is WSGI. Call the handler: handler(event, context)")
        source = self.source_of(event, context)
        if source is None:
            await self.asgi.startup_here()
            return self.answer_other_event(event, context)
        scope = self.read(source, event, context)
        self.asgi.check_loop()
        token = current.set(scope)
        try:
            try:
                response = scope.refusal or await self.asgi.serve(scope)
            except Exception:
                response = self.failed(scope)
            return self.write(source, scope, response)
        finally:
            answered()
            current.reset(token)

    def failed(self, scope: Scope) -> Response:
        """Log the exception that is being handled, and return a plain 500."""
        error = sys.exception()
        try:
            logger.exception("The application failed at %s", scope)
        except Exception:  # no file descriptor is left for the source lines, or the log's own handler failed
            from traceback import format_exception_only

            print(f"The application failed at {scope}:", *format_exception_only(error), file=sys.stderr)
        return Response.plain(500, "Internal Server Error")

    def source_of(self, event: Any, context: Any) -> Source | None:  # noqa: ARG002 - used by subclasses
        """The source that sent *event*; None if the event is no HTTP request.

        An event of a WebSocket API has a source if the application is ASGI and no WebSocket callback is set.
        """
        name = recognise(event)
        if name is not None:
            return source_named(name)
        if self.asgi is None or self.settings.has_websocket_callbacks or not is_websocket(event):
            return None
        from bridge.websocket import asgi

        return asgi

    def read(self, source: Source, event: Any, context: Any) -> Scope:
        """The request in an event of *source*.

        Raises:
            EventError: the event's fields contradict each other.
        """
        try:
            scope = source.read(event, context, self.settings)
        except (AttributeError, LookupError, TypeError) as error:
            from bridge.sources.unreadable_events import unreadable

            raise EventError(unreadable(recognise(event), event, error)) from error
        if self.settings.request_id_header:
            _add_request_id(scope, self.settings.request_id_header)
        return scope

    def write(self, source: Source, scope: Scope, response: Response) -> Any:
        """The payload of a response; a response that cannot be written, or is too large, becomes a 500."""
        if scope.method == "HEAD" or response.status in (204, 304):
            response.body = b""  # RFC 9110, 6.4.1: these have no content
        try:
            payload = source.write(response, scope, self.settings)
        except FailedIntegrationError:
            raise
        except Exception:
            return source.write(self.failed(scope), scope, self.settings)
        headers = response.header_size + HEADER_FRAME * len(response.headers)
        if (len(response.body) + headers) * LONGEST_ESCAPE + PAYLOAD_FRAME > scope.limit:
            size = excess(payload, response.body, headers, scope.limit)
            if size:
                return source.write(_too_large(scope, size), scope, self.settings)
        return payload

    def answer_other_event(self, event: Any, context: Any) -> Any:
        """The payload for an event that is not an HTTP request.

        Raises:
            EventError: no ``other_events`` callback is set.
        """
        from bridge.other_events import answer

        token = current.set(CurrentRequest(event, context))
        try:
            return answer(event, context, app=self.app, settings=self.settings, startup=self.startup)
        finally:
            answered()
            current.reset(token)


def handler(app: Any, **options: Unpack[Options]) -> Handler:
    """A Lambda handler for a WSGI or ASGI application; the interface is recognised by how *app* can be called.

    Each option has an environment variable, such as ``BRIDGE_BASE_PATH``, which counts if the option is not passed.

    Args:
        app: the application.
        **options: keyword arguments, all optional:

            - ``base_path`` (str): a prefix of the URL's path that is not the application's own, such as ``"/shop"``.
            - ``strip_stage`` (bool, default False): leave API Gateway's stage out of the URLs that the application
              makes, for a custom domain.
            - ``text_types`` (iterable of str, or a function of the Content-Type): further media types whose bodies are
              sent as text, such as ``["application/x-tex", "font/*"]``.
            - ``exclude_headers`` (iterable of str): response headers to leave out.
            - ``lifespan`` (``"auto"``, ``"on"`` or ``"off"``, default ``"auto"``): whether the ASGI lifespan is run;
              with ``"on"``, its absence or failure is an error.
            - ``request_id_header`` (str): a request header that gets Lambda's request id, such as ``"X-Request-Id"``.
            - ``other_events`` (a function of event and context, or its name as ``"module:function"``): called with
              events that are not HTTP requests. Without it they raise :class:`bridge.EventError`.
            - ``warm_up`` (bool, default True): answer scheduled events with ``{}``. If False, they go to
              ``other_events``.
            - ``background_seconds`` (float, default 2): how long a request waits for the tasks that the ASGI
              application has started and left behind.
            - ``on_connect``, ``on_message``, ``on_disconnect`` (functions, or their names): called with the events of
              a WebSocket API, in the place of the application; see :mod:`bridge.websocket.callbacks`.

    Raises:
        SettingError: an option does not exist or has a value that is not allowed.
        InterfaceError: the interface of *app* is not recognisable.

    Example::

        from flask import Flask
        import bridge

        app = Flask(__name__)
        handler = bridge.handler(app)  # the function's handler: app.handler
    """
    return make_handler(app, interface_of(app), Settings(options))


def wsgi_handler(app: Any, **options: Unpack[Options]) -> Handler:
    """A Lambda handler for a WSGI application (PEP 3333), which it calls without an event loop.

    Args:
        app: the application.
        **options: those of :func:`bridge.handler`; ``lifespan`` and ``background_seconds`` have no effect.

    Raises:
        SettingError: an option does not exist or has a value that is not allowed.
        InterfaceError: *app* cannot be called, or is an ASGI application.

    Example::

        handler = bridge.wsgi_handler(app, base_path="/shop")
    """
    if _interface_of(app, "wsgi") != "wsgi":
        raise InterfaceError(f"{app!r} is an ASGI application: use bridge.asgi_handler(app), or bridge.handler(app).")
    return make_handler(app, "wsgi", Settings(options))


def asgi_handler(app: Any, **options: Unpack[Options]) -> Handler:
    """A Lambda handler for an ASGI application, with one event loop and one lifespan for the process.

    The lifespan starts with the first event, or when ``startup()`` is called; it ends at SIGTERM, at the end of the
    process, or when ``close()`` is called.

    Args:
        app: an ASGI 3 application; an ASGI 2 or a WSGI one is adapted by asgiref.
        **options: those of :func:`bridge.handler`.

    Raises:
        SettingError: an option does not exist or has a value that is not allowed.
        InterfaceError: *app* cannot be called.

    Example::

        handler = bridge.asgi_handler(app, lifespan="on")
    """
    interface = _interface_of(app, "asgi")
    if interface == "wsgi":
        return make_threaded_handler(app, Settings(options))
    return make_handler(app, interface, Settings(options))


def handle_request(app: Any, event: Any, context: Any = None, **options: Unpack[Options]) -> Any:
    """Answer one event; the handlers for the latest applications and their options are kept.

    Args:
        app: a WSGI or ASGI application.
        event: the event, parsed from JSON.
        context: Lambda's context object.
        **options: those of :func:`bridge.handler`.

    Returns:
        The payload, as of a :class:`bridge.Handler`.

    Example::

        def handler(event, context):
            return bridge.handle_request(app, event, context)
    """
    key = (identity_of(app), *((name, repr(value)) for name, value in sorted(options.items())))
    return cached_handler(key, lambda: handler(app, **options))(event, context)


# Handlers for callers that pass the same application with every event.
_cached_handlers: dict[tuple[object, ...], Handler] = {}
_MAX_CACHED = 64


def identity_of(app: Any) -> object:
    """A key for an application; a bound method is a new object each time that it is accessed."""
    function = getattr(app, "__func__", None)
    return id(app) if function is None else (id(app.__self__), id(function))


def cached_handler(key: tuple[object, ...], make: Callable[[], Handler]) -> Handler:
    """The handler for *key*, made by *make* at the first call; the oldest one is closed when there are too many.

    The key contains :func:`identity_of` the application. Its id is not reused, since the handler keeps it alive.
    """
    cached = _cached_handlers.get(key)
    if cached is None:
        if len(_cached_handlers) >= _MAX_CACHED:
            _cached_handlers.pop(next(iter(_cached_handlers))).close()
        cached = _cached_handlers[key] = make()
    return cached


def make_handler(app: Any, interface: str, settings: Settings) -> Handler:
    """The handler for an application of the interface ``"wsgi"``, ``"asgi"`` or ``"asgi2"``."""
    if interface == "wsgi":
        return Handler(app, settings, _wsgi_respond(app))
    from bridge.asgi.application import AsgiApplication

    if interface == "asgi2":
        from asgiref.compatibility import double_to_single_callable

        app = double_to_single_callable(app)  # type: ignore[no-untyped-call]  # asgiref has no types here
    asgi = AsgiApplication(app, settings)
    return Handler(app, settings, asgi.respond, asgi)


def make_threaded_handler(app: Any, settings: Settings, executor: ThreadPoolExecutor | None = None) -> Handler:
    """The handler for a WSGI application in threads of an event loop: those of *executor*, or of the loop's own."""
    from bridge.wsgi.on_event_loop import asgi_application

    settings.lifespan = "off"  # WSGI has none
    threaded = make_handler(asgi_application(app, executor), "asgi", settings)
    threaded.app = app
    return threaded


def find_handler() -> Any:
    """The handler of a deployed function: its application's, or a function ``(event, context)`` as it is.

    Exceptions are those of :func:`bridge.loading.find_deployed`, and :class:`SettingError`.
    """
    from bridge.loading import find_deployed

    target, interface, options = find_deployed()
    return make_handler(target, interface, Settings(file=options)) if interface else target


def _wsgi_respond(app: Any) -> Callable[[Scope], Response]:
    from bridge.wsgi.call import call, environ_of

    def respond(scope: Scope) -> Response:
        watcher.begin(scope)
        try:
            return call(app, environ_of(scope))
        except BaseException as error:
            if is_cancellation(error):
                raise InterfaceError("The application raised CancelledError.") from error
            raise
        finally:
            watcher.end(scope)

    return respond


def _interface_of(app: Any, default: str) -> str:
    """The interface of *app*, or *default* if it is not recognisable; InterfaceError if *app* cannot be called."""
    try:
        return interface_of(app)
    except InterfaceError:
        if not callable(app) or framework_hint(app):
            raise
        return default


def _add_request_id(scope: Scope, header: str) -> None:
    """Put Lambda's request id into a request header, in the place of what the client may have sent in it."""
    request_id = scope.request_id
    if not request_id and isinstance(scope.event, dict) and isinstance(scope.event.get("requestContext"), dict):
        request_id = scope.event["requestContext"].get("requestId")
    headers = [pair for pair in scope.headers if pair[0].lower() != header]
    scope.headers = [*headers, (header, str(request_id))] if request_id else headers


def _too_large(scope: Scope, size: int) -> Response:
    logger.error(
        "The response to %s is %d bytes of JSON; %s takes at most %d. The client gets a 500 instead.",
        scope,
        size,
        scope.source,
        scope.limit,
    )
    return Response.plain(500, f"The response is too large: {size} bytes of JSON; the limit here is {scope.limit}.")
