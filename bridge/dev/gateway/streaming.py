"""Responses that a front door sends to the client while the function still produces them.

A streamed response begins with a prelude, which is JSON with status, headers and cookies, and eight NUL bytes:
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from bridge.dev.gateway.asgi_messages import send_head
from bridge.dev.gateway.invocation import FunctionError
from bridge.dev.gateway.models import RefusedError
from bridge.dev.gateway.payload_validation import json_type
from bridge.limits import LAMBDA_PAYLOAD_LIMIT, PRELUDE_DELIMITER, PRELUDE_LIMIT
from bridge.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.dev.gateway.invocation import ReceivedStream
    from bridge.dev.gateway.models import Answer, FrontDoor, Request

_PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"


class StreamedAnswer:
    """A streamed response whose prelude has been read.

    Args:
        prelude: status, headers and cookies.
        body: the beginning of the body.
        stream: the rest of the body.

    Attributes:
        prelude: the argument.
        size: the number of bytes of the body that were sent to the client.
        cut_off: why the response is incomplete; ``""`` if it is complete, or has not ended.
    """

    def __init__(self, prelude: dict[str, Any], body: bytes, stream: ReceivedStream) -> None:
        self.prelude = prelude
        self.size = 0
        self.cut_off = ""
        self._body = body
        self._stream = stream

    def close(self) -> None:
        """Close the function's connection."""
        self._stream.close()

    async def send(
        self,
        answer: Answer,
        request: Request,
        receive: Any,
        send: Any,
        on_chunk: Callable[[bytes], None] | None = None,
    ) -> None:
        """Send *answer* and the body. Leave the response incomplete if the function fails or the task is cancelled.

        Args:
            answer: the answer for the prelude.
            request: the request.
            receive: the ASGI ``receive``.
            send: the ASGI ``send``.
            on_chunk: called with each chunk of the body that is sent.

        Raises:
            CancelledError: the task was cancelled.
        """
        watcher = asyncio.create_task(self._close_on_disconnect(receive))
        has_body = answer.has_body(request.method)

        async def send_chunk(chunk: bytes) -> None:
            if chunk and has_body:
                self.size += len(chunk)
                if on_chunk is not None:
                    on_chunk(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})

        try:
            await send_head(answer, request, send, None)
            await send_chunk(self._body)
            async for chunk in self._stream:
                await send_chunk(chunk)
            if watcher.done():
                message = "%s %s: the client disconnected after %d bytes."
                logger.info(message, request.method, request.path, self.size)
                self.cut_off = "the client disconnected"
            else:
                await send({"type": "http.response.body", "body": b""})
        except FunctionError as error:
            self.cut_off = f"the function failed: {error}"
            self._log_cut_off(request)
        except asyncio.CancelledError:
            self.cut_off = "the server cancelled the request"
            self._log_cut_off(request)
            raise
        finally:
            watcher.cancel()
            self._stream.close()

    async def _close_on_disconnect(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()

    def _log_cut_off(self, request: Request) -> None:
        message = "%s %s: the response was cut off after %d bytes: %s"
        logger.error(message, request.method, request.path, self.size, self.cut_off)


async def read_stream(stream: ReceivedStream, front_door: FrontDoor) -> StreamedAnswer | str:
    """Read the beginning of a streamed response, or all of it where the front door does not stream.

    Returns:
        A :class:`StreamedAnswer`, or the payload as JSON.

    Raises:
        RefusedError: the front door refuses the response.
        FunctionError: the function failed meanwhile.
    """
    try:
        if not front_door.supports_streaming:
            return await _read_payload(stream, front_door.failed)
        if front_door.prelude_is_optional and stream.content_type != _PRELUDE_TYPE:
            return StreamedAnswer({"headers": {"content-type": stream.content_type}}, b"", stream)
        return await _read_prelude(stream, front_door.failed)
    except BaseException:
        stream.close()
        raise


async def _read_prelude(stream: ReceivedStream, failed: Answer) -> StreamedAnswer:
    received = b""
    async for chunk in stream:
        received += chunk
        end = received.find(PRELUDE_DELIMITER, 0, PRELUDE_LIMIT)
        if end >= 0:
            try:
                prelude = json.loads(received[:end])
            except ValueError as error:
                raise RefusedError(failed, f"the prelude of the stream is not JSON: {error}") from None
            if not isinstance(prelude, dict):
                raise RefusedError(
                    failed, f"the prelude of the stream is a JSON {json_type(prelude)}; it must be an object"
                )
            return StreamedAnswer(prelude, received[end + len(PRELUDE_DELIMITER) :], stream)
        if len(received) >= PRELUDE_LIMIT:
            break
    raise RefusedError(
        failed,
        f"the first {PRELUDE_LIMIT} bytes of the stream have no 8 NUL bytes that end the prelude; send less in headers "
        "and cookies, or begin the stream with a prelude, as Lambda's guide to response streaming describes",
    )


async def _read_payload(stream: ReceivedStream, failed: Answer) -> str:
    received = bytearray()
    async for chunk in stream:
        received += chunk
        if len(received) > LAMBDA_PAYLOAD_LIMIT:
            raise RefusedError(
                failed,
                f"the response has more than {LAMBDA_PAYLOAD_LIMIT} bytes; answer with less, or redirect to S3",
            )
    try:
        return json.dumps(json.loads(received))
    except ValueError:
        raise RefusedError(
            failed,
            "the function streamed its response, and this front door does not stream; set BRIDGE_RESPONSE_MODE=buffer "
            "(--response-mode buffer)",
        ) from None
