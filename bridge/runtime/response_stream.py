"""Requests to an ASGI application whose answer leaves the process before the application has come to its end."""

from __future__ import annotations

import asyncio
import json

from bridge.asgi.cycle import RequestCycle, gateway_timeout
from bridge.asgi.loop import settle
from bridge.errors import FailedIntegrationError, InterfaceError
from bridge.handlers import server_error
from bridge.limits import PRELUDE_DELIMITER, PRELUDE_LIMIT
from bridge.logs import logger
from bridge.runtime.api import ApiError
from bridge.runtime.error_report import Fault
from bridge.runtime.payload import written
from bridge.runtime.protocol import LostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bridge.asgi.application import AsgiApplication
    from bridge.handlers import Handler
    from bridge.request import Scope
    from bridge.response import Response
    from bridge.runtime.api import RuntimeApi, Stream
    from bridge.runtime.invocation import Invocation
    from bridge.sources import Source

_OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})  # the service's business, not the function's
_TIMED_OUT = Fault("Function.Timedout", "The function's time is over and its response is not whole.")
# Left of an invocation's time, to ask for the next one.
_MARGIN_SECONDS = 0.1


class Posted(RequestCycle):
    """A request whose response is posted as soon as it is complete.

    Args:
        handler: the application's handler.
        source: where the event came from.
        scope: the request.
        invocation: the invocation.
        api: where the response goes.
    """

    __slots__ = (
        "_api",
        "_handler",
        "_invocation",
        "_is_answered",
        "_is_out",
        "_late",
        "_left",
        "_lost",
        "_scope",
        "_source",
    )

    def __init__(self, handler: Handler, source: Source, scope: Scope, invocation: Invocation, api: RuntimeApi) -> None:
        super().__init__(scope.body)
        self._handler = handler
        self._source = source
        self._scope = scope
        self._invocation = invocation
        self._api = api
        self._is_answered = False
        self._is_out = False
        self._left: set[asyncio.Task[Any]] = set()
        self._late: asyncio.Task[None] | None = None
        self._lost: ApiError | None = None

    async def answer(self, hosted: AsgiApplication) -> None:
        """Have *hosted* answer, and come to the end of what it started.

        Raises:
            ApiError: the Runtime API is gone.
            SystemExit: the application wants to exit.
            CancelledError: this task was cancelled.
        """
        try:
            response = self._scope.refusal or await hosted.serve(self._scope, self)
        except BaseException as error:  # whatever it is, it is one request's
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            if self._lost is None:
                await self._fail(error)
            if isinstance(error, SystemExit):
                raise
        else:
            await self._conclude(response)
        if self._lost is not None:
            raise self._lost
        if self._left:
            left = self._scope.context.get_remaining_time_in_millis() / 1000
            await settle(self._left, max(0.0, left - _MARGIN_SECONDS))

    async def send(self, message: Any) -> None:
        """Take one message of the response; after the last one the client has it."""
        await super().send(message)
        if self.is_complete and self.response is not None and not self._is_answered:
            try:
                await self._post(self.response)
            except ApiError as error:  # none of the application's business
                self._lost = error
            finally:
                self._out()

    def disconnect(self) -> None:
        """There will be no more of a response. Of one that is whole, and on its way, the application hears later.

        Django and Quart, once they are told that the client is gone, cancel what sends to it.
        """
        if self._is_out or not self.is_complete:
            super().disconnect()

    def _out(self) -> None:
        self._is_out = True
        self.disconnect()

    async def settle(self) -> None:
        """What is left behind is waited for when the client has its answer."""
        self._left = self.tasks

    def abandon(self) -> None:
        """Answer without an application that goes on after its time."""
        if self.task is not None and not self.is_complete:
            self._late = asyncio.get_running_loop().create_task(self._post_late())

    async def _post_late(self) -> None:
        try:
            await self._conclude(gateway_timeout())
        except ApiError as error:
            self._lost = error

    async def _conclude(self, response: Response) -> None:
        """See to it that there is an answer: *response*, if there is none."""
        if not self._is_answered:
            await self._post(response)

    async def _fail(self, error: BaseException) -> None:  # noqa: ARG002 - a stream tells it
        await self._conclude(server_error(self._scope))

    async def _post(self, response: Response) -> None:
        self._is_answered = True
        try:
            payload = self._handler.write(self._source, self._scope, response)
        except FailedIntegrationError as error:  # what API Gateway is told of a status without a proxy
            await self._api.fail(self._invocation, Fault.of(error))
        else:
            await self._api.respond(self._invocation, *written(payload))


class Streamed(Posted):
    """A request whose response is sent while the application makes it."""

    __slots__ = ("_is_gone", "_stream")

    def __init__(self, handler: Handler, source: Source, scope: Scope, invocation: Invocation, api: RuntimeApi) -> None:
        super().__init__(handler, source, scope, invocation, api)
        self._stream: Stream | None = None
        self._is_gone = False

    async def send(self, message: Any) -> None:
        """Take one message of the response and pass it on; returns when the client takes more.

        Raises:
            OSError: the client has gone away, as ASGI has it since its version 2.4.
            InterfaceError: it is not what ASGI allows next.
        """
        await RequestCycle.send(self, message)
        if self._is_gone:
            raise OSError("The client has gone away.")
        response = self.response
        assert response is not None
        chunk = response.body if self.is_complete else b"".join(self._chunks)
        self._chunks.clear()
        try:
            stream = self._stream or await self._begin(response)
            if chunk and self._scope.method != "HEAD" and response.status not in (204, 304):  # RFC 9110, 6.4.1
                await stream.send(chunk)
            if self.is_complete:
                await stream.end()
        except LostError:
            raise OSError("The client has gone away.") from None
        except ApiError as error:
            self._lost = error
            if not self.is_complete:
                raise OSError("The Runtime API is gone.") from None
        finally:
            if self.is_complete:
                self._out()

    async def _begin(self, response: Response) -> Stream:
        source: Any = self._source
        fields = response.fields(self._handler.settings.exclude_headers | _OF_ONE_HOP)
        head = source.head(response.status, fields, self._scope)
        prelude = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace") + PRELUDE_DELIMITER
        if len(prelude) > PRELUDE_LIMIT:
            raise InterfaceError(
                f"Status and headers of the response to {self._scope} are {len(prelude)} bytes of JSON; at most "
                f"{PRELUDE_LIMIT} pass before a stream. Send less in headers and cookies."
            )
        self._stream = stream = await self._api.stream(self._invocation, self._gone)
        self._is_answered = True
        await stream.send(prelude)
        return stream

    def _gone(self) -> None:
        """The client has gone away: the application is told when it next asks or sends."""
        self._is_gone = True
        self._out()

    async def _fail(self, error: BaseException) -> None:
        if self._is_gone and self._stream is not None:
            await self._stream.end()  # says why: the API has answered, or nobody is there
            self._api.close()
        elif self._stream is None:
            await self._post(server_error(self._scope))
        else:
            server_error(self._scope)
            await self._break_off(Fault.of(error))

    async def _conclude(self, response: Response) -> None:
        if self._stream is None:
            await self._post(response)
        elif not (self.is_complete or self._is_gone):
            await self._break_off(_TIMED_OUT)

    async def _break_off(self, fault: Fault) -> None:
        """End a stream that is not whole."""
        assert self._stream is not None
        self._gone()
        await self._stream.end(fault)

    async def _post(self, response: Response) -> None:
        """A response that is whole."""
        try:
            stream = await self._begin(response)
            await stream.send(response.body)
            await stream.end()
        except LostError:
            logger.warning("The client of %s went away before the response was whole.", self._scope)
