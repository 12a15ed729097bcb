"""The function: what answers an invocation, and how its answer gets to the Runtime API."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable

from bridge.adapter import Handler, failed
from bridge.current import CurrentRequest, current
from bridge.errors import InterfaceError, logger
from bridge.interfaces.call import call, is_async
from bridge.interfaces.settle import settle
from bridge.runtime.context import Context
from bridge.runtime.exchange import Posted, Streamed
from bridge.runtime.fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.interfaces.hosted import HostedApplication
    from bridge.response import Response
    from bridge.runtime.api import RuntimeApi, Stream
    from bridge.runtime.invocation import Invocation
    from bridge.scope import Scope
    from bridge.sources import Source

# API Gateway looks for the end of the prelude in the first 16 KB of a stream.
_PRELUDE_LIMIT = 16_384
_DELIMITER = b"\0" * 8
_OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})  # the service's business, not the function's
# Left to the runtime of an invocation's time, to say that it is over.
_MARGIN_SECONDS = 0.1


class Function:
    """What is run: an application behind its handler, or any handler of ``(event, context)``.

    Args:
        handler: what is called.
        concurrency: how many invocations are answered at once.
        stream: whether the responses that a source lets be streamed are.
    """

    def __init__(self, handler: Callable[[Any, Any], Any], concurrency: int = 1, *, stream: bool = False) -> None:
        self._handler = handler
        self._stream = stream
        # One at a time, a plain handler is called here: the loop has nothing else to do, and no thread is in between.
        needs_threads = concurrency > 1 and not is_async(handler) and self.hosted is None
        self._threads = ThreadPoolExecutor(concurrency, "bridge function") if needs_threads else None
        self._is_plain = not is_async(handler) and not needs_threads

    @property
    def hosted(self) -> HostedApplication | None:
        """The ASGI application, if it is one."""
        return self._handler.hosted if isinstance(self._handler, Handler) else None

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            LifespanError: it does not start up.
        """
        if self.hosted is not None:
            await self.hosted.startup_here()

    async def close(self) -> None:
        """Shut the application down. Threads that still answer are not waited for."""
        if self.hosted is not None:
            await self.hosted.close_here()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, invocation: Invocation, api: RuntimeApi) -> None:
        """Answer one invocation, and come to the end of what it started.

        Raises:
            ApiError: the Runtime API is gone.
            BaseException: what the application raises that is no ``Exception``, after it was reported.
        """
        context = Context(invocation)
        try:
            event = invocation.event()
            current.set(CurrentRequest(event, context, invocation.trace_id))
            handler, hosted = self._handler, self.hosted
            if isinstance(handler, Handler) and hosted is not None:
                source = handler.source_of(event, context)
                if source is not None:
                    scope = handler.read(source, event, context)
                    await _Request(handler, hosted, source, scope, invocation, api).answer(stream=self._stream)
                    return
                payload = handler.answer_other(event, context)
                if isawaitable(payload):
                    payload = await payload
            else:
                payload = (
                    handler(event, context) if self._is_plain else await call(handler, event, context, self._threads)
                )
            body, content_type = _written(payload)
        except Exception as error:
            logger().exception("The invocation failed.")
            await api.fail(invocation, Fault.of(error))
        except SystemExit as error:
            await api.fail(invocation, Fault("Runtime.ExitError", f"The function called sys.exit({error.code!r})."))
            raise
        else:
            await api.respond(invocation, body, content_type)


class _Request:
    """One request to an ASGI application."""

    def __init__(
        self,
        handler: Handler,
        hosted: HostedApplication,
        source: Source,
        scope: Scope,
        invocation: Invocation,
        api: RuntimeApi,
    ) -> None:
        self._handler = handler
        self._hosted = hosted
        self._source = source
        self._scope = scope
        self._invocation = invocation
        self._api = api
        self._is_posted = False

    async def answer(self, *, stream: bool) -> None:
        scope = self._scope
        exchange: Posted | Streamed
        if stream and getattr(self._source, "STREAMED", None) == scope.source:
            exchange = Streamed(scope.body, self._begin, is_head=scope.method == "HEAD")
        else:
            exchange = Posted(scope.body, self._post)
        error: Exception | None = None
        try:
            response = scope.refusal or await self._hosted.serve(scope, exchange)
        except Exception as raised:
            error = raised
            if isinstance(exchange, Streamed) and exchange.is_gone:
                logger().warning("The client of %s went away before the response was whole.", scope)
            else:
                response = failed(scope)
        if isinstance(exchange, Posted):
            if not self._is_posted:
                await self._post(response)
        elif exchange.stream is None:
            stream_ = await self._begin(response, exchange)
            await stream_.send(response.body)
            await stream_.end()
        elif exchange.is_gone:
            self._api.close()
        elif not exchange.complete:
            fault = Fault.of(error) if error else Fault("Sandbox.Timedout", "The response is not whole in time.")
            await exchange.stream.end(fault)
        if exchange.left:
            left = scope.context.get_remaining_time_in_millis() / 1000
            await settle(exchange.left, max(0.0, left - _MARGIN_SECONDS))

    async def _post(self, response: Response) -> None:
        self._is_posted = True
        body, content_type = _written(self._handler.write(self._source, self._scope, response))
        await self._api.respond(self._invocation, body, content_type)

    async def _begin(self, response: Response, exchange: Streamed) -> Stream:
        source: Any = self._source
        fields = response.fields(self._handler.settings.exclude_headers | _OF_ONE_HOP)
        head = source.head(response.status, fields, self._scope)
        prelude = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace") + _DELIMITER
        if len(prelude) > _PRELUDE_LIMIT:
            raise InterfaceError(
                f"Status and headers of the response to {self._scope} are {len(prelude)} bytes of JSON; API Gateway "
                f"takes {_PRELUDE_LIMIT} in a stream. Send less in headers and cookies."
            )
        stream = await self._api.stream(self._invocation, exchange.gone)
        await stream.send(prelude)
        return stream


def _written(payload: Any) -> tuple[bytes, str]:
    """A payload as it is posted, and its Content-Type; bytes as they are, anything else as JSON.

    Raises:
        TypeError, ValueError: JSON cannot write it.
    """
    if isinstance(payload, bytes):
        return payload, "application/octet-stream"
    try:
        return json.dumps(payload, ensure_ascii=False).encode(), "application/json"
    except UnicodeEncodeError:  # half of a pair that UTF-16 has for one character
        return json.dumps(payload).encode(), "application/json"
