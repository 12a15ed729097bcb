"""Answers that go to the client while the function makes them.

A stream begins with a prelude, JSON with status, headers and cookies, and eight NUL bytes:
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from bridge import logger
from bridge.dev.gateway.asgi_messages import head_of
from bridge.dev.gateway.events import refused
from bridge.dev.gateway.invocation import FunctionError
from bridge.dev.gateway.payloads import LAMBDA_PAYLOAD_LIMIT, json_name

if TYPE_CHECKING:
    from bridge.dev.gateway import FrontDoor
    from bridge.dev.gateway.invocation import ReceivedStream
    from bridge.dev.gateway.models import Answer, Request

_PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
_PRELUDE_LIMIT = 16_384
_DELIMITER = b"\0" * 8


class StreamedAnswer:
    """An answer of which the beginning has come.

    Args:
        prelude: status, headers and cookies.
        first: what has come of the body.
        stream: the rest of it.

    Attributes:
        prelude: as given.
        size: how many bytes of the body were sent.
    """

    def __init__(self, prelude: dict[str, Any], first: bytes, stream: ReceivedStream) -> None:
        self.prelude = prelude
        self.size = 0
        self._first = first
        self._stream = stream

    def close(self) -> None:
        """Take no more from the function."""
        self._stream.close()

    async def send(self, answer: Answer, request: Request, receive: Any, send: Any) -> None:
        """Send *answer*, and the body as it comes. If that is cut off, so is what the client gets: it never ends."""
        headers, has_body = head_of(answer, request)
        watching = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            if has_body:
                await self._send_chunk(self._first, send)
            async for chunk in self._stream:
                if has_body:
                    await self._send_chunk(chunk, send)
            if not watching.done():
                await send({"type": "http.response.body", "body": b""})
        except FunctionError as error:
            self._log_cut(request, f"the function failed: {error}")
        except asyncio.CancelledError:
            self._log_cut(request, "the server had to end")
        else:
            if watching.done():
                logger().info("%s %s: the client went away after %d bytes.", request.method, request.path, self.size)
        finally:
            watching.cancel()
            self._stream.close()

    def _log_cut(self, request: Request, why: str) -> None:
        said = "%s %s: the response was cut off after %d bytes, since %s"
        logger().error(said, request.method, request.path, self.size, why)

    async def _send_chunk(self, chunk: bytes, send: Any) -> None:
        if chunk:
            self.size += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _watch(self, receive: Any) -> None:
        """Have the function know when the client has gone away."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()


async def begin(stream: ReceivedStream, front_door: FrontDoor) -> Any:
    """What a front door makes of a stream: a :class:`StreamedAnswer`, or the payload where it only takes whole ones.

    Raises:
        RefusedError: it cannot make anything of it.
        FunctionError: the function failed meanwhile.
    """
    try:
        if front_door.begin is None:
            return await _whole(stream, front_door.failed)
        if front_door.takes_bare_streams and stream.content_type != _PRELUDE_TYPE:
            return StreamedAnswer({"headers": {"content-type": stream.content_type}}, b"", stream)
        return await _begun(stream, front_door.failed)
    except BaseException:
        stream.close()
        raise


async def _begun(stream: ReceivedStream, refuse: Answer) -> StreamedAnswer:
    received = b""
    async for chunk in stream:
        received += chunk
        end = received.find(_DELIMITER, 0, _PRELUDE_LIMIT)
        if end >= 0:
            try:
                prelude = json.loads(received[:end])
            except ValueError as error:
                raise refused(refuse, f"what the stream begins with is no JSON: {error}") from None
            if not isinstance(prelude, dict):
                raise refused(refuse, f"the stream begins with a JSON {json_name(prelude)}; it must be an object")
            return StreamedAnswer(prelude, received[end + len(_DELIMITER) :], stream)
        if len(received) >= _PRELUDE_LIMIT:
            break
    why = f"there is no end of status and headers, 8 NUL bytes, in the first {_PRELUDE_LIMIT} bytes of the stream"
    raise refused(refuse, f"{why}; send less in headers and cookies, or stream them as the Lambda guide describes it")


async def _whole(stream: ReceivedStream, refuse: Answer) -> Any:
    received = bytearray()
    async for chunk in stream:
        received += chunk
        if len(received) > LAMBDA_PAYLOAD_LIMIT:
            why = f"the function's answer is over {LAMBDA_PAYLOAD_LIMIT} bytes; answer with less, or redirect to S3"
            raise refused(refuse, why)
    try:
        return json.loads(received)
    except ValueError:
        why = "the function streamed its answer, and this front door hands on whole payloads only"
        raise refused(refuse, f"{why}; set BRIDGE_RESPONSE_MODE=buffer (--response-mode buffer) for it") from None
