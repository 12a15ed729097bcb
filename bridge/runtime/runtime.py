"""The runtime: answers one invocation at a time, and waits in the calling thread.

A function without ASGI needs no event loop here. An ASGI application runs on the loop of its handler, which stands
still between requests.
"""

from __future__ import annotations

import os
import sys
from contextvars import copy_context

from bridge import response_callbacks
from bridge.logs import logger
from bridge.request import CurrentRequest, current
from bridge.runtime.api_messages import ErrorReport, encode
from bridge.runtime.client import ApiError, RuntimeApi, run
from bridge.runtime.invocation import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from bridge.asgi.application import AsgiApplication
    from bridge.asgi.loop import LoopRunner
    from bridge.handlers import Handler
    from bridge.request import Scope
    from bridge.response import Response
    from bridge.runtime.invocation import Invocation
    from bridge.runtime.sent_response import SentResponse
    from bridge.sources import Source


class Runtime:
    """Answers the invocations of a function.

    Args:
        handler: an application's handler, or another ``(event, context) -> payload``, which may be async.
        address: ``host:port`` of the Runtime API.
        stream: whether responses are streamed where the source accepts it.
    """

    def __init__(self, handler: Any, address: str, *, stream: bool = False) -> None:
        self._handler = handler
        # An application's handler, perhaps wrapped: OpenTelemetry's proxy has its attributes, but not its type. (The
        # class is not imported, because a plain function does not need bridge.handlers.)
        self._inner: Any = handler if hasattr(handler, "source_of") else None
        # The same without a wrapper, which would have to be called.
        self._application: Handler | None = self._inner if hasattr(type(handler), "source_of") else None
        self._asgi: AsgiApplication | None = self._inner.asgi if self._inner is not None else None
        if stream and self._application is None:
            logger.warning(
                "BRIDGE_RESPONSE_MODE=stream has no effect: the handler %r returns whole payloads. If it wraps the "
                "handler of an application, wrap the application instead, with WSGI or ASGI middleware.",
                handler,
            )
        if self._application is not None:  # imported for applications only, and once
            from bridge.runtime.sent_response import SentResponse

            self._response_class = SentResponse
            if self._asgi is not None:
                from bridge.runtime.asgi_cycle import RuntimeCycle

                self._cycle_class = RuntimeCycle
        self._stream = stream
        self._apis = [RuntimeApi(address)]
        self._loop_runner: LoopRunner | None = None
        self._status = 0
        self._is_ending = False  # an event loop cancels the invocations that are left

    def start(self) -> None:
        """Start the application, and take over the callbacks for each response; exceptions are those of its handler."""
        response_callbacks.is_deferred = True
        if self._inner is not None:
            self._inner.startup()

    def run(self) -> int:
        """Answer invocations until :meth:`stop` is called, and return the exit status; raises ApiError."""
        (api,) = self._apis
        if self._inner is None and (asyncio := sys.modules.get("asyncio")) is not None:
            asyncio.set_event_loop(self._own_loop_runner().loop)  # the function may call asyncio.get_event_loop()
        while (invocation := run(api.next())) is not None:
            os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id  # read by X-Ray's SDK
            copy_context().run(run, self._answer(invocation, api))
        return self._status

    def stop(self, status: int = 0) -> None:
        """Let :meth:`run` return *status* soon. May be called by a signal handler or another thread."""
        self._status = self._status or status
        if self._asgi is not None:
            self._asgi.background.stop()
        for api in self._apis:
            api.stop()

    def close(self) -> None:
        """Shut the application down."""
        response_callbacks.is_deferred = False
        if self._inner is not None:
            self._inner.close()
        if self._loop_runner is not None:
            self._loop_runner.close()
        for api in self._apis:
            api.close()

    def run_awaitable(self, awaitable: Any) -> Any:
        """Return the result of an awaitable, on the function's event loop."""
        if self._asgi is not None:
            return self._asgi.run(awaitable)
        return self._own_loop_runner().run(awaitable)

    def _own_loop_runner(self) -> LoopRunner:
        if self._loop_runner is None:
            from bridge.asgi.loop import LoopRunner

            self._loop_runner = LoopRunner()
        return self._loop_runner

    async def _answer(self, invocation: Invocation, api: RuntimeApi) -> None:
        """Answer one invocation, and call the function's callbacks for each response."""
        handler, source = self._application, None
        try:
            event, context = invocation.event(), Context(invocation)
            current.set(CurrentRequest(event, context))
            source = handler.source_of(event, context) if handler is not None else None
            if handler is not None and source is not None:
                scope = handler.read(source, event, context)
                current.set(scope)
                await self._answer_request(handler, source, scope, invocation, api)
            else:
                payload = await self._call(self._handler, event, context)
                if hasattr(payload, "__await__"):
                    payload = await self._await(payload)
                await api.respond(invocation, *encode(payload))
        except ApiError:
            raise
        except SystemExit as error:
            logger.critical("The function called sys.exit(%r): this process ends.", error.code, exc_info=error)
            if source is None:
                message = f"The function called sys.exit({error.code!r})."
                await api.fail(invocation, ErrorReport("Runtime.ExitError", message))
            self.stop(error.code if isinstance(error.code, int) and error.code else 1)
        except BaseException as error:
            if self._is_ending:
                raise
            logger.exception("The invocation failed.")
            await api.fail(invocation, ErrorReport.of(error))
        if response_callbacks.callbacks:
            await self._call(response_callbacks.run)

    async def _answer_request(
        self, handler: Handler, source: Source, scope: Scope, invocation: Invocation, api: RuntimeApi
    ) -> None:
        sent = self._response_class(handler, source, scope, invocation, api, stream=self._stream)
        try:
            if scope.refusal is not None:
                response = scope.refusal
            elif handler.asgi is not None:
                response = await self._respond_asgi(handler.asgi, sent)
            elif sent.is_streamed:
                from bridge.runtime.wsgi_stream import stream

                response = stream(handler.app, sent)
            else:
                response = await self._call(handler.respond, scope)
            has_failed = False
        except BaseException as error:
            if self._is_ending:
                raise
            has_failed = True
            await sent.fail(error)
            if isinstance(error, SystemExit):
                raise
        else:
            await sent.conclude(response)
        await sent.finish()
        if handler.asgi is not None and (sent.tasks or has_failed):
            try:
                await self._await(handler.asgi.background.wait(scope, sent.tasks))
            except BaseException:  # CancelledError, of an application that cancels all tasks
                if self._is_ending:
                    raise

    # Overridden by ConcurrentRuntime.

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    async def _respond_asgi(self, asgi: AsgiApplication, sent: SentResponse) -> Response:
        try:
            return asgi.respond(sent.scope, self._cycle_class(sent))
        finally:
            sent.api.detach()

    async def _await(self, awaitable: Awaitable[Any]) -> Any:
        return self.run_awaitable(awaitable)
