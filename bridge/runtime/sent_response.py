"""The response to a request: posted to the Runtime API when it is complete, or streamed while it is made."""

from __future__ import annotations

import json

from bridge.errors import FailedIntegrationError, InterfaceError
from bridge.limits import PRELUDE_DELIMITER, PRELUDE_LIMIT
from bridge.runtime.api_messages import ErrorReport, encode
from bridge.runtime.client import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from bridge.handlers import Handler
    from bridge.request import Scope
    from bridge.response import Response
    from bridge.runtime.client import RuntimeApi
    from bridge.runtime.invocation import Invocation
    from bridge.sources import Source

_HOP_BY_HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding"})


class SentResponse:
    """The response to a request, on its way to the Runtime API.

    A stream begins with a prelude, which is status and headers as JSON. Errors after that are reported in trailers.

    Attributes:
        scope: the request.
        api: where the response is sent.
        is_streamed: whether it is sent as a stream.
        on_disconnect: called if a stream ends before the application has sent its end.
        late: the task that ends the response of an application that ignores its cancellation; None without one.
        tasks: the tasks that the application has left behind.
    """

    def __init__(
        self, handler: Handler, source: Source, scope: Scope, invocation: Invocation, api: RuntimeApi, *, stream: bool
    ) -> None:
        self.scope = scope
        self.api = api
        self.is_streamed = stream and getattr(source, "STREAMED", None) == scope.source
        self.on_disconnect: Callable[[], object] | None = None
        self.late: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self._handler = handler
        self._source: Any = source
        self._invocation = invocation
        self._is_started = False  # the prelude was sent
        self._is_over = False  # the invocation is answered, or its client has disconnected
        self._is_lost = False  # the API accepts no more of the stream
        self._api_error: ApiError | None = None

    async def write(self, response: Response, part: bytes, *, is_complete: bool) -> None:
        """Stream *part*, which the application has added to the body, and wait until the API accepts more.

        Raises OSError if the client has disconnected before the response is complete.
        """
        if not self._is_over:
            try:
                await self._send(response, part)
                if is_complete and not self._is_lost:  # finish() logs the reason
                    self._is_over = True
                    await self.api.end_stream(self._invocation)
            except ApiError as error:
                self._is_over = True
                self._api_error = error
        if self._is_over and not is_complete:
            raise OSError("The client has disconnected.")

    async def conclude(self, response: Response, report: ErrorReport | None = None) -> None:
        """End the response, unless it has ended.

        Args:
            response: is sent if nothing was sent yet.
            report: the error at the end of a stream that has started; None if its time is over.
        """
        if self._is_over:
            return
        self._is_over = True
        try:
            if not self.is_streamed:
                await self._post(response)
            elif not self._is_started:
                await self._send(response, response.body)
                await self.api.end_stream(self._invocation)
            else:
                self._disconnect()
                report = report or ErrorReport("Function.Timedout", "The response was not complete in time.")
                await self.api.end_stream(self._invocation, report)
        except ApiError as error:
            self._api_error = error

    async def fail(self, error: BaseException) -> None:
        """Log the application's exception, which is being handled, and end the response: with a 500 if possible."""
        if not self._is_lost and self._api_error is None:
            await self.conclude(self._handler.failed(self.scope), ErrorReport.of(error))

    async def finish(self) -> None:
        """Leave the API ready for the next request; raises the ApiError that the application did not get."""
        self.on_disconnect = None  # breaks a reference cycle
        if self.late is not None:
            await self.late
        if self._is_lost:
            await self.api.end_stream(self._invocation)  # logs the reason
        if self._api_error is not None:
            raise self._api_error

    async def _post(self, response: Response) -> None:
        try:
            payload = self._handler.write(self._source, self.scope, response)
        except FailedIntegrationError as error:
            await self.api.fail(self._invocation, ErrorReport.of(error))
        else:
            await self.api.respond(self._invocation, *encode(payload))

    async def _send(self, response: Response, part: bytes) -> None:
        if not self._is_started:
            prelude = self._prelude(response)
            self._is_started = True
            await self.api.start_stream(self._invocation, prelude, self._on_lost)
        if part and self.scope.method != "HEAD" and response.status not in (204, 304):  # RFC 9110, 6.4.1
            await self.api.send_part(part)

    def _prelude(self, response: Response) -> bytes:
        fields = response.fields(self._handler.settings.exclude_headers | _HOP_BY_HOP_HEADERS)
        head = self._source.head(response.status, fields, self.scope)
        prelude = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace") + PRELUDE_DELIMITER
        if len(prelude) > PRELUDE_LIMIT:
            raise InterfaceError(
                f"Status and headers of the response to {self.scope} are {len(prelude)} bytes of JSON; a stream has "
                f"room for {PRELUDE_LIMIT}. Send less in headers and cookies."
            )
        return prelude

    def _on_lost(self) -> None:
        if not self._is_over:
            self._is_over = self._is_lost = True
            self._disconnect()

    def _disconnect(self) -> None:
        if self.on_disconnect is not None:
            self.on_disconnect()
