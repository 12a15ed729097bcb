"""The Lambda Runtime API: the next invocation, and its response.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

from bridge.logs import logger
from bridge.runtime.connection import ApiError, Connection, LostError
from bridge.runtime.error_report import ErrorReport
from bridge.runtime.invocation import Invocation
from bridge.runtime.protocol import Requests, chunk, last_chunk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.runtime.protocol import Reply


class RuntimeApi(Connection):
    """The Runtime API at ``host:port``, for one invocation at a time; its coroutines raise ApiError."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._requests = Requests(address)

    async def next(self) -> Invocation | None:
        """Wait for the next invocation and return it; None after :meth:`stop`."""
        self.is_polling = True
        try:
            # After a lost connection the request is sent again: Lambda repeats an invocation that was sent over it.
            reply = _successful(await self.request(self._requests.next))
        except ApiError:
            if self.is_stopped:
                return None
            raise
        finally:
            self.is_polling = False
        return Invocation(reply.headers, reply.body)

    async def respond(self, invocation: Invocation, payload: bytes, content_type: str) -> None:
        """Post the payload of an invocation; if the API finds it too large, an error."""
        reply = await self.request(self._requests.response(invocation, payload, content_type))
        if reply.status == 413:
            message = f"The payload of {len(payload)} bytes is larger than Lambda accepts."
            logger.error("%s", message)
            await self.fail(invocation, ErrorReport("Function.ResponseSizeTooLarge", message))
        else:
            _check(reply, invocation)

    async def fail(self, invocation: Invocation, report: ErrorReport) -> None:
        """Post the error of an invocation."""
        _check(await self.request(self._requests.error(report, invocation)), invocation)

    async def fail_phase(self, phase: str, report: ErrorReport) -> None:
        """Post the error of a phase, ``"init"`` or ``"restore"``."""
        await self.request(self._requests.phase_error(report, phase))

    async def restore(self) -> None:
        """Wait while Lambda makes a snapshot of this process (SnapStart); returns in a restored sandbox."""
        _successful(await self.request(self._requests.restore))
        self.close()  # the connection belongs to the sandbox of which the snapshot was made

    async def stream(self, invocation: Invocation, part: bytes, on_lost: Callable[[], object]) -> None:
        """Send the first part of a streamed response; *on_lost* is called if the API accepts no more of it."""
        await self.start_stream(self._requests.stream(invocation) + chunk(part), on_lost)

    async def stream_part(self, part: bytes) -> None:
        """Send a part of a streamed response, and wait until the API accepts more; raises LostError if it does not."""
        await self.send(chunk(part))

    async def complete_stream(self, invocation: Invocation, report: ErrorReport | None = None) -> None:
        """Send the end of a streamed response, with trailers if there is a *report*. Log why the API refuses it."""
        try:
            reply = await self.end_stream(last_chunk(report))
        except LostError as error:
            logger.warning("The client disconnected before the response was complete: %s", error)
        else:
            _check(reply, invocation)


def _successful(reply: Reply) -> Reply:
    if reply.status != 200:
        raise ApiError(f"The Runtime API replied with {reply}")
    return reply


def _check(reply: Reply, invocation: Invocation) -> None:
    """Log a refusal: the response may have been posted twice, or too late."""
    if reply.status >= 500:
        raise ApiError(f"The Runtime API replied to a response with {reply}")
    if reply.status >= 300:
        logger.warning("The Runtime API refused the response to %s with %s", invocation.request_id, reply)
